import numpy as np
import pytest
import torch
from scipy import stats

from mi_audit.features import _fused_library, _fused_sums, _moments
from tests.features.networks import seven

KERNELS = [_moments.eager_power_sums] + ([_fused_sums.fused_power_sums] if _fused_sums.is_available() else [])


def skewed(n: int, k: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, k)) * rng.random((n, k)) ** 3 + 0.01)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("k", [1, 15, 16, 17, 1000, 1025, 300_001])
def test_statistics_are_those_of_scipy(kernel: _moments.Reduce, k: int) -> None:
    values = skewed(2, k)
    got = _moments.statistics(_moments.power_sums(values, kernel), k).numpy()
    if k > 1:
        np.testing.assert_allclose(got, [seven(row) for row in values.numpy()], rtol=1e-9)
    else:
        assert np.isnan(got[:, 5:]).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 5.0, 50.0])
def test_float32_numbers_of_any_size_and_mean_keep_their_shape(
    kernel: _moments.Reduce, factor: float, offset: float
) -> None:
    values = ((skewed(3, 5000) + offset) * factor).float()
    got = _moments.statistics(_moments.power_sums(values, kernel), 5000).numpy()
    np.testing.assert_allclose(got, [seven(row.astype(np.float64)) for row in values.numpy()], rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_row_does_not_depend_on_the_others(kernel: _moments.Reduce) -> None:
    values = skewed(8, 777).float()
    assert torch.equal(_moments.power_sums(values, kernel)[3:4], _moments.power_sums(values[3:4], kernel))


def test_sums_of_parts_make_those_of_the_whole() -> None:
    values = skewed(3, 100)
    parts = torch.stack([_moments.power_sums(part) for part in values.split([10, 60, 30], dim=1)])
    torch.testing.assert_close(_moments.combined(parts), _moments.power_sums(values))


def test_an_outer_product_factors() -> None:
    left, right = skewed(4, 6), skewed(4, 9, seed=1)
    outer = (left.unsqueeze(2) * right.unsqueeze(1)).flatten(1)
    torch.testing.assert_close(
        _moments.rank_one(left.float(), right.float()), _moments.power_sums(outer), rtol=1e-5, atol=0
    )


def test_a_scale_moves_sizes_and_leaves_shapes() -> None:
    values = skewed(2, 500)
    sums = _moments.power_sums(values)
    scale = torch.tensor([1e-20, 3.0], dtype=torch.float64)
    got = _moments.statistics(sums, 500, scale)
    torch.testing.assert_close(got[:, :5], _moments.statistics(sums, 500)[:, :5] * scale.view(-1, 1))
    np.testing.assert_allclose(got[:, 5], stats.skew(values.numpy(), axis=1))


@pytest.mark.parametrize("value", [0.0, 3.0, -1e-3])
def test_equal_numbers_have_no_shape(value: float) -> None:
    got = _moments.statistics(_moments.power_sums(torch.full((1, 333), value)), 333)
    assert bool(got[:, 5:].isnan().all())
    np.testing.assert_allclose(got[0, :5], seven_sizes(np.full(333, np.float32(value))), rtol=1e-6)


def seven_sizes(values: np.ndarray) -> list[float]:
    sizes = np.abs(values.astype(np.float64))
    return [sizes.sum(), np.sqrt((sizes**2).sum()), sizes.min(), sizes.max(), values.mean()]


@pytest.mark.skipif(not _fused_sums.is_available(), reason="needs a C compiler")
def test_several_threads_give_the_same() -> None:
    values, before = skewed(7, 30_000).float(), torch.get_num_threads()
    alone = _fused_sums.fused_power_sums(values)
    torch.set_num_threads(3)
    try:
        assert torch.equal(_fused_sums.fused_power_sums(values), alone)
    finally:
        torch.set_num_threads(before)


def test_without_a_compiler_the_kernel_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fused_library.shutil, "which", lambda _: None)
    _fused_library.library.cache_clear()
    try:
        assert not _fused_sums.is_available()
        with pytest.raises(RuntimeError, match="C compiler"):
            _fused_sums.fused_power_sums(torch.zeros(1, 1))
    finally:
        _fused_library.library.cache_clear()
