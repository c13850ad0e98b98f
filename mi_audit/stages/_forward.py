"""The target's outputs, batch by batch: the batch size that fits, the device, and what happens when memory runs out."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.target_model import TargetModel

BATCH_BYTES = 256 << 20
MAX_BATCH = 1024
Read = Callable[[int, int], npt.NDArray[np.uint8] | torch.Tensor]


def resolve_device(name: str) -> torch.device:
    """The device that ``--device`` names; ``auto`` is the first GPU, or the CPU where there is none.

    Raises:
        UsageError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"expected --device auto, cpu, cuda or cuda:N, got {name!r}", tip="leave --device out")
    n_gpus = torch.cuda.device_count()
    if kind == "cuda" and int(index or 0) >= n_gpus:
        raise UsageError(f"device {name!r} is not there: {n_gpus} GPUs found", tip="use --device auto or --device cpu")
    return torch.device(name)


def automatic_batch_size(target: TargetModel, shape: tuple[int, int, int]) -> int:
    """A power of two that depends on the model and the size of its input only, so that it is the same on every machine.

    In inference mode only the inputs and outputs of the layer at work are alive, so four times the largest activation
    of one sample is what a sample costs.
    """
    largest = 0

    def look(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal largest
        if isinstance(output, torch.Tensor):
            largest = max(largest, output.numel() * output.element_size())

    hooks = [module.register_forward_hook(look) for module in target.module.modules()]
    try:
        with torch.inference_mode():
            target(torch.zeros((1, *shape), dtype=torch.uint8, device=device_of(target.module)))
    finally:
        for hook in hooks:
            hook.remove()
    fitting = max(1, BATCH_BYTES // max(1, 4 * largest))
    return int(min(MAX_BATCH, 2 ** (fitting.bit_length() - 1)))


def forward(
    target: TargetModel, read: Read, start: int, stop: int, batch_size: int, on_smaller_batch: Callable[[int], None]
) -> Iterator[npt.NDArray[np.float32]]:
    """Logits of the samples from `start` to `stop` in blocks of (n, n_classes) float32, in order.

    The next batch is read while the device works on this one. When memory runs out the batch is halved,
    `on_smaller_batch` is told, and the same samples are tried again.

    Args:
        target: in eval mode, on its device.
        read: gives the images of a range of samples, (n, height, width, channels) uint8, in memory or on the device.
        start: first sample.
        stop: one past the last.
        batch_size: to begin with.
        on_smaller_batch: called with every new batch size.
    """
    device, batch_size = device_of(target.module), max(1, min(batch_size, stop - start))
    with ThreadPoolExecutor(max_workers=1) as reader, torch.inference_mode(), _exact_kernels():
        ahead = reader.submit(read, start, min(start + batch_size, stop))
        while start < stop:
            images = torch.as_tensor(ahead.result())
            after = start + len(images)
            if after < stop:
                ahead = reader.submit(read, after, min(after + batch_size, stop))
            logits, batch_size = _with_room(target, images, device, batch_size, on_smaller_batch)
            yield logits
            start = after


def _with_room(
    target: TargetModel, images: torch.Tensor, device: torch.device, batch_size: int, told: Callable[[int], None]
) -> tuple[npt.NDArray[np.float32], int]:
    """Logits of `images`, in parts of at most `batch_size`, which is halved as often as memory asks for it."""
    while True:
        try:
            parts = [target(part.to(device, non_blocking=True)).cpu() for part in torch.split(images, batch_size)]
            return torch.cat(parts).numpy(), batch_size
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error) or batch_size == 1:
                raise
        batch_size = max(1, batch_size // 2)
        told(batch_size)
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _is_out_of_memory(error: BaseException) -> bool:
    is_allocator = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or is_allocator


def device_of(module: nn.Module) -> torch.device:
    """Where the weights are; the CPU for a network without any."""
    tensors = (tensor for group in (module.parameters(), module.buffers()) for tensor in group)
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


def _exact_kernels() -> contextlib.AbstractContextManager[object]:
    """Full float32 on the GPU and no choice of kernel by stopwatch, so that equal runs give equal bytes."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
