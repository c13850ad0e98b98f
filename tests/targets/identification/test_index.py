"""The index: what is in it is found by names and shapes, whatever the numbers of classes and channels."""

import warnings
from pathlib import Path

import pytest
import timm
import torch
import torchvision

from mi_audit.stages.index import rebuild
from mi_audit.targets._identification import index as module
from mi_audit.targets._identification.index import Versions, current, installed_versions, read, written
from mi_audit.targets._identification.indexing import entries
from mi_audit.targets._identification.signatures import (
    OpenDimension,
    hash_of_names,
    hash_of_shapes,
    open_dimensions,
    open_sizes,
    parsed,
)

SOME = [
    ("timm", "test_resnet"),
    ("timm", "test_vit"),
    ("torchvision", "shufflenet_v2_x0_5"),
    ("timm", "vit_tiny_r_s16_p8_224"),
]


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.fixture(scope="module")
def index() -> module.Index:
    found = list(entries(SOME, lambda *_: None))
    return read(written(Versions("1.0", "2.0"), found))


def test_a_network_is_found_with_other_classes_and_channels(index: module.Index) -> None:
    (hit,) = index.look_up(shapes(timm.create_model("test_resnet", num_classes=37, in_chans=1)))
    assert (hit.library, hit.name, hit.n_classes, hit.n_channels, hit.is_whole) == ("timm", "test_resnet", 37, 1, True)


def test_a_network_without_a_head_of_its_own_is_found_with_one(index: module.Index) -> None:
    assert index.look_up(shapes(timm.create_model("vit_tiny_r_s16_p8_224", num_classes=5)))[0].n_classes == 5


def test_files_without_counters_of_batches_are_found_too(index: module.Index) -> None:
    full = shapes(torchvision.models.shufflenet_v2_x0_5(num_classes=10))
    old = {name: shape for name, shape in full.items() if "num_batches" not in name}
    assert len(old) < len(full)
    assert [hit.name for hit in index.look_up(old)] == ["shufflenet_v2_x0_5"]


def test_the_same_names_with_other_shapes_are_a_near_hit(index: module.Index) -> None:
    other = shapes(timm.create_model("test_vit", num_classes=10))
    other["pos_embed"] = (1, 7, 64)
    (hit,) = index.look_up(other)
    assert (hit.name, hit.is_whole) == ("test_vit", False)
    other["head.bias"] = (11,)
    assert not index.look_up(other)[0].is_whole


def test_other_names_are_not_found(index: module.Index) -> None:
    assert index.look_up({"weight": (10, 3)}) == ()
    assert index.look_up({}) == ()


def test_open_dimensions_are_written_and_read() -> None:
    free = open_dimensions({"b": (14,), "a": (7, 22), "c": ()}, 7, 11)
    assert free == (OpenDimension("c", 0, 0, 1), OpenDimension("i", 0, 1, 2), OpenDimension("c", 1, 0, 2))
    assert parsed(",".join(map(str, free))) == free
    assert open_sizes({"a": (3, 4), "b": (6,), "c": ()}, free) == {"c": 3, "i": 2}
    assert open_sizes({"a": (3, 4), "b": (8,), "c": ()}, free) is None
    assert hash_of_shapes({"a": (3, 5), "b": (6,), "c": ()}, free) is None
    with pytest.raises(ValueError, match="expected an open dimension"):
        parsed("x1.0")


def test_hashes_do_not_depend_on_the_order() -> None:
    assert hash_of_names(["a", "b"]) == hash_of_names(["b", "a", "a.num_batches_tracked"])


@pytest.mark.parametrize("text", ["", "a page\n", "mi-audit classifiers 9; timm 1; torchvision 1\n"])
def test_what_is_no_index_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an index of classifiers"):
        read(text)


def test_a_damaged_line_is_refused() -> None:
    with pytest.raises(ValueError, match="expected hashes"):
        read("mi-audit classifiers 1; timm 1; torchvision 1\nabc\n")


def test_the_shipped_index_holds_all_classifiers_of_its_versions() -> None:
    index = module._shipped()
    entries_in = [entry for found in index.by_names.values() for entry in found]
    assert len(entries_in) > 1400
    if index.versions == installed_versions():
        listed = {("timm", name) for name in timm.list_models()}
        listed |= {("torchvision", name) for name in torchvision.models.list_models(module=torchvision.models)}
        assert {(entry.library, entry.name) for entry in entries_in} == listed


def test_a_rebuilt_index_is_used_when_it_is_of_the_installed_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    other = Versions("0.1", "0.2")
    index, notes = current(other)
    assert index is module._shipped()
    assert "`mi-audit index` rebuilds it" in notes[0]
    assert "installed are timm 0.1 and torchvision 0.2" in notes[0]
    (tmp_path / "mi-audit").mkdir()
    (tmp_path / "mi-audit" / "classifiers.txt").write_text(written(other, entries(SOME[:1], lambda *_: None)))
    index, notes = current(other)
    assert (len(index.by_names), notes) == (1, ())
    (tmp_path / "mi-audit" / "classifiers.txt").write_text("damaged")
    assert current(other)[0] is module._shipped()


def test_the_stage_writes_where_it_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, n_classifiers = rebuild(most=2)
    assert (path, n_classifiers) == (tmp_path / "mi-audit" / "classifiers.txt", 2)
    assert read(path.read_text()).versions == installed_versions()
