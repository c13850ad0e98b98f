"""Work on the device, batch by batch: the batch size that fits, and what happens when memory runs out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.target_model import TargetModel

BATCH_BYTES = 256 << 20
GRAPH_BYTES = 512 << 20
MAX_BATCH = 1024
Blocks = Mapping[str, npt.NDArray[np.generic]]
Read = Callable[[int, int], npt.NDArray[np.uint8] | torch.Tensor]
Work = Callable[[torch.Tensor, int], Blocks]


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

    In a pass without gradients only the inputs and outputs of the layer at work are alive, so four times the largest
    activation of one sample is what a sample costs.
    """
    return _power_of_two(BATCH_BYTES, 4 * max(_activation_bytes(target, shape, leaves_only=False), default=0))


def automatic_graph_batch_size(target: TargetModel, shape: tuple[int, int, int]) -> int:
    """The same for a pass forward and backward."""
    return _power_of_two(GRAPH_BYTES, graph_bytes(target, shape))


def graph_bytes(target: TargetModel, shape: tuple[int, int, int]) -> int:
    """Roughly what a pass forward and backward of one sample needs: what every layer gave, and gradients near by."""
    return 3 * sum(_activation_bytes(target, shape, leaves_only=True)) // 2


def blocks(
    work: Work,
    read: Read,
    device: torch.device,
    start: int,
    stop: int,
    batch_size: int,
    on_smaller_batch: Callable[[int], None],
) -> Iterator[dict[str, npt.NDArray[np.generic]]]:
    """What `work` makes of the samples from `start` to `stop`, a block of rows for every batch, in order.

    The next batch is read while the device works on this one. When memory runs out the batch is halved,
    `on_smaller_batch` is told, and the same samples are tried again.

    Args:
        work: gives {kind of rows: (n, n_columns)} of n images on the device, and is told the position of the first.
        read: gives the images of a range of samples, (n, height, width, channels) uint8, in memory or on the device.
        device: where it works.
        start: first sample.
        stop: one past the last.
        batch_size: to begin with.
        on_smaller_batch: called with every new batch size.
    """
    batch_size = max(1, min(batch_size, stop - start))
    with ThreadPoolExecutor(max_workers=1) as reader, torch.no_grad(), _exact_kernels():
        ahead = reader.submit(read, start, min(start + batch_size, stop))
        while start < stop:
            images = torch.as_tensor(ahead.result())
            after = start + len(images)
            if after < stop:
                ahead = reader.submit(read, after, min(after + batch_size, stop))
            made, batch_size = _with_room(work, images, start, device, batch_size, on_smaller_batch)
            yield made
            start = after


def forward(
    target: TargetModel, read: Read, start: int, stop: int, batch_size: int, on_smaller_batch: Callable[[int], None]
) -> Iterator[npt.NDArray[np.float32]]:
    """Logits of the samples from `start` to `stop`, (n, n_classes) float32, batch by batch as `blocks` does it."""
    device = device_of(target.module)

    def work(images: torch.Tensor, _first: int) -> Blocks:
        return {"outputs": target(images).cpu().numpy()}

    for made in blocks(work, read, device, start, stop, batch_size, on_smaller_batch):
        yield made["outputs"].astype(np.float32, copy=False)


def _with_room(
    work: Work,
    images: torch.Tensor,
    first: int,
    device: torch.device,
    batch_size: int,
    told: Callable[[int], None],
) -> tuple[dict[str, npt.NDArray[np.generic]], int]:
    """Work on `images`, in parts of at most `batch_size`, which is halved as often as memory asks for it."""
    while True:
        try:
            parts: list[Blocks] = []
            for part in torch.split(images, batch_size):
                parts.append(work(part.to(device, non_blocking=True), first + len(parts) * batch_size))
            return {name: np.concatenate([made[name] for made in parts]) for name in parts[0]}, batch_size
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


def _activation_bytes(target: TargetModel, shape: tuple[int, int, int], *, leaves_only: bool) -> list[int]:
    """Bytes of what every module gives for one sample, or only of those that have no modules inside."""
    seen: list[int] = []

    def look(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            seen.append(output.numel() * output.element_size())

    modules = target.module.modules()
    hooks = [module.register_forward_hook(look) for module in modules if not (leaves_only and any(module.children()))]
    try:
        with torch.no_grad():
            target(torch.zeros((1, *shape), dtype=torch.uint8, device=device_of(target.module)))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _power_of_two(room: int, n_bytes: int) -> int:
    """The largest one for which so many bytes each find room, from 1 to `MAX_BATCH`."""
    fitting = max(1, room // max(1, n_bytes))
    return int(min(MAX_BATCH, 2 ** (fitting.bit_length() - 1)))


def device_of(module: nn.Module) -> torch.device:
    """Where the weights are; the CPU for a network without any."""
    tensors = (tensor for group in (module.parameters(), module.buffers()) for tensor in group)
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


def _exact_kernels() -> contextlib.AbstractContextManager[object]:
    """Full float32 on the GPU and no choice of kernel by stopwatch, so that equal runs give equal bytes."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
