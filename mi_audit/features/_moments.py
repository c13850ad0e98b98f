"""Seven statistics of many numbers, from power sums that add up over parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

STATISTICS = ("l1", "l2", "min-abs", "max-abs", "mean", "skewness", "kurtosis")
_S1, _ABS, _S2, _S3, _S4, _MAX, _MIN = range(7)
# What a sum is multiplied with where all numbers are doubled, as a power of 2.
_DEGREES = (1, 1, 2, 3, 4, 1, 1)
_TINY, _HUGE = 1e-7, 1e7
_BLOCK = 1 << 17
# A constant leaves nothing but round-off of the mean's square in the second moment.
_CONSTANT = 1e-13

Reduce = Callable[[torch.Tensor], torch.Tensor]
ConvolutionWeight = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor | None]
RowProducts = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
ChannelSums = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Kernels:
    """What runs over much memory, in one of two ways with equal results.

    Attributes:
        power_sums: (n, k) contiguous float32 or float64 -> (n, 7) float64, see `power_sums`.
        channel_sums: d and a, (n, channels, ...) each -> sums over positions of d and of d * a.
        row_products: gradients (n, rows, k), contiguous, each row to be multiplied in place with its factor (rows,);
            weights (rows, k) -> (n, rows) products of each row as it was with that of the weights.
        convolution_weight: the rule of that name in `_layer_gradients`, ``None`` where it has nothing quicker.
    """

    power_sums: Reduce
    channel_sums: ChannelSums
    row_products: RowProducts
    convolution_weight: ConvolutionWeight | None = None


def power_sums(values: torch.Tensor, reduce: Reduce | None = None) -> torch.Tensor:
    """Power sums of each row of (n, k) values: (n, 7) float64 with sums of g, |g|, g^2, g^3, g^4, then max and min |g|.

    Rows whose raw sums in float32 would not be good enough are summed again: with a mean larger than the spread in
    float64, with powers that leave the range after an exact scaling. Not on a GPU, where asking costs a wait.

    Args:
        values: (n, k) floating point.
        reduce: the kernel for contiguous float32 or float64 rows; eager PyTorch when ``None``.
    """
    values = values.contiguous()
    reduce = reduce or eager_power_sums
    sums = reduce(values)
    if values.dtype == torch.float64 or values.device.type != "cpu":
        return sums
    largest = sums[:, _MAX]
    is_far = (largest > 0) & ((largest < _TINY) | (largest > _HUGE)) & largest.isfinite()
    for row in _rows(is_far, values):
        exponent = largest[row].log2().floor().unsqueeze(1)
        scaled = values[row] * torch.exp2(-exponent).clamp(max=2.0**126).float()
        exponent = exponent.clamp(min=-126.0)
        sums[row] = reduce(scaled) * torch.exp2(exponent * torch.tensor(_DEGREES, dtype=torch.float64))
    is_heavy = 2 * (sums[:, _S1] / values.shape[1]).square() > sums[:, _S2] / values.shape[1]
    for row in _rows(is_heavy, values):
        sums[row] = reduce(values[row].double())
    return sums


def _rows(chosen: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Positions of the chosen rows, some at a time."""
    if not bool(chosen.any()):
        return ()
    return torch.split(chosen.nonzero().squeeze(1), max(1, _BLOCK // values.shape[1]))


def eager_power_sums(values: torch.Tensor) -> torch.Tensor:
    """The sums of `power_sums` by PyTorch's own kernels, in blocks that stay in the cache of a CPU."""
    if values.device.type != "cpu" or values.numel() <= _BLOCK:
        return _sums_of_block(values)
    k = values.shape[1]
    if k > _BLOCK:
        parts = [eager_power_sums(part) for part in torch.split(values, _BLOCK, dim=1)]
        return combined(torch.stack(parts))
    return torch.cat([_sums_of_block(rows) for rows in torch.split(values, max(1, _BLOCK // k))])


def _sums_of_block(values: torch.Tensor) -> torch.Tensor:
    """Two buffers, each power made from the last. `sum` adds pairwise; products of vectors (`bmm`) would not."""
    sizes = values.abs()
    minimum, maximum = sizes.amin(1), sizes.amax(1)  # `aminmax` is ten times slower than both
    first, absolute = values.sum(1), sizes.sum(1)
    squares = sizes.mul_(sizes)
    second, cubes = squares.sum(1), squares * values
    third, fourth = cubes.sum(1), squares.mul_(squares).sum(1)
    return torch.stack((first, absolute, second, third, fourth, maximum, minimum), dim=1).double()


def eager_channel_sums(d: torch.Tensor, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over positions of d and of d * a, (n, channels) each, from (n, channels, ...)."""
    if d.ndim == 2:
        return d, d * a
    return d.flatten(2).sum(2), (d * a).flatten(2).sum(2)


def eager_row_products(gradients: torch.Tensor, weights: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """See `Kernels`; for so many samples at a time that both steps find them in the cache of a CPU."""
    products = []
    for some in torch.split(gradients, max(1, _BLOCK // weights.numel())):
        products.append((some * weights).sum(2))
        some.mul_(factors[:, None])
    return torch.cat(products)


def combined(sums: torch.Tensor) -> torch.Tensor:
    """Power sums (n, 7) of parts together, from (parts, n, 7)."""
    added = sums[..., :_MAX].sum(0)
    return torch.cat([added, sums[..., _MAX:_MIN].amax(0), sums[..., _MIN:].amin(0)], dim=1)


def rank_one(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Power sums of the outer products of rows of (n, i) and (n, j): each factors into those of the two vectors."""
    return eager_power_sums(left.double()) * eager_power_sums(right.double())


def statistics(sums: torch.Tensor, count: int, scale: torch.Tensor | float = 1.0) -> torch.Tensor:
    """The statistics of `STATISTICS`, (n, 7) float64, from power sums (n, 7) of `count` numbers times `scale`.

    Skewness and kurtosis are those of scipy with biased moments: m3 / m2^1.5 and m4 / m2^2 - 3, NaN where all numbers
    are equal.
    """
    mean, e2, e3, e4 = (sums[:, column] / count for column in (_S1, _S2, _S3, _S4))
    m2 = e2 - mean**2
    m3 = e3 - 3 * mean * e2 + 2 * mean**3
    m4 = e4 - 4 * mean * e3 + 6 * mean**2 * e2 - 3 * mean**4
    m2 = torch.where(m2 > _CONSTANT * e2, m2, torch.nan)
    sized = torch.stack((sums[:, _ABS], sums[:, _S2].sqrt(), sums[:, _MIN], sums[:, _MAX], mean), dim=1)
    scale = torch.as_tensor(scale, dtype=sums.dtype, device=sums.device).reshape(-1, 1)
    shape = torch.stack((m3 / m2**1.5, m4 / m2**2 - 3), dim=1)
    return torch.cat((sized * scale, shape), dim=1)


EAGER = Kernels(eager_power_sums, eager_channel_sums, eager_row_products)
