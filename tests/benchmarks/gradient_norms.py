"""What the gradient statistics of a batch cost, against one batched forward and backward pass of the same batch.

python tests/benchmarks/gradient_norms.py [NETWORK ...]

Interleaved rounds in one process, CPU time, one thread. F+B gives gradients of the batch's summed loss with respect to
parameters and images, in the quicker of the two memory layouts. Goals: at most 1.7 eager, 1.4 fused. Memory is the peak
above what was resident before, of one run of each way (Linux): F+B in MB, the others against it. Goal: at most 1.2.
"""

import contextlib
import copy
import ctypes
import gc
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit.features import _fused_sums, _moments, _one_by_one
from mi_audit.features.gradient_norm import GradientNorm
from mi_audit.target_model import Batch, Preprocessing, TargetModel
from mi_audit.targets.architectures import cifar_resnet

GOALS = {"eager": 1.7, "fused": 1.4}
MEMORY_GOAL = 1.2
WAYS = ("eager", "fused", "loop", "vmap(grad)")
N_ROUNDS = 5


class DenseBlock(nn.Module):
    """A bottleneck layer of DenseNet-BC-100-12, whose output is joined to its input."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(n_in), nn.Conv2d(n_in, 48, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(48), nn.Conv2d(48, 12, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.conv2(self.norm2(self.conv1(self.norm1(x).relu())).relu())], 1)


def densenet() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 24, 3, padding=1, bias=False)]
    width = 24
    for block in range(3):
        for _ in range(16):
            layers.append(DenseBlock(width))
            width += 12
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        if block < 2:
            layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 100))


def vit_tiny() -> nn.Module:
    import timm

    return timm.create_model("vit_tiny_patch16_224", num_classes=100)


def resnet(depth: int) -> nn.Module:
    return cifar_resnet.build(100, (32, 32, 3), depth=depth, option_a=False)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "resnet20": (lambda: resnet(20), 32, 32),
    "resnet56": (lambda: resnet(56), 32, 16),
    "densenet-bc-100-12": (densenet, 32, 16),
    "mobilenetv2": (lambda: torchvision.models.mobilenet_v2(num_classes=100), 224, 4),
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=100), 224, 4),
    "vit-tiny": (vit_tiny, 224, 4),
}


def batched(module: nn.Module, target: TargetModel, batch: Batch, layout: torch.memory_format) -> Callable[[], None]:
    """F+B."""
    module = module.to(memory_format=layout)

    def run() -> None:
        pixels = (batch.images.permute(0, 3, 1, 2).float() / 255).to(memory_format=layout).requires_grad_()
        module.zero_grad()
        F.cross_entropy(module(target.prepare(pixels)), batch.label, reduction="sum").backward()

    return run


def vectorised(target: TargetModel, batch: Batch) -> Callable[[], None]:
    """`vmap(grad)` of the whole network, and eager statistics of the flattened gradients."""
    parameters = {name: each.detach() for name, each in target.module.named_parameters()}

    def loss(values: dict[str, torch.Tensor], pixels: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        logits = functional_call(target.module, values, (target.prepare(pixels[None]),))
        return F.cross_entropy(logits, label[None])

    def run() -> None:
        pixels = batch.images.permute(0, 3, 1, 2).float() / 255
        each, of_pixels = vmap(grad(loss, argnums=(0, 1)), in_dims=(None, 0, 0))(parameters, pixels, batch.label)
        _moments.eager_power_sums(torch.cat([value.flatten(1) for value in each.values()], 1))
        _moments.eager_power_sums(of_pixels.flatten(1))

    return run


def calibrated(module: nn.Module, size: int, n: int) -> nn.Module:
    """With normalisation statistics of noise, so that gradients are of a usual size."""
    with torch.no_grad():
        for _ in range(10):
            module.train()(torch.randn(n, 3, size, size))
    return module.eval()


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def peak_megabytes(run: Callable[[], object]) -> float:
    """How far resident memory rises above where it was; NaN where the system does not tell."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before would be used again, and not be seen
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
    except (OSError, AttributeError):
        return float("nan")
    with contextlib.suppress(RuntimeError):
        run()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """A line of the kernel's account of this process, in KB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def measured(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Median CPU seconds, and peak memory in MB, of each way."""
    make, size, n = NETWORKS[name]
    torch.manual_seed(0)
    module = calibrated(make(), size, n)
    target = TargetModel(module, Preprocessing((0.5,) * 3, (0.25,) * 3), 100, name, "", "")
    images = torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8)
    batch = target.batch(images, torch.arange(n))
    names = tuple(key for key, _ in module.named_parameters())
    pixels = images.permute(0, 3, 1, 2).float() / 255
    ways: dict[str, Callable[[], object]] = {
        "F+B": batched(copy.deepcopy(module), target, batch, torch.contiguous_format),
        "F+B channels last": batched(copy.deepcopy(module), target, batch, torch.channels_last),
    }
    for kernel in ("eager", "fused") if _fused_sums.is_available() else ("eager",):
        bound = GradientNorm(kernel=kernel).bind(target, (size, size, 3))
        bound.compute(batch)
        ways[kernel] = lambda bound=bound: bound.compute(batch)
    ways["loop"] = lambda: _one_by_one.gradient_sums(target, names, pixels, batch.label)
    ways["vmap(grad)"] = vectorised(target, batch)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(N_ROUNDS):
        for way, run in ways.items():
            with contextlib.suppress(RuntimeError):  # vmap(grad) does not take every network
                times[way].append(seconds(run))
    memory = {way: peak_megabytes(run) for way, run in ways.items()}
    return {way: statistics.median(each) for way, each in times.items() if each}, memory


def main() -> int:
    """Print the table; 1 where a goal of the cost is missed."""
    torch.set_num_threads(1)
    is_met = True
    print(f"{'':<37}{'CPU time / F+B':>36}{'':>9}{'peak memory / F+B':>36}")
    heads = "".join(f"{way:>12}" for way in WAYS)
    print(f"{'network':<22}{'batch':>6}{'F+B ms':>9}{heads}{'F+B MB':>9}{heads}")
    for name in sys.argv[1:] or NETWORKS:
        medians, memory = measured(name)
        base = min(medians["F+B"], medians["F+B channels last"])
        ratios = {way: medians[way] / base for way in WAYS if way in medians}
        of_memory = {way: memory[way] / memory["F+B"] for way in WAYS if way in medians}
        is_met &= all(ratios[way] <= goal for way, goal in GOALS.items() if way in ratios)
        is_met &= not any(of_memory[way] > MEMORY_GOAL for way in GOALS if way in of_memory)  # NaN is no miss
        shown, of_peak = ("".join(f"{each.get(way, math.nan):>12.2f}" for way in WAYS) for each in (ratios, of_memory))
        print(f"{name:<22}{NETWORKS[name][2]:>6}{base * 1e3:>9.1f}{shown}{memory['F+B']:>9.0f}{of_peak}", flush=True)
    print(f"largest resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    goals = f"eager {GOALS['eager']}, fused {GOALS['fused']}, memory {MEMORY_GOAL}"
    print(f"goals ({goals}): {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
