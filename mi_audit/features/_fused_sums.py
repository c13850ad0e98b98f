"""What runs over much memory in one pass, by small C kernels, where the machine has a compiler.

The results are those of the eager kernels up to round-off: sixteen float32 lanes over blocks, float64 across blocks.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from mi_audit.features import _fused_library
from mi_audit.features._moments import Kernels, eager_channel_sums, eager_row_products

# What the kernel of convolutions takes at a time, and the most positions that are added up in float32 in one go.
_LANES, _ROWS, _MOST_POSITIONS = 16, 8, 4096


def fused_power_sums(values: torch.Tensor) -> torch.Tensor:
    """The sums of `moments.power_sums` for contiguous float32 or float64 rows on the CPU, (n, 7) float64.

    Raises:
        RuntimeError: `is_available` is false.
    """
    library = _fused_library.library()
    if library is None:
        raise RuntimeError("expected a C compiler for the fused kernel, found none that works")
    kernel = library.power_sums_f64 if values.dtype == torch.float64 else library.power_sums_f32
    sums = torch.empty((len(values), 7), dtype=torch.float64)

    def of_rows(start: int, stop: int) -> None:
        source, to = values[start:stop], sums[start:stop]
        kernel(source.data_ptr(), stop - start, values.shape[1], to.data_ptr())

    _in_threads(of_rows, len(values), torch.get_num_threads() if values.numel() > 1 << 16 else 1)
    return sums


def fused_channel_sums(d: torch.Tensor, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over positions of d and of d * a in one pass; what the kernel is not made for goes the eager way."""
    library, is_plain = _fused_library.library(), d.dtype == a.dtype == torch.float32 and d.ndim > 2
    if library is None or not is_plain or not (d.is_contiguous() and a.is_contiguous()):
        return eager_channel_sums(d, a)
    n_rows = d.shape[0] * d.shape[1]
    of_d, of_da = d.new_empty(d.shape[:2]), d.new_empty(d.shape[:2])
    n_positions = d.numel() // n_rows
    library.channel_sums_f32(d.data_ptr(), a.data_ptr(), n_rows, n_positions, of_d.data_ptr(), of_da.data_ptr())
    return of_d, of_da


def fused_row_products(gradients: torch.Tensor, weights: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """See `Kernels`, in one pass; what the kernel is not made for goes the eager way."""
    library = _fused_library.library()
    if library is None or not gradients.dtype == weights.dtype == factors.dtype == torch.float32:
        return eager_row_products(gradients, weights, factors)
    weights, products = weights.contiguous(), gradients.new_empty(gradients.shape[:2])
    pointers = (weights.data_ptr(), factors.data_ptr(), products.data_ptr())
    library.row_products_f32(gradients.data_ptr(), *gradients.shape, *pointers)
    return products


def fused_convolution_weight(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor | None:
    """(n, out, in, height, width), laid out channels last; ``None`` where the kernel is not made for it.

    It is made for float32, channels last, whose numbers fill vectors.

    Args:
        module: the layer.
        a: (n, in, height, width), what it was given.
        d: (n, out, height, width), the gradient of what it gave.
    """
    library = _fused_library.library()
    if library is None or not library.has_wide_lanes() or not _suits_convolution(module, a, d):
        return None
    a, d = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (a, d))
    (n, c_in, height, width), (c_out, *of_map), (pad_y, pad_x) = a.shape, d.shape[1:], map(int, module.padding)
    found = d.new_empty((n, c_out, *module.kernel_size, c_in))
    of_layer = (*module.kernel_size, *module.stride, pad_y, pad_x)
    shape = np.array((height, width, c_in, *of_map, c_out, *of_layer), dtype=np.int64)
    n_padded = (height + 2 * pad_y) * (width + 2 * pad_x) * c_in

    def of_rows(start: int, stop: int) -> None:
        padded = np.empty(n_padded, dtype=np.float32)
        pointers = (shape.ctypes.data, padded.ctypes.data, found[start:].data_ptr())
        kernel(a[start:].data_ptr(), d[start:].data_ptr(), stop - start, *pointers)

    kernel = library.convolution_f32
    _in_threads(of_rows, n, torch.get_num_threads())
    return found.permute(0, 1, 4, 2, 3)


def _suits_convolution(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> bool:
    is_last = any(each.is_contiguous(memory_format=torch.channels_last) for each in (a, d))
    is_product = max(*module.kernel_size, *module.stride) == 1
    is_plain = module.groups == 1 and max(module.dilation) == 1 and not is_product
    fills = module.in_channels % _LANES == 0 and module.out_channels % _ROWS == 0
    is_plain &= d.shape[2] * d.shape[3] <= _MOST_POSITIONS
    return is_last and is_plain and fills and a.dtype == d.dtype == torch.float32 and a.device.type == "cpu"


def _in_threads(of_rows: Callable[[int, int], None], n: int, n_parts: int) -> None:
    """Some rows for each thread."""
    n_parts = min(n_parts, n)
    if n_parts <= 1:
        of_rows(0, n)
        return
    edges = [n * part // n_parts for part in range(n_parts + 1)]
    list(_threads().map(of_rows, edges[:-1], edges[1:]))


def has_convolution() -> bool:
    """Whether the kernel of convolutions is there; it wants a CPU with registers for it."""
    library = _fused_library.library()
    return library is not None and bool(library.has_wide_lanes())


def is_available() -> bool:
    """Whether the kernel is there; the first call compiles it (about a second)."""
    return _fused_library.library() is not None


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=torch.get_num_threads())


FUSED = Kernels(fused_power_sums, fused_channel_sums, fused_row_products, fused_convolution_weight)
