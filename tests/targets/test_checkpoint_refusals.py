"""Files that are not opened: each with one line of our own, a tip where there is one, and nothing run or written."""

import argparse
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint import reading
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._checkpoint.pickle_check import DamagedPickleError, survey

WEIGHTS = {"fc.weight": torch.arange(4.0)}


class Evil:
    """Runs a command when a pickle of it is opened without care."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.marker}",)


def zip_bytes(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def torch_bytes(content: object, **options: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def legacy_bytes(content: object) -> bytes:
    return torch_bytes(content, _use_new_zipfile_serialization=False)


def with_pickle(pickled: bytes, storage: bytes = b"") -> bytes:
    """What torch.save writes, with another pickle in it."""
    with zipfile.ZipFile(io.BytesIO(torch_bytes(WEIGHTS))) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    entries["archive/data.pkl"] = pickled
    return zip_bytes({**entries, "archive/data/0": storage} if storage else entries)


def pickle_of_weights() -> bytes:
    with zipfile.ZipFile(io.BytesIO(torch_bytes(WEIGHTS))) as archive:
        return archive.read("archive/data.pkl")


def safetensors_bytes() -> bytes:
    from safetensors.torch import save

    return save(WEIGHTS)


def encrypted() -> bytes:
    """The first entry's flag says that it is encrypted, in the directory at the end of the file."""
    content = bytearray(torch_bytes(WEIGHTS))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def repeated() -> bytes:
    stream = io.BytesIO(torch_bytes(WEIGHTS))
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("archive/data.pkl", b"other")
    return stream.getvalue()


def legacy_without_keys() -> bytes:
    """The list of the storages that follow is empty, so that torch would use memory as it is."""
    content = legacy_bytes(WEIGHTS)
    start = content.rindex(b"\x80\x02]q")
    end = content.index(b"a.", start) + 2
    return content[:start] + b"\x80\x02]." + content[end:]


def overlapping() -> bytes:
    """A directory that claims that an entry is ten times longer than the file."""
    content = bytearray(torch_bytes(WEIGHTS))
    at = content.rindex(b"PK\x01\x02")
    content[at + 20 : at + 28] = struct.pack("<II", 10 * len(content), 10 * len(content))
    return bytes(content)


# Each of these says 4 numbers of 4 bytes in its storage; the pickles are changed to claim more.
CLAIMS_NOTHING = pickle_of_weights().replace(b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x009")
CLAIMS_STORAGE = pickle_of_weights().replace(b"K\x04tq", b"J\x00\x01\x00\x00tq", 1)
EXPANDED = (
    pickle_of_weights()
    .replace(b"K\x04\x85q", b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85q", 1)
    .replace(b"K\x01\x85q", b"K\x00\x85q", 1)
)
# 4 numbers are stored, 12 * 12 * 12 asked for: torch would make the storage larger.
BEYOND = (
    pickle_of_weights()
    .replace(b"K\x04\x85q", b"K\x0cK\x0cK\x0c\x87q", 1)
    .replace(b"K\x01\x85q", b"K\x90K\x0cK\x01\x87q", 1)
)
SET_BEYOND = pickle_of_weights().replace(b"s.", b"(h\x05K\x00K\x60\x85K\x01\x85tbs.", 1)
TENSOR_FROM_NOTHING = b"\x80\x02}X\x01\x00\x00\x00wctorch\nTensor\nK\x60K\x60K\x60\x87\x81s."
CODEC = b"\x80\x02}X\x01\x00\x00\x00wc_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86Rs."
BYTES_FROM_NOTHING = b"\x80\x02}X\x01\x00\x00\x00wc__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85Rs."
TUPLES_IN_TUPLES = b"\x80\x02ctorch\nSize\n)" + b"q\x01h\x01\x86" * 80 + b"R."
COLOURED = b"\x80\x02c\x1b[31mred\nThing\n)R."
STRANGE = b"\x80\x02X\x05\x00\x00\x00hello\x85Q."

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "two bytes": (lambda: b"PK", "is truncated"),
    "web page": (lambda: b"\n <!DOCTYPE html><html>Not found</html>", "is a web page"),
    "pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer"),
    "text": (lambda: b"these are not weights at all", "is not a PyTorch or safetensors checkpoint .*'these ar'"),
    "gzip": (lambda: b"\x1f\x8b" + bytes(40), "is compressed with gzip"),
    "keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "zip cut": (lambda: torch_bytes(WEIGHTS)[:-200], "truncated or damaged zip"),
    "legacy cut in the pickle": (lambda: legacy_bytes(WEIGHTS)[:120], "truncated or damaged"),
    "legacy cut in the weights": (lambda: legacy_bytes(WEIGHTS)[:-20], "is truncated: its tensors take 16 bytes"),
    "legacy without its keys": (legacy_without_keys, "is truncated: its tensors take 16 bytes"),
    "safetensors cut in the header": (lambda: safetensors_bytes()[:30], "its safetensors header is cut off"),
    "safetensors cut in the weights": (lambda: safetensors_bytes()[:-3], "truncated or damaged safetensors"),
    "TorchScript": (
        lambda: zip_bytes({"net/code/__torch__.py": b"x", "net/data.pkl": b"x", "net/constants.pkl": b"x"}),
        "is a TorchScript program: it is code",
    ),
    "exported program": (
        lambda: zip_bytes({"net/archive_format": b"pt2", "net/models/model.json": b"{}", "net/data/weights/w": b"x"}),
        "is an exported program",
    ),
    "numpy archive": (lambda: zip_bytes({"a.npy": b"x"}), "is a numpy archive"),
    "other archive": (lambda: zip_bytes({"notes.txt": b"x"}), "without PyTorch weights"),
    "compressed entries": (lambda: zip_bytes({"a/data.pkl": b"x" * 99}, zipfile.ZIP_DEFLATED), "a compressed entry"),
    "two roots": (lambda: zip_bytes({"a/data.pkl": b"x", "b/data.pkl": b"x"}), "2 roots"),
    "repeated entry": (repeated, "two entries of one name"),
    "encrypted entry": (encrypted, "an encrypted entry"),
    "more inside than the file is long": (overlapping, "bytes of content"),
    "pickle of a dict": (lambda: pickle.dumps({"w": 1.0}), "is a pickle that torch.save did not write; it was not"),
    "pickle of an array": (lambda: pickle.dumps(np.zeros(3)), "did not write and asks for numpy"),
    "arguments alone": (lambda: torch_bytes({"args": argparse.Namespace(lr=1)}), "got a dict with args and no weights"),
    "an object": (lambda: torch_bytes(argparse.Namespace(lr=1)), "got an object of the class argparse.Namespace"),
    "numpy weights": (lambda: torch_bytes({"state_dict": {"w": np.zeros(3)}}), "holds numpy arrays where weights"),
    "coloured class": (lambda: with_pickle(COLOURED), "the class red.Thing"),
    "protocol 4": (lambda: torch_bytes(WEIGHTS, pickle_protocol=4), "pickle protocol 4"),
    "claims more than stored": (lambda: with_pickle(CLAIMS_STORAGE), "claims 1024 bytes of weights where it holds 16"),
    "claims what is not there": (lambda: with_pickle(CLAIMS_NOTHING), "holds 0"),
    "a tensor of a terabyte": (lambda: with_pickle(EXPANDED), "claims a tensor that .* bytes cannot hold"),
    "a tensor beyond its storage": (
        lambda: with_pickle(BEYOND),
        "claims a tensor that .* bytes cannot hold",
    ),
    "a tensor that is set beyond its storage": (lambda: with_pickle(SET_BEYOND), "in a way that torch.save does not"),
    "a tensor out of nothing": (lambda: with_pickle(TENSOR_FROM_NOTHING), "claims a tensor that"),
    "a codec": (lambda: with_pickle(CODEC), "in a way that torch.save does not"),
    "onnx": (lambda: b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "is an ONNX model"),
    "tar": (lambda: bytes(257) + b"ustar" + bytes(250), "is a tar archive"),
    "tflite": (lambda: b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite"),
    "keras archive": (lambda: zip_bytes({"config.json": b"{}", "model.weights.h5": b"x"}), "is a Keras model"),
    "bytes from nothing": (lambda: with_pickle(BYTES_FROM_NOTHING), "claims a tensor that .* bytes cannot hold"),
    "strange reference": (lambda: with_pickle(STRANGE), "in a way that torch.save does not"),
    "a list": (lambda: torch_bytes([1, 2]), "expected a state dict or a dict holding one, got a list"),
    "one tensor": (lambda: torch_bytes(torch.ones(2)), "got a Tensor"),
    "an empty dict": (lambda: torch_bytes({}), "got an empty dict"),
    "no weights": (lambda: torch_bytes({"epoch": 3, "mine": WEIGHTS}), "got a dict with epoch, mine and no weights"),
    "not a number": (
        lambda: torch_bytes({"fc.weight": torch.tensor([1.0, float("nan"), float("inf")])}),
        r"fc.weight holds NaN or infinite numbers \(2 of 3\)",
    ),
    "complex": (lambda: torch_bytes({"fc.weight": torch.ones(2, dtype=torch.complex64)}), "got strided complex64"),
    "sparse": (lambda: torch_bytes({"fc.weight": torch.eye(2).to_sparse()}), "got sparse_coo float32"),
}  # fmt: skip


def refusal_of(path: Path) -> CheckpointError:
    """The refusal of a file: one line that names it, in our own words, and nothing changed beside it."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(CheckpointError) as caught:
        open_state_dict(path)
    said = f"{caught.value} {caught.value.tip}"
    assert str(caught.value).startswith(f"{path}: ")
    assert said.isprintable()
    assert "weights_only" not in said
    assert "trust" not in str(caught.value)
    assert sorted(path.parent.rglob("*")) == before
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    path = tmp_path / "model.pt"
    path.write_bytes(make())
    error = refusal_of(path)
    with pytest.raises(CheckpointError, match=message):
        raise error
    assert error.tip


@pytest.mark.parametrize("make", [torch_bytes, legacy_bytes, lambda _: safetensors_bytes()])
def test_damage_anywhere_is_refused_in_our_words_or_harmless(make: Callable[[object], bytes], tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    whole = make({"state_dict": WEIGHTS, "epoch": 3})
    rng = np.random.default_rng(0)
    said = []
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 5)):
            damaged[at] = rng.choice([0, 0x80, 0xFF, rng.integers(256)])
        path.write_bytes(damaged[: rng.integers(1, 2 * len(whole))])
        try:
            open_state_dict(path)
        except CheckpointError as error:
            said.append(str(error))
    assert len(said) > 75
    assert all(message.isprintable() for message in said)


@pytest.mark.parametrize(
    "name", ["a tensor of a terabyte", "bytes from nothing", "claims more than stored", "a tensor beyond its storage"]
)
def test_claims_are_refused_before_torch_sees_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(REFUSED[name][0]())
    monkeypatch.setattr(reading.torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    refusal_of(path)


@pytest.mark.parametrize("save", [torch_bytes, legacy_bytes, pickle.dumps])
def test_a_pickle_that_would_run_a_command_is_refused_and_does_not_run_it(
    save: Callable[[object], bytes], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    path = tmp_path / "model.pt"
    path.write_bytes(save({"state_dict": WEIGHTS, "extra": Evil(marker)}))
    assert f"{os.system.__module__}.system" in str(refusal_of(path))
    assert not marker.exists()


def test_the_command_of_that_test_does_run_when_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(Evil(marker)))  # noqa: S301 - shows that the pickle above is a real one
    assert marker.exists()


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "resnet56.pt").touch()
    error = refusal_of(tmp_path / "resnet65.pt")
    assert "no such file" in str(error)
    assert error.tip == f"did you mean {tmp_path / 'resnet56.pt'}?"
    assert "no such file" in str(refusal_of(tmp_path / "nowhere" / "resnet65.pt"))


def test_a_folder_names_the_file_inside(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    error = refusal_of(tmp_path)
    assert "is a folder" in str(error)
    assert str(error.tip).endswith(f"--model {tmp_path / 'model.safetensors'}")


def test_a_folder_that_describes_a_network_and_has_no_weights_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    error = refusal_of(tmp_path)
    assert "holds config.json and no weights: neither model.safetensors nor pytorch_model.bin" in str(error)
    assert error.tip == "copy or download the weights into it too"


def test_a_folder_of_weights_in_parts(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").touch()
    assert "in several parts" in str(refusal_of(tmp_path))


def test_a_distributed_checkpoint_is_converted_by_its_owner(tmp_path: Path) -> None:
    (tmp_path / ".metadata").touch()
    assert f"dcp_to_torch {tmp_path} weights.pt" in str(refusal_of(tmp_path).tip)


def test_a_device_is_no_file() -> None:
    with pytest.raises(CheckpointError, match="not a regular file"):
        open_state_dict(Path(os.devnull))


def test_a_dict_that_holds_itself(tmp_path: Path) -> None:
    around: dict[str, object] = {}
    around["model"] = around
    torch.save(around, tmp_path / "loop.pt")
    assert "no weights" in str(refusal_of(tmp_path / "loop.pt"))


def test_the_survey_of_tuples_in_tuples_ends() -> None:
    assert survey(TUPLES_IN_TUPLES).largest_number == 0


def test_the_survey_reads_what_torch_writes() -> None:
    found = survey(pickle_of_weights())
    assert found.storages == {"0": 16}
    assert found.largest_number == 4
    assert found.globals == ["torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "collections.OrderedDict"]
    assert not found.is_strange
    assert not found.fills_memory


@pytest.mark.parametrize("pickled", [b"", b"\x80\x02", b"\x80\x02u.", b"\x80\x02h\x05.", b"\x80\x02t.", b"\x80\x02Rz"])
def test_the_survey_of_damaged_pickles(pickled: bytes) -> None:
    with pytest.raises(DamagedPickleError):
        survey(pickled)
