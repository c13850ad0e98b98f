"""Extraction against a network whose logits are known in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import MembershipData, Side
from mi_audit.errors import OutputsError, UsageError
from mi_audit.stages import _forward, extract
from mi_audit.stages.extract import Extraction, ExtractOptions
from mi_audit.target_model import Preprocessing, TargetModel, digest_of_weights

N_MEMBERS, N_NON_MEMBERS = 37, 26
PIXELS = np.random.default_rng(0).integers(0, 256, (N_MEMBERS + N_NON_MEMBERS, 4, 4, 3), np.uint8)


class LinearTarget(nn.Module):
    """Logits W x of the flattened input; notes whether it ran in eval mode and the size of every batch."""

    def __init__(self, n_classes: int = 5) -> None:
        super().__init__()
        weight = torch.from_numpy(np.random.default_rng(1).normal(size=(n_classes, 48)))
        self.weight = nn.Parameter(weight.float())
        self.dropout = nn.Dropout(0.5)
        self.batches: list[int] = []
        self.room = 10**9

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.room:
            raise torch.cuda.OutOfMemoryError
        self.batches.append(len(x))
        return self.dropout(x.contiguous().flatten(1)) @ self.weight.T


def extraction(module: nn.Module | None = None, pixels: np.ndarray = PIXELS, **options: object) -> Extraction:
    network = (module or LinearTarget()).eval()
    preprocessing = Preprocessing((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    target = TargetModel(network, preprocessing, 5, "linear", "net.pt", digest_of_weights(network))
    sides = []
    for name, rows in (("members", slice(0, N_MEMBERS)), ("non-members", slice(N_MEMBERS, None))):
        images = ArrayImages(pixels[rows])
        sides.append(Side(images, np.arange(len(images)) % 5, [f"{name}/{i}" for i in range(len(images))]))
    data = MembershipData(None, *sides, tuple("abcde"))
    return Extraction(ExtractOptions(model="net.pt", data="made", **options), target, data)


def closed_form(pixels: np.ndarray) -> np.ndarray:
    normalised = (pixels / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3]
    flat = normalised.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    return flat @ LinearTarget().weight.detach().numpy().astype(np.float64).T


@pytest.mark.parametrize("batch_size", [1, 7, 37, 1000, None])
def test_logits_are_those_of_the_closed_form_in_the_order_of_the_samples(batch_size):
    cache = extract.run(extraction(batch_size=batch_size))
    assert np.allclose(cache.outputs, closed_form(PIXELS), atol=1e-4)
    assert np.array_equal(cache.predicted, closed_form(PIXELS).argmax(axis=1))
    assert cache.is_member.tolist() == [True] * N_MEMBERS + [False] * N_NON_MEMBERS
    assert cache.sample_id[N_MEMBERS] == "non-members/0"


def test_memory_that_runs_out_halves_the_batch_and_loses_nothing():
    module = LinearTarget()
    module.room = 10
    cache = extract.run(extraction(module, batch_size=32))
    assert np.allclose(cache.outputs, closed_form(PIXELS), atol=1e-4)
    assert max(module.batches) == 8
    assert [finding.slug for finding in cache.findings].count("batch-size-reduced") == 2


def test_an_error_that_is_not_about_memory_passes_through():
    class Broken(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(f"{tuple(x.shape)} does not fit")

    with pytest.raises(RuntimeError, match="does not fit"):
        extract.run(extraction(Broken(), batch_size=8))


def test_outputs_that_are_not_finite_are_counted_and_named():
    class Infinite(LinearTarget):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = super().forward(x)
            logits[2:4] = float("inf")
            return logits

    with pytest.raises(OutputsError, match=r"2 of the first 10 samples: members/2, members/3"):
        extract.run(extraction(Infinite(), batch_size=10))


def test_exact_duplicates_across_the_sides_leave_the_audit_and_are_counted():
    pixels = PIXELS.copy()
    pixels[N_MEMBERS + 3] = pixels[5]
    cache = extract.run(extraction(pixels=pixels))
    assert np.flatnonzero(~cache.is_audited).tolist() == [N_MEMBERS + 3]
    (finding,) = [each for each in cache.findings if each.slug == "exact-duplicates"]
    assert "1 non-member has exactly the pixels of a member and left the audit" in finding.message


def test_the_key_follows_weights_preprocessing_and_data():
    base = extraction()
    other_weights = LinearTarget()
    with torch.no_grad():
        other_weights.weight[0, 0] += 1
    pixels = PIXELS.copy()
    pixels[-1, 0, 0, 0] ^= 1
    keys = {base.key, extraction(other_weights).key, extraction(pixels=pixels).key, extraction(seed=1).key}
    assert len(keys) == 4
    assert extraction(batch_size=3, device="cpu").key == base.key


def test_the_automatic_batch_size_is_a_power_of_two_that_fits_the_largest_activation():
    wide = nn.Sequential(nn.Conv2d(3, 4096, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4096, 5))
    target = extraction(wide).target
    largest = 4096 * 32 * 32 * 4
    size = _forward.automatic_batch_size(target, (32, 32, 3))
    assert size == 2 ** int(np.log2(_forward.BATCH_BYTES / (4 * largest)))
    assert _forward.automatic_batch_size(extraction().target, (4, 4, 3)) == _forward.MAX_BATCH


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "cuda:x", "cuda:99", ""])
def test_a_device_that_is_not_there_is_an_error(name):
    with pytest.raises(UsageError):
        _forward.resolve_device(name)


@pytest.mark.parametrize("options", [{"max_members": 0}, {"batch_size": 0}, {"features": ("layers",)}])
def test_options_that_make_no_sense_are_errors(options):
    with pytest.raises(UsageError):
        ExtractOptions(model="net.pt", data="digits", **options)


def test_a_selection_is_a_seeded_share_of_each_side(demo_checkpoint):
    options = {"model": str(demo_checkpoint), "data": "digits", "arch": "lenet_32_64_200", "max_non_members": 20}
    first, again, other = (extract.prepare(ExtractOptions(**options, seed=seed)) for seed in (0, 0, 1))
    assert (first.n_members, len(first)) == (898, 918)
    assert first.sample_id.tolist() == again.sample_id.tolist() != other.sample_id.tolist()
    assert first.key == again.key != other.key
