"""Features on their way into a cache: with the outputs or on their own, resumed, added, counted where missing."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit import store
from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import MembershipData, Side
from mi_audit.errors import UsageError
from mi_audit.features.interface import Failure, Observed
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages import _feature_plan, _growing, extract
from mi_audit.stages._feature_blocks import blocks_of
from mi_audit.stages.audit import extract_to
from mi_audit.stages.extract import Extraction, ExtractOptions
from mi_audit.stages.progress import Silence
from mi_audit.target_model import Preprocessing, TargetModel, digest_of_weights

N_MEMBERS, N_NON_MEMBERS = 21, 16
ALL = ("layer:-1", "layer:0", "gradient-norm", "gradient-norm:layers", "boundary-distance")
PIXELS = np.random.default_rng(0).integers(0, 256, (N_MEMBERS + N_NON_MEMBERS, 6, 6, 3), np.uint8)


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


def extraction(
    features: tuple[str, ...] = (), module: nn.Module | None = None, pixels: np.ndarray = PIXELS, **options: object
) -> Extraction:
    module = (module or network()).eval()
    target = TargetModel(
        module, Preprocessing((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)), 5, "small", "net.pt", digest_of_weights(module)
    )
    sides = []
    for name, rows in (("members", slice(0, N_MEMBERS)), ("non-members", slice(N_MEMBERS, None))):
        images = ArrayImages(pixels[rows])
        sides.append(Side(images, np.arange(len(images)) % 5, [f"{name}/{i}" for i in range(len(images))]))
    data = MembershipData(None, *sides, tuple("abcde"))
    chosen = ExtractOptions(model="net.pt", data="made", features=features or ("outputs",), **options)
    asked = _feature_plan.wanted(chosen.observed, chosen.feature_settings)
    return Extraction(chosen, target, data, features=_feature_plan.planned(asked, target, pixels.shape[1:]))


def written(path: Path, *features: str, **options: object) -> FeatureCache:
    return extract_to(extraction(features, **options), path, Silence())


def test_every_feature_is_there_with_its_columns_and_what_it_was_made_with():
    cache = extract.run(extraction(ALL))
    assert {name: values.shape[1] for name, values in cache.features.items()} == {
        "layer:-1": 64,
        "layer:0": 8,
        "gradient-norm:w": 7,
        "gradient-norm:x": 7,
        "gradient-norm:layers": 3,
        "boundary-distance": 1,
    }
    assert all(len(cache.columns[name]) == values.shape[1] for name, values in cache.features.items())
    made_with = cache.provenance["features"]
    assert set(made_with) == set(cache.features)
    assert made_with["gradient-norm:x"]["options"] == {"dtype": "float32", "kernel": "auto"}
    assert made_with["boundary-distance"]["plug-in"] == "boundary-distance"


def test_the_outputs_are_the_same_bytes_with_and_without_features():
    plain, full = extract.run(extraction()), extract.run(extraction(ALL))
    assert plain.outputs.tobytes() == full.outputs.tobytes()
    assert extraction().key == extraction(ALL).key


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_the_batch_size_is_not_in_the_numbers(batch_size):
    one, other = extract.run(extraction(ALL, batch_size=batch_size)), extract.run(extraction(ALL))
    for name, values in one.features.items():
        assert np.allclose(values, other.features[name], rtol=2e-3, atol=1e-4, equal_nan=True), name


def test_the_last_layer_through_the_head_gives_the_logits():
    done = extraction(("layer:-1",))
    cache = extract.run(done)
    head = done.target.module[4]
    with torch.no_grad():
        logits = head(torch.from_numpy(np.array(cache.features["layer:-1"])))
    assert np.allclose(logits, cache.outputs, atol=1e-5)


def test_rows_belong_to_their_samples():
    cache = extract.run(extraction(("gradient-norm:w",), batch_size=4))
    rows = [3, N_MEMBERS - 1, N_MEMBERS, N_MEMBERS + 9]
    some = extract.run(extraction(("gradient-norm:w",)).keeping(np.isin(np.arange(len(PIXELS)), rows)))
    assert np.allclose(some.features["gradient-norm:w"], cache.features["gradient-norm:w"][rows], rtol=1e-3)


def test_images_are_never_modified():
    before = PIXELS.copy()
    extract.run(extraction(ALL))
    assert np.array_equal(PIXELS, before)


def test_a_file_that_grew_is_the_same_bytes_as_one_made_at_once(tmp_path):
    written(tmp_path / "all.npz", *ALL)
    for features in ((), ("boundary-distance",), ("gradient-norm:x", "layer:0"), ALL):
        written(tmp_path / "grown.npz", *features)
    assert (tmp_path / "grown.npz").read_bytes() == (tmp_path / "all.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.npz", "grown.npz"]


def test_growth_computes_only_what_is_missing(tmp_path, monkeypatch):
    written(tmp_path / "a.npz", "gradient-norm")
    computed = []

    def noted(one: _feature_plan.Planned, *_: object) -> Iterator[str]:
        computed.append(one.plugin)
        raise RuntimeError

    monkeypatch.setattr(extract, "observe", lambda *_: pytest.fail("the outputs are there"))
    monkeypatch.setattr(_growing, "computed", lambda _extraction, _cache, one, *_: noted(one))
    with pytest.raises(RuntimeError):
        written(tmp_path / "a.npz", "gradient-norm", "layer:-1")
    written(tmp_path / "a.npz", "gradient-norm")
    written(tmp_path / "a.npz")
    assert computed == ["layer"]


def test_other_options_compute_that_feature_anew_and_keep_the_others(tmp_path):
    first = written(tmp_path / "a.npz", "boundary-distance", "gradient-norm")
    kept, changed = np.array(first.features["gradient-norm:w"]), np.array(first.features["boundary-distance"])
    settings = ("boundary-distance.epsilon=0.2",)
    second = written(tmp_path / "a.npz", "boundary-distance", feature_settings=settings)
    assert second.features["gradient-norm:w"].tobytes() == kept.tobytes()
    assert second.features["boundary-distance"].tobytes() != changed.tobytes()
    assert second.provenance["features"]["boundary-distance"]["options"]["epsilon"] == 0.2
    assert written(tmp_path / "a.npz", "boundary-distance").features["boundary-distance"].tobytes() == changed.tobytes()


def test_a_file_of_another_key_is_replaced(tmp_path):
    written(tmp_path / "a.npz", "layer:-1")
    other = network()
    with torch.no_grad():
        other[4].bias[0] += 1
    replaced = written(tmp_path / "a.npz", module=other)
    assert replaced.features == {}
    assert store.read(tmp_path / "a.npz").provenance["key"] == extraction(module=other).key


class Interrupting(Silence):
    """Interrupts after so many batches of one kind of work."""

    def __init__(self, what: str, after: int) -> None:
        self.what, self.left, self.now = what, after, ""
        self.started: list[tuple[str, int]] = []

    def start(self, what: str, total: int, done: int = 0) -> None:  # noqa: ARG002 - the interface
        self.now = what
        self.started.append((what, done))

    def advance(self, steps: int) -> None:  # noqa: ARG002 - the interface
        if self.now == self.what:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("what", ["extracting", "gradient-norm", "boundary-distance"])
def test_an_interrupted_extraction_goes_on_to_the_same_bytes(tmp_path, what):
    path = tmp_path / "a.npz"
    with pytest.raises(KeyboardInterrupt):
        extract_to(extraction(ALL, batch_size=4), path, Interrupting(what, 3))
    assert not path.exists()
    progress = Interrupting("", 0)
    extract_to(extraction(ALL, batch_size=4), path, progress)
    assert dict(progress.started)[what] == 16
    written(tmp_path / "whole.npz", *ALL, batch_size=4)
    assert path.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_interrupted_growth_loses_nothing_and_goes_on(tmp_path):
    path = tmp_path / "a.npz"
    written(path, "layer:-1", batch_size=4)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        extract_to(extraction(ALL, batch_size=4), path, Interrupting("gradient-norm", 2))
    assert path.read_bytes() == before
    progress = Interrupting("", 0)
    extract_to(extraction(ALL, batch_size=4), path, progress)
    # The distances were whole, the gradients begun; layer:0 was not reached.
    assert progress.started == [("boundary-distance", 37), ("gradient-norm", 12), ("layer", 0)]
    written(tmp_path / "whole.npz", *ALL, batch_size=4)
    assert path.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_samples_without_a_value_are_counted_by_side_and_reason(tmp_path):
    settings = ("boundary-distance.max_steps=1", "boundary-distance.epsilon=1e-4")
    path = tmp_path / "a.npz"
    chosen = extraction(("boundary-distance",), batch_size=4, feature_settings=settings)
    with pytest.raises(KeyboardInterrupt):  # counted across an interruption
        extract_to(chosen, path, Interrupting("boundary-distance", 6))
    cache = written(path, "boundary-distance", batch_size=4, feature_settings=settings)
    is_missing = np.isnan(cache.features["boundary-distance"][:, 0])
    n_members, n_non_members = (int((is_missing & side).sum()) for side in (cache.is_member, ~cache.is_member))
    assert n_members > 10
    (finding,) = [each for each in cache.findings if each.slug == "feature-missing"]
    assert finding.severity == "warning"
    assert f"boundary-distance: no value for {n_members} members and {n_non_members} non-members" in finding.message
    assert "no other class within the steps allowed (searched up to a radius of 0.0001)" in finding.message
    again = written(path, "boundary-distance", batch_size=4)  # with the usual options all of them cross
    assert not [each for each in again.findings if each.slug == "feature-missing"]


def test_a_constant_network_has_no_distances_and_says_so():
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(108, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1)) * 0 + torch.arange(5.0)

    cache = extract.run(extraction(("boundary-distance",), Constant()))
    assert np.isnan(cache.features["boundary-distance"]).all()
    assert any("21 members and 16 non-members: the gradient is zero" in each.message for each in cache.findings)


def test_memory_that_runs_out_halves_the_batch_of_that_feature_only(monkeypatch):
    whole = extract.run(extraction(("gradient-norm", "layer:-1")))
    done = extraction(("gradient-norm", "layer:-1"))
    (gradients,) = [each.bound for each in done.features if each.plugin == "gradient-norm"]
    compute = type(gradients).compute

    def with_room_for_eight(self, batch):
        if len(batch) > 8:
            raise torch.cuda.OutOfMemoryError
        return compute(self, batch)

    monkeypatch.setattr(type(gradients), "compute", with_room_for_eight)
    cache = extract.run(done)
    reduced = [each.message for each in cache.findings if each.slug == "batch-size-reduced"]
    smaller = "gradient-norm: memory ran out; the batch size was reduced to"
    assert sorted(reduced) == [f"{smaller} {size}" for size in (18, 4, 9)]
    assert np.allclose(cache.features["gradient-norm:w"], whole.features["gradient-norm:w"], rtol=1e-3)


def test_images_that_cannot_be_read_leave_the_features_too(monkeypatch):
    attempt = Extraction.attempt

    def failing(self, start, stop):
        pixels, is_readable = attempt(self, start, stop)
        bad = np.array([self.sample_id[row] == "members/3" for row in range(start, stop)])
        pixels = np.where(bad[:, None, None, None], 0, pixels)
        return pixels.astype(np.uint8), is_readable & ~bad

    monkeypatch.setattr(Extraction, "attempt", failing)
    monkeypatch.setattr("mi_audit.stages._observing.unreadable_findings", lambda *_: [])
    monkeypatch.setattr("mi_audit.stages._assembling.unreadable_findings", lambda *_: [])
    cache = extract.run(extraction(ALL))
    assert "members/3" not in cache.sample_id
    whole = {name: values for name, values in cache.features.items() if len(values) == len(PIXELS) - 1}
    assert set(whole) == set(cache.features)
    monkeypatch.undo()
    full = extract.run(extraction(ALL))
    for name, values in cache.features.items():
        assert np.allclose(values, np.delete(full.features[name], 3, 0), rtol=2e-3, atol=1e-4), name


def test_what_is_not_finite_is_missing_with_a_reason_and_broken_promises_are_bugs():
    (gradients,) = extraction(("gradient-norm:x",)).features
    values = torch.ones(3, 7)
    values[1, 2] = torch.inf
    blocks = blocks_of(gradients.bound, Observed({"gradient-norm:x": values}), 3)
    assert np.isnan(blocks["gradient-norm:x"]).sum() == 1
    assert blocks["gradient-norm:x/reason"].any(axis=1).tolist() == [False, True, False]
    failed = Observed({"gradient-norm:x": values}, (Failure("gradient-norm:x", 1, "flat", 2.0),))
    assert blocks_of(gradients.bound, failed, 3)["gradient-norm:x/radius"][1] == 2
    for wrong in ({"other": values}, {"gradient-norm:x": values[:2]}, {"gradient-norm:x": values.double()}):
        with pytest.raises(TypeError):
            blocks_of(gradients.bound, Observed(wrong), 3)


@pytest.mark.parametrize(
    ("features", "settings", "message", "tip"),
    [
        (("gradient-norms",), (), "unknown feature 'gradient-norms'", "did you mean 'gradient-norm'"),
        (("gradient-norm:z",), (), "unknown feature 'gradient-norm:z'", "gradient-norm:w"),
        (("layer:",), (), "expected a value after 'layer:'", "--features layer"),
        (("boundary-distance:far",), (), "comes in one form only", "--features boundary-distance"),
        (("layer:-1",), ("boundary-distance.step=angle",), "no feature that was asked", "add --features boundary"),
        (("layer:-1",), ("boundary-dist.step=angle",), "no feature that was asked", "did you mean 'boundary-distance'"),
        (("boundary-distance",), ("boundary-distance.stop=1",), "has no option 'stop'", "did you mean"),
        (("boundary-distance",), ("boundary-distance.step=angel",), "one of fixed, angle", "did you mean 'angle'"),
        (("boundary-distance",), ("boundary-distance.epsilon=0",), "expected epsilon above 0", ""),
        (("gradient-norm",), ("gradient-norm.parts=w",), "is no setting", "--features gradient-norm:"),
        (("gradient-norm",), ("gradient-norm",), "expected --set NAME.OPTION=VALUE", "--set"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_opened(features, settings, message, tip):
    with pytest.raises(UsageError, match=message) as raised:
        ExtractOptions(model="net.pt", data="digits", features=features, feature_settings=settings)
    assert tip in (raised.value.tip or "")


@pytest.mark.parametrize(("name", "message"), [("layer:fc", "no module 'fc'"), ("layer:-2", "1 fully connected layer")])
def test_a_layer_that_is_not_there_is_refused_before_the_long_work(name, message):
    with pytest.raises(UsageError, match=message):
        extraction((name,))


def test_a_cache_without_images_has_no_features():
    with pytest.raises(UsageError, match="--features needs a model"):
        ExtractOptions(model="predictions:a.csv", features=("gradient-norm",))
    with pytest.raises(UsageError, match="--set needs a model"):
        ExtractOptions(model="predictions:a.csv", feature_settings=("gradient-norm.dtype=float64",))


def test_all_features_of_a_real_network(assets, tmp_path):
    options = ExtractOptions(
        model=str(assets / "checkpoints" / "cifar100_resnet20.pth"),
        data="cifar100",
        arch="cifar_resnet20",
        data_dir=assets / "data",
        max_members=64,
        max_non_members=64,
        features=("layer:-1", "gradient-norm", "boundary-distance"),
        feature_settings=("boundary-distance.step=angle",),
    )
    prepared = extract.prepare(options)
    cache = extract_to(prepared, tmp_path / "a.npz", Silence())
    with torch.no_grad():
        logits = prepared.target.module.fc(torch.from_numpy(np.array(cache.features["layer:-1"])))
    assert np.allclose(logits, cache.outputs, atol=1e-4)
    norms, distances = cache.features["gradient-norm:w"][:, 1], cache.features["boundary-distance"][:, 0]
    assert np.isfinite(norms).all()
    assert norms[cache.is_member].mean() < norms[~cache.is_member].mean()
    assert (distances > 0).all()
    without = extract.run(extract.prepare(dataclasses.replace(options, features=("outputs",), feature_settings=())))
    assert without.outputs.tobytes() == cache.outputs.tobytes()


def test_a_feature_of_a_subsample_is_nan_elsewhere_which_is_no_failure(tmp_path):
    settings = ("label-only-distance.n=10", "label-only-distance.queries=60")
    cache = written(tmp_path / "a.npz", "label-only-distance", feature_settings=settings)
    has_value = np.isfinite(cache.features["label-only-distance"]).all(axis=1)
    assert [int((has_value & side).sum()) for side in (cache.is_member, ~cache.is_member)] == [6, 4]
    about = [finding for finding in cache.findings if finding.slug.startswith("feature")]
    assert [finding.slug for finding in about] == ["feature-subsample"]
    assert "a subsample of 6 members and 4 non-members" in about[0].message
    small = written(tmp_path / "b.npz", "label-only-distance", feature_settings=settings, batch_size=4)
    np.testing.assert_allclose(small.features["label-only-distance"], cache.features["label-only-distance"], rtol=1e-2)
    again = written(tmp_path / "a.npz", "label-only-distance", feature_settings=settings)
    assert again.findings == cache.findings


def test_a_network_that_flattens_by_view_is_observed_like_one_that_does_not(tmp_path):
    """`view` refuses maps that lie channels last in memory, as grey images always may."""
    code = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.head = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(4 * 6 * 6, 10)

    def forward(self, pixels):
        return self.head(self.convolution(pixels).relu().{}(len(pixels), -1))

def net():
    return Net()
"""
    caches = []
    for way in ("view", "reshape"):
        (tmp_path / f"{way}.py").write_text(code.format(way))
        options = ExtractOptions(
            model=f"python:{tmp_path / way}.py:net",
            data="digits",
            features=("layer:-1", "gradient-norm", "boundary-distance"),
            max_members=40,
            max_non_members=40,
            controls="full",
        )
        caches.append(extract.run(extract.prepare(options)))
    viewed, reshaped = caches
    np.testing.assert_allclose(viewed.outputs, reshaped.outputs, rtol=1e-5, atol=1e-6)
    for name, values in reshaped.features.items():
        np.testing.assert_allclose(viewed.features[name], values, rtol=1e-2, atol=1e-4, err_msg=name)
