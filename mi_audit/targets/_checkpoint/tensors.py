"""Which tensors of a checkpoint are weights that can be used: plain, whole, finite, and in float32."""

from collections.abc import Mapping
from pathlib import Path

import torch

from mi_audit.targets._checkpoint.refusals import RESAVE, plain, refusal

_KEPT = {torch.float32, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_CAST = {
    torch.float16, torch.bfloat16, torch.float64,
    torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz,
}  # fmt: skip


def usable(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The tensors with every floating-point one in float32, and a note where one had to be cast.

    Raises:
        CheckpointError: one is sparse, quantised, complex or on no device, is larger than its storage, or holds NaN or
            infinity. Together they hold more than the file.
    """
    # Without what the file may have put on a tensor as an attribute in place of a method.
    tensors = {name: torch.Tensor.detach(tensor) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        _check_plain(path, name, tensor)
    _check_total(path, tensors)
    weights = {name: _as_float32(tensor) for name, tensor in tensors.items()}
    for name, tensor in weights.items():
        _check_finite(path, name, tensor)
    cast = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values() if tensor.dtype in _CAST})
    return weights, (f"weights were saved as {', '.join(cast)} and are used as float32",) if cast else ()


def _check_plain(path: Path, name: str, tensor: torch.Tensor) -> None:
    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.dtype in _KEPT | _CAST
    if not is_plain:
        kind = f"{tensor.layout} {tensor.dtype} on {tensor.device.type}".replace("torch.", "")
        raise refusal(path, f"expected plain numbers in {plain(name)}, got {kind}", RESAVE)
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise refusal(path, f"{plain(name)} claims {tensor.numel()} numbers, more than are stored for it", RESAVE)


def _check_total(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors.values()}
    n_bytes = path.stat().st_size
    if sum(storages.values()) > n_bytes:
        raise refusal(path, f"its tensors claim {sum(storages.values())} bytes, the file has {n_bytes}", RESAVE)


def _as_float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float32) if tensor.dtype in _CAST else tensor


def _check_finite(path: Path, name: str, tensor: torch.Tensor) -> None:
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        n_bad = int((~torch.isfinite(tensor)).sum())
        what = f"{plain(name)} holds NaN or infinite numbers ({n_bad:,} of {tensor.numel():,})"
        raise refusal(path, what, "the training diverged or the file is damaged; use another checkpoint")
