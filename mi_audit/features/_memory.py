"""How many samples may walk at a time, from what a pass forward and backward keeps of each."""

import torch
from torch import nn

from mi_audit.target_model import TargetModel

GRAPH_BYTES = 1 << 30


def slots_within(target: TargetModel, shape: tuple[int, int, int], n_most: int) -> int:
    """At most `n_most`, and so many that their graphs stay below `GRAPH_BYTES`; the same on every machine.

    Args:
        target: in eval mode; run once on a blank image.
        shape: (height, width, channels) of the images.
        n_most: what was asked for.
    """
    kept: list[int] = []

    def note(_module: nn.Module, _args: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            kept.append(output.numel() * output.element_size())

    leaves = [each for each in target.module.modules() if next(each.children(), None) is None]
    hooks = [each.register_forward_hook(note) for each in leaves]
    parameter = next(target.module.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            target.module(target.prepare(parameter.new_zeros((1, shape[2], *shape[:2]))))
    finally:
        for hook in hooks:
            hook.remove()
    of_one = 3 * sum(kept) // 2  # and gradients near by
    return max(1, min(n_most, GRAPH_BYTES // max(1, of_one)))
