"""Controls on a real network and real images: clean sides hold, other sources, other light and swapped sides fail."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mi_audit.schema.control import ControlResult
from mi_audit.stages import extract
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.extract import ExtractOptions
from mi_audit.stages.train_attack import train_attacks

N_SIDE = 1000


def results(options: ExtractOptions) -> dict[str, ControlResult]:
    cache = extract.run(extract.prepare(options))
    trained = train_attacks(cache, TrainOptions(attacks=("threshold", "logistic-regression")))
    return {each.slug: each for each in evaluate(cache, trained, EvaluateOptions()).controls}


@pytest.fixture(scope="module")
def images(assets: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Some images and labels of the training set and of the test set of CIFAR-100, and of CIFAR-10."""
    rng = np.random.default_rng(0)
    found = {}
    for name in ("train", "test"):
        content = pickle.loads((assets / "data" / "cifar-100-python" / name).read_bytes(), encoding="bytes")  # noqa: S301 - the official file
        rows = rng.permutation(len(content[b"data"]))[:N_SIDE]
        pixels = content[b"data"][rows].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        found[name] = pixels, np.array(content[b"fine_labels"])[rows]
    with np.load(assets / "data" / "cifar10_subset.npz") as file:
        rows = rng.permutation(len(file["labels"]))[:N_SIDE]
        found["cifar10"] = file["images"][rows], found["test"][1]
    return found


def audited(folder: Path, assets: Path, members: tuple, non_members: tuple) -> dict[str, ControlResult]:
    path = folder / "arrays.npz"
    pixels, label = (np.concatenate(parts) for parts in zip(members, non_members, strict=True))
    np.savez(path, images=pixels, labels=label, is_member=np.arange(len(label)) < len(members[0]))
    model = str(assets / "checkpoints" / "cifar100_resnet20.pth")
    return results(ExtractOptions(model=model, data=str(path), controls="full"))


def failed(found: dict[str, ControlResult]) -> set[str]:
    return {slug for slug, result in found.items() if result.outcome == "failed"}


def test_all_controls_hold_on_a_clean_audit(assets):
    options = ExtractOptions(
        model=str(assets / "checkpoints" / "cifar100_resnet20.pth"),
        data="cifar100",
        data_dir=assets / "data",
        max_members=N_SIDE,
        max_non_members=N_SIDE,
        expect_accuracy=(0.69,),
        controls="full",
    )
    found = results(options)
    assert {slug: result.outcome for slug, result in found.items() if result.outcome != "held"} == {}


def test_non_members_from_another_source_are_told_by_the_images_alone(assets, images, tmp_path):
    assert "blind-baseline" in failed(audited(tmp_path, assets, images["train"], images["cifar10"]))


def test_a_little_more_light_on_one_side_is_told_by_the_images_alone(assets, images, tmp_path):
    pixels, label = images["test"]
    brighter = np.clip(pixels.astype(np.int64) + 15, 0, 255).astype(np.uint8)
    found = audited(tmp_path, assets, images["train"], (brighter, label))
    assert failed(found) == {"blind-baseline"}


def test_swapped_sides_are_told_by_the_accuracies(assets, images, tmp_path):
    assert failed(audited(tmp_path, assets, images["test"], images["train"])) == {"sides-swapped"}
