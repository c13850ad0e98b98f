"""Doubts that extraction raises by itself, on real files and real networks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mi_audit.datasets._images import FileImages
from mi_audit.datasets.interface import MembershipData, Side
from mi_audit.errors import DataSetError, OutputsError
from mi_audit.stages import extract
from mi_audit.stages._preflight.behaviour import behaviour_findings
from mi_audit.stages.extract import Extraction, ExtractOptions
from mi_audit.stages.progress import Silence
from mi_audit.target_model import Preprocessing, TargetModel, digest_of_weights
from tests.stages.test_extract import LinearTarget, extraction

N = 200


def of_files(folder: Path, n: int = N, module: nn.Module | None = None) -> Extraction:
    """A linear target on `n` PNG files of 4 x 4 a side, in classes in turn."""
    rng = np.random.default_rng(0)
    sides = []
    for name in ("members", "non-members"):
        (folder / name).mkdir(exist_ok=True)
        paths = tuple(f"{number:03}.png" for number in range(n))
        for path in paths:
            Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).save(folder / name / path)
        ids = [f"{name}/{path}" for path in paths]
        sides.append(Side(FileImages(folder / name, paths), np.arange(n) % 5, ids))
    return ready(MembershipData(None, *sides, tuple("abcde")), module)


def ready(data: MembershipData, module: nn.Module | None = None) -> Extraction:
    network = (module or LinearTarget()).eval()
    preprocessing = Preprocessing((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    target = TargetModel(network, preprocessing, 5, "linear", "net.pt", digest_of_weights(network))
    return Extraction(ExtractOptions(model="net.pt", data="made", batch_size=32), target, data)


def spoil(path: Path) -> None:
    """Leave the head of a file whole and cut its pixels off."""
    path.write_bytes(path.read_bytes()[:-30])


def messages(findings) -> dict[str, str]:
    return {finding.slug: finding.message for finding in findings}


def test_a_few_unreadable_images_leave_the_audit_counted_and_named(tmp_path):
    whole = extract.run(of_files(tmp_path))
    spoil(tmp_path / "members" / "017.png")
    (tmp_path / "non-members" / "101.png").write_bytes(b"no image")
    made = of_files_again(tmp_path)
    cache = extract.run(made)
    gone = np.isin(whole.sample_id, ["members/017.png", "non-members/101.png"])
    assert cache.sample_id.tolist() == whole.sample_id[~gone].tolist()
    assert np.allclose(cache.outputs, whole.outputs[~gone], atol=1e-5)
    assert cache.label.tolist() == whole.label[~gone].tolist()
    assert cache.is_member.sum() == N - 1
    message = messages(cache.findings)["unreadable-images"]
    assert message.startswith("2 images of 400 cannot be read and left the audit: 017.png (")
    assert "101.png (not an image)" in message
    dataset = cache.provenance["dataset"]
    assert (dataset["n_members"], dataset["n_non_members"], dataset["n_unreadable"]) == (N - 1, N - 1, 2)
    assert dataset["unreadable"] == ["members/017.png", "non-members/101.png"]


def of_files_again(folder: Path, module: nn.Module | None = None) -> Extraction:
    """The files as they are now."""
    sides = []
    for name in ("members", "non-members"):
        paths = tuple(sorted(path.name for path in (folder / name).iterdir()))
        ids = [f"{name}/{path}" for path in paths]
        sides.append(Side(FileImages(folder / name, paths), np.arange(len(paths)) % 5, ids))
    return ready(MembershipData(None, *sides, tuple("abcde")), module)


def test_more_than_a_hundredth_of_unreadable_images_is_an_error_that_counts_them(tmp_path):
    of_files(tmp_path)
    for number in (3, 4, 5):
        spoil(tmp_path / "non-members" / f"{number:03}.png")
    with pytest.raises(DataSetError, match=r"got 3 of 200 non-members that are not: 003\.png \(.*004\.png") as caught:
        extract.run(of_files_again(tmp_path))
    assert "take them out" in caught.value.tip


def test_an_interrupted_run_with_unreadable_images_goes_on_to_the_same_cache(tmp_path):
    of_files(tmp_path)
    spoil(tmp_path / "members" / "001.png")
    spoil(tmp_path / "non-members" / "199.png")
    whole = extract.run(of_files_again(tmp_path))

    class Interrupting(LinearTarget):
        n_calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.n_calls += 1
            if self.n_calls == 25:
                raise KeyboardInterrupt
            return super().forward(x)

    first = of_files_again(tmp_path, Interrupting())
    with pytest.raises(KeyboardInterrupt), extract.journal(first, tmp_path / "a.part") as rows:
        extract.run(first, rows)
    again = of_files_again(tmp_path)
    with extract.journal(again, tmp_path / "a.part") as rows:
        assert 0 < rows.n_done < 2 * N
        cache = extract.run(again, rows)
        assert cache.header() == whole.header()
        for name, values in cache.arrays().items():
            assert np.array_equal(values, whole.arrays()[name])


def test_black_images_in_place_of_unreadable_ones_are_no_duplicates(tmp_path):
    made = of_files(tmp_path)
    for side in ("members", "non-members"):
        spoil(tmp_path / side / "050.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "non-members" / "060.png")
    assert extract.run(made).is_audited.all()


def test_duplicates_say_the_cap_they_would_put_on_what_is_measured():
    from tests.stages.test_extract import N_MEMBERS, PIXELS

    pixels = PIXELS.copy()
    pixels[N_MEMBERS + 3 : N_MEMBERS + 5] = pixels[5:7]
    message = messages(extract.run(extraction(pixels=pixels)).findings)["exact-duplicates"]
    assert message.startswith("2 non-members have exactly the pixels of a member and left the audit")
    # 2 of 26 non-members behave like members: at a false alarm rate of 0.001 at most 0.001 / (2 / 26) are seen.
    assert message.endswith("at a false alarm rate of 0.1 % at 1.3 %")


def test_two_sides_of_the_same_images_are_no_audit():
    from tests.stages.test_extract import N_MEMBERS, PIXELS

    pixels = PIXELS.copy()
    pixels[N_MEMBERS:] = pixels[: len(pixels) - N_MEMBERS]
    with pytest.raises(DataSetError, match="every non-member has exactly the pixels of a member") as caught:
        extract.run(extraction(pixels=pixels))
    assert caught.value.tip == "non-members are images that the target was not trained on"


def test_twins_are_counted_and_stay():
    rng = np.random.default_rng(0)
    smooth = [Image.fromarray(each).resize((32, 32), Image.Resampling.BICUBIC) for each in blocks(rng, 63)]
    pixels = np.stack([np.asarray(each) for each in smooth])
    pixels[40] = np.clip(pixels[3].astype(int) + 9, 0, 255)
    cache = extract.run(extraction(ConvolutionalTarget(), pixels=pixels))
    assert cache.is_audited.all()
    assert messages(cache.findings)["near-duplicates"].startswith("1 non-member looks very much like a member")


def blocks(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, (n, 6, 6, 3), np.uint8)


class ConvolutionalTarget(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def test_sides_of_other_files_are_a_finding(tmp_path):
    of_files(tmp_path)
    for path in (tmp_path / "non-members").iterdir():
        with Image.open(path) as image:
            dark = image.convert("CMYK").point(lambda value: min(255, value + 60))
        dark.save(path, format="TIFF")
    found = messages(extract.run(of_files_again(tmp_path)).findings)
    assert {"shift-in-mode", "shift-in-file-type", "shift-in-colour"} <= set(found)
    assert (
        "RGB 100.0 % against 0.0 %" in found["shift-in-mode"] or "CMYK 0.0 % against 100.0 %" in found["shift-in-mode"]
    )


def behaviour(module: nn.Module) -> dict[str, str]:
    return messages(behaviour_findings(extraction(module), 32, Silence()))


def test_a_network_in_eval_mode_behaves():
    assert behaviour(LinearTarget()) == {}


def test_dropout_that_is_always_on_changes_outputs_from_call_to_call():
    class Random(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(nn.functional.dropout(x, 0.5, training=True))

    assert set(behaviour(Random())) == {"outputs-vary"}


def test_statistics_of_the_batch_make_outputs_depend_on_it():
    class OfTheBatch(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(nn.functional.batch_norm(x, None, None, training=True))

    class OfFlatBatch(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = super().forward(x)
            return nn.functional.batch_norm(logits, None, None, training=True)

    assert "differ from those in a batch" in behaviour(OfTheBatch())["batch-dependent"]
    assert "cannot take one image alone" in behaviour(OfFlatBatch())["batch-dependent"]


def test_a_network_that_switches_itself_to_training_mode_is_refused():
    class Switching(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.dropout.train()
            return super().forward(x)

    with pytest.raises(OutputsError, match="switches itself to training mode"):
        extract.run(extraction(Switching()))


def test_a_target_that_looks_untrained_is_told_before_the_long_work():
    class Constant(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 0 + torch.arange(5.0)

    class Listening(Silence):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def say(self, message: str) -> None:
            self.heard.append(message)

        def start(self, what: str, total: int, done: int = 0) -> None:
            self.heard.append(f"{what}: {done} of {total}")

    listening = Listening()
    cache = extract.run(extraction(Constant()), progress=listening)
    assert {"accuracy-at-chance", "predictions-collapsed"} <= set(messages(cache.findings))
    assert "not clearly above the" in listening.heard[0]
    assert (
        listening.heard[2] == "if the others are like these, a policy will call the audit INVALID: Ctrl-C stops it now"
    )
    assert listening.heard[3] == "extracting: 0 of 63"


def test_what_the_target_is_said_to_reach_is_compared():
    cache = extract.run(extraction(expect_accuracy=(0.99,)))
    assert "expected were 99.00 %" in messages(cache.findings)["accuracy-differs"]
    assert cache.provenance["options"]["expect_accuracy"] == [0.99]
