"""Power sums in one pass over memory: a small C kernel, compiled when asked for, where the machine has a compiler.

The results are those of the eager kernels up to round-off: sixteen float32 lanes over blocks, float64 across blocks.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from mi_audit.features._moments import Kernels, eager_channel_sums, eager_row_products

_SOURCE = r"""
#include <math.h>
#include <stdint.h>
#define LANES 16
#define BLOCK 1024
#define KERNEL(NAME, T, ABS)                                                                       \
void NAME(const T *g, int64_t n, int64_t k, double *out) {                                         \
    for (int64_t row = 0; row < n; row++, g += k, out += 7) {                                      \
        double t1 = 0, ta = 0, t2 = 0, t3 = 0, t4 = 0;                                             \
        T mx[LANES], mn[LANES];                                                                    \
        for (int l = 0; l < LANES; l++) { mx[l] = 0; mn[l] = (T)INFINITY; }                        \
        int64_t i = 0;                                                                             \
        while (i + LANES <= k) {                                                                   \
            int64_t stop = i + BLOCK < k ? i + BLOCK : i + (k - i) / LANES * LANES;                \
            T s1[LANES] = {0}, sa[LANES] = {0}, s2[LANES] = {0}, s3[LANES] = {0}, s4[LANES] = {0}; \
            for (; i < stop; i += LANES)                                                           \
                for (int l = 0; l < LANES; l++) {                                                  \
                    T v = g[i + l], a = ABS(v), q = v * v;                                         \
                    s1[l] += v; sa[l] += a; s2[l] += q; s3[l] += q * v; s4[l] += q * q;            \
                    mx[l] = a > mx[l] ? a : mx[l]; mn[l] = a < mn[l] ? a : mn[l];                  \
                }                                                                                  \
            for (int l = 0; l < LANES; l++) {                                                      \
                t1 += s1[l]; ta += sa[l]; t2 += s2[l]; t3 += s3[l]; t4 += s4[l];                   \
            }                                                                                      \
        }                                                                                          \
        double largest = 0, least = INFINITY;                                                      \
        for (; i < k; i++) {                                                                       \
            double v = g[i], a = fabs(v), q = v * v;                                               \
            t1 += v; ta += a; t2 += q; t3 += q * v; t4 += q * q;                                   \
            largest = a > largest ? a : largest; least = a < least ? a : least;                    \
        }                                                                                          \
        for (int l = 0; l < LANES; l++) {                                                          \
            largest = mx[l] > largest ? mx[l] : largest; least = mn[l] < least ? mn[l] : least;    \
        }                                                                                          \
        out[0] = t1; out[1] = ta; out[2] = t2; out[3] = t3; out[4] = t4;                           \
        out[5] = largest; out[6] = least;                                                          \
    }                                                                                              \
}
typedef float lanes __attribute__((vector_size(64), aligned(4)));
void channel_sums_f32(const float *d, const float *a, int64_t n, int64_t k, float *of_d, float *of_da) {
    for (int64_t row = 0; row < n; row++, d += k, a += k) {
        double td = 0, ta = 0;
        int64_t i = 0;
        while (i + 2 * LANES <= k) {
            int64_t stop = i + BLOCK < k ? i + BLOCK : i + (k - i) / (2 * LANES) * (2 * LANES);
            lanes sd = {0}, sa = {0}, ud = {0}, ua = {0};
            for (; i < stop; i += 2 * LANES) {
                lanes v = *(const lanes *)(d + i), w = *(const lanes *)(d + i + LANES);
                sd += v; ud += w;
                sa += v * *(const lanes *)(a + i); ua += w * *(const lanes *)(a + i + LANES);
            }
            sd += ud; sa += ua;
            for (int l = 0; l < LANES; l++) { td += sd[l]; ta += sa[l]; }
        }
        for (; i < k; i++) { td += d[i]; ta += (double)d[i] * a[i]; }
        of_d[row] = (float)td; of_da[row] = (float)ta;
    }
}
void row_products_f32(float *g, int64_t n, int64_t rows, int64_t k, const float *w, const float *factor, float *out) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t row = 0; row < rows; row++, g += k) {
            const float *of_w = w + row * k, by = factor[row];
            lanes s = {0}, u = {0};
            int64_t j = 0;
            for (; j + 2 * LANES <= k; j += 2 * LANES) {
                lanes *v = (lanes *)(g + j), *x = (lanes *)(g + j + LANES);
                s += *v * *(const lanes *)(of_w + j); u += *x * *(const lanes *)(of_w + j + LANES);
                *v *= by; *x *= by;
            }
            s += u;
            double total = 0;
            for (int l = 0; l < LANES; l++) total += s[l];
            for (; j < k; j++) { total += (double)g[j] * of_w[j]; g[j] *= by; }
            *out++ = (float)total;
        }
}
KERNEL(power_sums_f32, float, fabsf)
KERNEL(power_sums_f64, double, fabs)
"""
_FLAGS = (
    "-O3",
    "-march=native",
    "-mprefer-vector-width=512",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
)
_TIMEOUT_S = 60


def fused_power_sums(values: torch.Tensor) -> torch.Tensor:
    """The sums of `moments.power_sums` for contiguous float32 or float64 rows on the CPU, (n, 7) float64.

    Raises:
        RuntimeError: `is_available` is false.
    """
    library = _library()
    if library is None:
        raise RuntimeError("expected a C compiler for the fused kernel, found none that works")
    kernel = library.power_sums_f64 if values.dtype == torch.float64 else library.power_sums_f32
    sums = torch.empty((len(values), 7), dtype=torch.float64)

    def of_rows(start: int, stop: int) -> None:
        source, to = values[start:stop], sums[start:stop]
        kernel(source.data_ptr(), stop - start, values.shape[1], to.data_ptr())

    n_parts = min(torch.get_num_threads(), len(values)) if values.numel() > 1 << 16 else 1
    if n_parts <= 1:
        of_rows(0, len(values))
        return sums
    edges = [len(values) * part // n_parts for part in range(n_parts + 1)]
    list(_threads().map(of_rows, edges[:-1], edges[1:]))
    return sums


def fused_channel_sums(d: torch.Tensor, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over positions of d and of d * a in one pass; what the kernel is not made for goes the eager way."""
    library, is_plain = _library(), d.dtype == a.dtype == torch.float32 and d.ndim > 2
    if library is None or not is_plain or not (d.is_contiguous() and a.is_contiguous()):
        return eager_channel_sums(d, a)
    n_rows = d.shape[0] * d.shape[1]
    of_d, of_da = d.new_empty(d.shape[:2]), d.new_empty(d.shape[:2])
    n_positions = d.numel() // n_rows
    library.channel_sums_f32(d.data_ptr(), a.data_ptr(), n_rows, n_positions, of_d.data_ptr(), of_da.data_ptr())
    return of_d, of_da


def fused_row_products(gradients: torch.Tensor, weights: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """See `Kernels`, in one pass; what the kernel is not made for goes the eager way."""
    library = _library()
    if library is None or not gradients.dtype == weights.dtype == factors.dtype == torch.float32:
        return eager_row_products(gradients, weights, factors)
    weights, products = weights.contiguous(), gradients.new_empty(gradients.shape[:2])
    pointers = (weights.data_ptr(), factors.data_ptr(), products.data_ptr())
    library.row_products_f32(gradients.data_ptr(), *gradients.shape, *pointers)
    return products


def is_available() -> bool:
    """Whether the kernel is there; the first call compiles it (about a second)."""
    return _library() is not None


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=torch.get_num_threads())


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The kernel, compiled into a private folder that is gone again when this returns; ``None`` where that fails."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="mi-audit-") as folder:
        source, built = Path(folder, "sums.c"), Path(folder, "sums.so")
        source.write_text(_SOURCE, encoding="ascii")
        for flags in (_FLAGS, ("-O3",)):  # not every compiler knows the machine it runs on
            command = [compiler, *flags, "-shared", "-fPIC", "-o", str(built), str(source), "-lm"]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)  # noqa: S603 - no user input
                return _typed(ctypes.CDLL(str(built)))
            except (OSError, subprocess.SubprocessError, AttributeError):
                continue
    return None


def _typed(library: ctypes.CDLL) -> ctypes.CDLL:
    for kernel in (library.power_sums_f32, library.power_sums_f64):
        kernel.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        kernel.restype = None
    library.channel_sums_f32.argtypes = (*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 2)
    library.channel_sums_f32.restype = None
    library.row_products_f32.argtypes = (ctypes.c_void_p, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 3)
    library.row_products_f32.restype = None
    return library


FUSED = Kernels(fused_power_sums, fused_channel_sums, fused_row_products)
