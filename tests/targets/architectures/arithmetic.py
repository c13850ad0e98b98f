"""Networks with weights that tell layers apart, and the arithmetic of their layers without any of their code."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from mi_audit.targets._build import build, find

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def network(name: str, n_classes: int = 10) -> nn.Module:
    """With statistics and factors of batch normalisation that are not those of a fresh network."""
    module = build(find(name)[0], n_classes, (32, 32, 3), seed=0).eval()
    generator = torch.Generator().manual_seed(2)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                tensor.data = torch.rand(tensor.shape, generator=generator) / 2 + 0.5
    return module


def assert_twins(module: nn.Module, twin: nn.Module) -> None:
    """The same logits, once the twin has the module's tensors, in the order in which both have them."""
    ours, theirs = module.state_dict(), twin.state_dict()
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in theirs.values()]
    twin.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))
    with torch.no_grad():
        logits = module(IMAGES)
        torch.testing.assert_close(logits, twin.eval()(IMAGES), rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
        assert logits.std() > 0


def norm(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    mean, variance, factor, offset = (
        weights[f"{name}.{key}"].reshape(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (hidden - mean) / (variance + 1e-5).sqrt() * factor + offset


def conv(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str, stride: int = 1) -> torch.Tensor:
    weight = weights[f"{name}.weight"]
    groups = hidden.shape[1] // weight.shape[1]
    padding = weight.shape[-1] // 2
    return functional.conv2d(hidden, weight, weights.get(f"{name}.bias"), stride, padding, groups=groups)


def full(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return hidden.mean((2, 3)) @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def assert_logits(name: str, arithmetic: Callable[..., torch.Tensor]) -> None:
    module = network(name)
    with torch.no_grad():
        logits = module(IMAGES)
        expected = arithmetic(IMAGES, module.state_dict())
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
