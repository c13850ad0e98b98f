"""Per-sample parameter gradients of one layer from its input a and the gradient d of its output, batch by batch.

Each function takes rows of a and d and gives (n, *shape of the parameter). *Vectors* (biases, normalisations) are
few numbers and cost one pass over the activations; a *matrix* may be large, so that the caller asks for a few rows at
a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit.features._moments import ChannelSums

Tensors = dict[str, torch.Tensor]
Vectors = Callable[[Any, torch.Tensor, torch.Tensor, ChannelSums], Tensors]
# Measured on one thread of an AVX-512 CPU: below so many positions the product over unfolded windows is the quickest,
# above so many the convolution of one sample at a time is as quick as any, where there is enough work in it.
_UNFOLD_POSITIONS, _LOOP_POSITIONS, _LOOP_WORK = 200, 2000, 4096
_WINDOW_BYTES = 1 << 20
_VECTOR = 16


@dataclass(frozen=True)
class Rule:
    """How one kind of layer gets its gradients.

    Attributes:
        vectors: (module, a, d, sums over positions) -> {parameter: (n, ...)}, for the parameters it is quick for.
        matrix: (module, a, d) -> (n, *shape) of the parameter ``weight``, laid out as is quickest.
        is_linear: whether the matrix is the outer product of d and a where both are (n, features).
        before_activation: d is the gradient of what enters the module's own activation ``act``, not of its output.
    """

    vectors: Vectors | None = None
    matrix: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    is_linear: bool = False
    before_activation: bool = False


def convolution_weight(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """(n, out, in / groups, height, width), by the quickest of three ways for this shape, always the same for it.

    The choice is by shape and not by stopwatch, so that equal runs give equal bytes.
    """
    positions = d.shape[2] * d.shape[3]
    work = module.out_channels * module.in_channels // module.groups
    is_plain = module.groups == 1 and d.dtype == torch.float32
    if d.dtype != torch.float32 or d.device.type != "cpu":
        return _unfolded(module, a, d)
    if is_plain and max(*module.kernel_size, *module.stride) == 1 and not any(map(int, module.padding)):
        return torch.bmm(_by_position(d).transpose(1, 2), _by_position(a)).view(len(a), *module.weight.shape)
    if is_plain and positions <= _UNFOLD_POSITIONS:
        return _unfolded(module, a, d)
    # As groups, channels have to fill vectors.
    is_ragged = module.in_channels % _VECTOR != 0 or module.out_channels % _VECTOR != 0
    if is_plain and (is_ragged or (positions > _LOOP_POSITIONS and work >= _LOOP_WORK)):
        return _one_by_one(module, a, d)
    return _samples_as_groups(module, a, d)


def _by_position(tensor: torch.Tensor) -> torch.Tensor:
    """(n, positions, channels) of (n, channels, height, width), without a copy where channels are first or last."""
    if tensor.is_contiguous():
        return tensor.flatten(2).transpose(1, 2)
    return tensor.permute(0, 2, 3, 1).flatten(1, 2)


def _samples_as_groups(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """All samples as the groups of one convolution of one image, whose weight gradient is theirs side by side."""
    n, (c_out, c_in, *kernel) = len(a), module.weight.shape
    weight = d.new_empty(()).expand(n * c_out, c_in, *kernel)
    a, d = (tensor.reshape(1, -1, *tensor.shape[2:]) for tensor in (a, d))
    return _weight_gradient(module, a, d, weight, n * module.groups).view(n, *module.weight.shape)


def _one_by_one(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    rows = range(len(a))
    return torch.stack(
        [_weight_gradient(module, a[i : i + 1], d[i : i + 1], module.weight, module.groups) for i in rows]
    )


def _weight_gradient(
    module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor, weight: torch.Tensor, groups: int
) -> torch.Tensor:
    args = (module.stride, module.padding, module.dilation, False, (0, 0), groups, (False, True, False))
    gradient: torch.Tensor = torch.ops.aten.convolution_backward(d, a, weight, None, *args)[1]
    return gradient


def _unfolded(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """The product of d with the windows of a that each position saw, both with channels last."""
    n, groups, (c_out, c_in, height, width) = len(a), module.groups, module.weight.shape
    windows_of_one = d.shape[2] * d.shape[3] * height * width * a.shape[1]
    product = d.new_empty((n * groups, c_out // groups, height * width * c_in))
    # So many samples at a time that their windows stay in the cache.
    size = max(1, _WINDOW_BYTES // (4 * windows_of_one))
    for start in range(0, n, size):
        some = slice(start, start + size)
        windows = _windows(module, a[some], d.shape[2], d.shape[3])  # (n, positions, height * width, channels)
        n_some = len(windows)
        windows = windows.reshape(n_some, -1, height * width, groups, c_in).permute(0, 3, 1, 2, 4)
        windows = windows.reshape(n_some * groups, -1, height * width * c_in)
        of_d = d[some].reshape(n_some * groups, c_out // groups, -1)
        torch.bmm(of_d, windows, out=product[start * groups : (start + n_some) * groups])
    return product.view(n, c_out, height, width, c_in).permute(0, 1, 4, 2, 3)


def _windows(module: nn.Conv2d, a: torch.Tensor, n_down: int, n_across: int) -> torch.Tensor:
    (height, width), (down, across), (dilate_y, dilate_x) = module.kernel_size, module.stride, module.dilation
    pad_y, pad_x = (int(length) for length in module.padding)
    pixels = a.permute(0, 2, 3, 1).contiguous()
    if pad_y or pad_x:
        pixels = F.pad(pixels, (0, 0, pad_x, pad_x, pad_y, pad_y))
    n, row, column, channel = pixels.stride()
    size = (len(a), n_down, n_across, height, width, a.shape[1])
    steps = (n, row * down, column * across, row * dilate_y, column * dilate_x, channel)
    return pixels.as_strided(size, steps).reshape(len(a), n_down * n_across, height * width, -1)


def convolution_bias(module: nn.Conv2d, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:  # noqa: ARG001
    """Sums of d over positions."""
    return {} if module.bias is None else {"bias": d.sum((2, 3))}


def linear_weight(module: nn.Linear, a: torch.Tensor, d: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """(n, out, in): the product of d and a over all positions (tokens) of a sample."""
    n = len(a)
    return torch.bmm(d.reshape(n, -1, d.shape[-1]).transpose(1, 2), a.reshape(n, -1, a.shape[-1]))


def linear_bias(module: nn.Linear, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:  # noqa: ARG001
    """Sums of d over positions."""
    return {} if module.bias is None else {"bias": d.reshape(len(d), -1, d.shape[-1]).sum(1)}


def batch_norm(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:
    """In eval mode an affine map of each channel: gamma gets the sum of d * (a - mean) / sigma, beta that of d."""
    of_beta, weighted = sums(d, a)
    sigma = (module.running_var + module.eps).sqrt()
    return _present(module, (weighted - module.running_mean * of_beta) / sigma, of_beta)


def layer_norm(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:  # noqa: ARG001
    """Gamma gets the sum of d times the normalised input over positions, beta that of d."""
    normalised = F.layer_norm(a, module.normalized_shape, None, None, module.eps)
    return _over_tokens(module, normalised, d, len(module.normalized_shape))


def layer_norm_2d(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:
    """The same over the channels of (n, channels, height, width)."""
    return layer_norm(module, a.permute(0, 2, 3, 1), d.permute(0, 2, 3, 1), sums)


def group_norm(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:
    """The same over groups of channels; gamma and beta are per channel."""
    normalised = F.group_norm(a, module.num_groups, None, None, module.eps)
    of_beta, of_gamma = sums(d, normalised)
    return _present(module, of_gamma, of_beta)


def layer_scale(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:  # noqa: ARG001
    """A factor per channel, channels last: the sum of d * a over positions."""
    return {"gamma": (a * d).reshape(len(a), -1, a.shape[-1]).sum(1)}


def layer_scale_2d(module: Any, a: torch.Tensor, d: torch.Tensor, sums: ChannelSums) -> Tensors:  # noqa: ARG001
    """A factor per channel of (n, channels, height, width)."""
    return {"gamma": sums(d, a)[1]}


def _over_tokens(module: Any, normalised: torch.Tensor, d: torch.Tensor, n_dims: int) -> Tensors:
    n, shape = len(d), d.shape[d.ndim - n_dims :]
    return _present(module, *((each.reshape(n, -1, *shape).sum(1)) for each in (normalised * d, d)))


def _present(module: Any, of_weight: torch.Tensor, of_bias: torch.Tensor) -> Tensors:
    """Those that the module has; either may be left out."""
    both = {"weight": of_weight, "bias": of_bias}
    return {name: gradient for name, gradient in both.items() if getattr(module, name, None) is not None}


CONVOLUTION = Rule(convolution_bias, convolution_weight)
LINEAR = Rule(linear_bias, linear_weight, is_linear=True)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_NATIVE: Mapping[Any, Rule] = {
    nn.Conv2d.forward: CONVOLUTION,
    nn.Linear.forward: LINEAR,
    nn.LayerNorm.forward: Rule(layer_norm),
    nn.GroupNorm.forward: Rule(group_norm),
    **{cls.forward: Rule(batch_norm) for cls in _BATCH_NORMS},
}
_FOREIGN: Mapping[str, Rule] = {
    "timm.layers.norm_act.BatchNormAct2d": Rule(batch_norm, before_activation=True),
    "timm.layers.norm_act.GroupNormAct": Rule(group_norm, before_activation=True),
    "timm.layers.norm_act.GroupNorm1Act": Rule(group_norm, before_activation=True),
    "timm.layers.norm_act.LayerNormAct": Rule(layer_norm, before_activation=True),
    "timm.layers.norm_act.LayerNormAct2d": Rule(layer_norm_2d, before_activation=True),
    "timm.layers.norm.LayerNorm": Rule(layer_norm),
    "timm.layers.norm.LayerNorm2d": Rule(layer_norm_2d),
    "timm.layers.norm.GroupNorm": Rule(group_norm),
    "timm.layers.norm.GroupNorm1": Rule(group_norm),
    "timm.layers.layer_scale.LayerScale": Rule(layer_scale),
    "timm.layers.layer_scale.LayerScale2d": Rule(layer_scale_2d),
    "torchvision.models.convnext.LayerNorm2d": Rule(layer_norm_2d),
    "torchvision.ops.misc.LayerNorm2d": Rule(layer_norm_2d),
}


def rule_for(module: nn.Module) -> Rule | None:
    """The rule of a layer, or ``None`` where there is none that is known to be right.

    A subclass with a forward of its own, a parametrised layer and one with further parameters are other layers.
    """
    kind = type(module)
    rule = _FOREIGN.get(f"{kind.__module__}.{kind.__qualname__}") or _NATIVE.get(kind.forward)
    if rule is None or not _has_usual_parameters(module):
        return None
    is_odd = (
        (rule is CONVOLUTION and (module.padding_mode != "zeros" or isinstance(module.padding, str)))
        or (rule.vectors is batch_norm and module.running_mean is None)
        or (rule.before_activation and not isinstance(getattr(module, "drop", None), nn.Identity))
    )
    return None if is_odd else rule


def _has_usual_parameters(module: nn.Module) -> bool:
    own = {name for name, parameter in module.named_parameters(recurse=False) if parameter is not None}
    return own <= {"weight", "bias", "gamma"} and bool(own) and not hasattr(module, "parametrizations")
