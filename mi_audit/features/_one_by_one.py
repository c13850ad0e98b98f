"""The plain way: one sample at a time, the whole gradient in memory. What the engine is checked against."""

import torch
from torch.func import functional_call

from mi_audit.features import _moments
from mi_audit.features._sample_gradients import GradientSums
from mi_audit.features._unit_cotangent import unit_cotangent
from mi_audit.target_model import TargetModel, two_classes


def sample_gradients(
    target: TargetModel, names: tuple[str, ...], pixels: torch.Tensor, label: torch.Tensor
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Unit-size gradients of one sample with respect to the named parameters and to its pixels, and their scale.

    Args:
        target: the target.
        names: of parameters.
        pixels: (1, channels, height, width) in [0, 1].
        label: (1,).

    Returns:
        {name: shape of the parameter}, (channels, height, width), and the scale (1,) float64.
    """
    found = dict(target.module.named_parameters())
    leaves = {name: found[name].detach().clone().requires_grad_() for name in names}
    pixels = pixels.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = functional_call(target.module, leaves, (target.prepare(pixels),))
        logits = two_classes(outputs, pixels.dtype)
        unit, scale = unit_cotangent(logits, label)
        inputs = [pixels, *leaves.values()]
        given = (
            torch.autograd.grad(logits, inputs, unit, allow_unused=True)
            if logits.requires_grad
            else [None] * len(inputs)
        )
    of_pixels, *of_leaves = (torch.zeros_like(i) if g is None else g for i, g in zip(inputs, given, strict=True))
    return dict(zip(leaves, of_leaves, strict=True)), of_pixels[0], scale


def gradient_sums(
    target: TargetModel, names: tuple[str, ...], pixels: torch.Tensor, label: torch.Tensor
) -> GradientSums:
    """The same as the engine, sample by sample.

    Args:
        target: the target.
        names: of the parameters that count.
        pixels: (n, channels, height, width) in [0, 1].
        label: (n,).
    """
    parameters, image, scales = [], [], []
    squares: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for row in range(len(pixels)):
        of_parameters, of_pixels, scale = sample_gradients(target, names, pixels[row : row + 1], label[row : row + 1])
        image.append(_moments.power_sums(of_pixels.reshape(1, -1)))
        flat = {name: gradient.reshape(1, -1) for name, gradient in of_parameters.items()}
        parts = {name: _moments.power_sums(gradient) for name, gradient in flat.items()}
        parameters.append(_moments.combined(torch.stack(list(parts.values()))))
        for name, sums in parts.items():
            squares[name].append(sums[:, 2])
        scales.append(scale)
    joined = {name: torch.cat(each) for name, each in squares.items()}
    return GradientSums(torch.cat(parameters), torch.cat(image), torch.cat(scales), joined)
