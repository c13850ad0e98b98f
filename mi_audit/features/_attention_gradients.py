"""Per-sample gradients of `nn.MultiheadAttention`, whose projections are weights and no layers to hook."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name


def suits(module: nn.Module, args: tuple[Any, dict[str, Any]], n: int) -> bool:
    """Whether this call is of the usual kind: no masks, one width, no extra keys, rows of samples."""
    if not isinstance(module, nn.MultiheadAttention) or module.in_proj_weight is None or module.bias_k is not None:
        return False
    positional, named = args
    masks = [named.get("key_padding_mask"), named.get("attn_mask"), *positional[3:4], *positional[5:6]]
    has_three = len(positional) >= 3 and all(each.ndim == 3 for each in positional[:3])
    is_plain = not module.add_zero_attn and not named.get("is_causal") and len(positional) < 8
    rows = 0 if module.batch_first else 1
    return has_three and is_plain and all(m is None for m in masks) and positional[0].shape[rows] == n


def gradients(
    module: nn.MultiheadAttention, args: tuple[Any, dict[str, Any]], d: torch.Tensor, rows: slice
) -> Mapping[str, torch.Tensor]:
    """{parameter: (n rows, *shape)}: the attention once more from its projections, and back to them.

    Args:
        module: the attention.
        args: of its call, which `suits`.
        d: the gradient of its first output, laid out as that.
        rows: samples.
    """
    given = [each if module.batch_first else each.transpose(0, 1) for each in (*args[0][:3], d)]
    *inputs, d = (each[rows] for each in given)
    weights = module.in_proj_weight.detach().chunk(3)
    biases = (None,) * 3 if module.in_proj_bias is None else module.in_proj_bias.detach().chunk(3)
    projected = [F.linear(x, w, b).requires_grad_() for x, w, b in zip(inputs, weights, biases, strict=True)]
    with torch.enable_grad():
        heads = [each.unflatten(2, (module.num_heads, -1)).transpose(1, 2) for each in projected]  # type: ignore[no-untyped-call]
        attended = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    back = torch.autograd.grad(attended, projected, d @ module.out_proj.weight.detach())
    return {
        "in_proj_weight": torch.cat([g.transpose(1, 2) @ x for g, x in zip(back, inputs, strict=True)], dim=1),
        "in_proj_bias": torch.cat([g.sum(1) for g in back], dim=1),
        "out_proj.weight": d.transpose(1, 2) @ attended.detach(),
        "out_proj.bias": d.sum(1),
    }
