"""C kernels for what runs over much memory, compiled when first asked for, where the machine has a compiler."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

_SOURCE = r"""
#include <math.h>
#include <stdint.h>
#include <string.h>
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
#define TILE(NAME, KX)                                                                                        \
static void NAME(const float *a, const float *d, int64_t step_y, int64_t step_x, int64_t height, \
                 int64_t width, int64_t c_in, int64_t c_out, float *out, int64_t of_out) {                    \
    lanes s[8][KX] = {{{0}}};                                                                                 \
    for (int64_t y = 0; y < height; y++, a += step_y) {                                                       \
        const float *v = a;                                                                                   \
        for (int64_t x = 0; x < width; x++, v += step_x, d += c_out) {                                        \
            lanes w[KX];                                                                                      \
            for (int k = 0; k < KX; k++) w[k] = *(const lanes *)(v + k * c_in);                               \
            for (int c = 0; c < 8; c++)                                                                       \
                for (int k = 0; k < KX; k++) s[c][k] += d[c] * w[k];                                          \
        }                                                                                                     \
    }                                                                                                         \
    for (int c = 0; c < 8; c++)                                                                               \
        for (int k = 0; k < KX; k++) *(lanes *)(out + c * of_out + k * c_in) = s[c][k];                       \
}
TILE(tile_of_3, 3)
TILE(tile_of_1, 1)
/* shape: height, width, c_in of a; height, width, c_out of d; kernel y, x; stride y, x; padding y, x. */
void convolution_f32(const float *a, const float *d, int64_t n, const int64_t *shape, float *padded, float *out) {
    int64_t h = shape[0], w = shape[1], ci = shape[2], oh = shape[3], ow = shape[4], co = shape[5];
    int64_t kh = shape[6], kw = shape[7], sy = shape[8], sx = shape[9], py = shape[10], px = shape[11];
    int64_t row = (w + 2 * px) * ci, of_out = kh * kw * ci;
    memset(padded, 0, sizeof(float) * row * (h + 2 * py));
    for (; n > 0; n--, a += h * w * ci, d += oh * ow * co, out += co * of_out) {
        for (int64_t y = 0; y < h; y++)
            memcpy(padded + (y + py) * row + px * ci, a + y * w * ci, sizeof(float) * w * ci);
        for (int64_t c = 0; c < co; c += 8)
            for (int64_t ky = 0; ky < kh; ky++)
                for (int64_t i = 0; i < ci; i += LANES)
                    for (int64_t kx = 0; kx < kw; kx += kw % 3 ? 1 : 3)
                        (kw % 3 ? tile_of_1 : tile_of_3)(
                            padded + ky * row + kx * ci + i, d + c, sy * row, sx * ci, oh, ow, ci, co,
                            out + c * of_out + (ky * kw + kx) * ci + i, of_out);
    }
}
int has_wide_lanes(void) {
#ifdef __AVX512F__
    return 1;
#else
    return 0;
#endif
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


@functools.cache
def library() -> ctypes.CDLL | None:
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


def _typed(built: ctypes.CDLL) -> ctypes.CDLL:
    for kernel in (built.power_sums_f32, built.power_sums_f64):
        kernel.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        kernel.restype = None
    built.channel_sums_f32.argtypes = (*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * 2)
    built.channel_sums_f32.restype = None
    built.row_products_f32.argtypes = (ctypes.c_void_p, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 3)
    built.row_products_f32.restype = None
    built.convolution_f32.argtypes = (*[ctypes.c_void_p] * 2, ctypes.c_int64, *[ctypes.c_void_p] * 3)
    built.convolution_f32.restype = None
    built.has_wide_lanes.argtypes, built.has_wide_lanes.restype = (), ctypes.c_int
    return built
