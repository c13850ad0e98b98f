"""Pixels that stay on the device are those that would have been sent there batch by batch."""

import numpy as np
import pytest
import torch

from mi_audit.stages import _observing, extract
from mi_audit.stages._residence import ResidentPixels, resident_pixels
from tests.stages.test_extract import PIXELS, extraction

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_pixels_on_the_device_are_members_first_in_order():
    resident = ResidentPixels(extraction(), CPU)
    assert np.array_equal(resident.read(30, 50).numpy(), PIXELS[30:50])


def test_on_a_cpu_and_where_they_do_not_fit_pixels_stay_where_they_are():
    assert resident_pixels(extraction(), CPU) is None
    assert resident_pixels(extraction(), GPU, n_bytes_free=4 * PIXELS.nbytes - 1) is None


def test_resident_pixels_give_the_same_cache(monkeypatch):
    apart = extract.run(extraction(batch_size=10))
    monkeypatch.setattr(_observing, "resident_pixels", lambda made, _: ResidentPixels(made, CPU))
    together = extract.run(extraction(batch_size=10))
    assert together.header() == apart.header()
    for name, values in together.arrays().items():
        assert np.array_equal(values, apart.arrays()[name])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_pixels_are_resident_and_the_logits_the_same():
    made = extraction(batch_size=10)
    expected = extract.run(made).outputs
    made.target.module.to(GPU)
    assert resident_pixels(made, GPU) is not None
    assert np.allclose(extract.run(made).outputs, expected, atol=1e-4)
