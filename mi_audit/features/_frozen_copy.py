"""A copy of the target that features may work on, whatever state the network was left in."""

import copy
import dataclasses

import torch

from mi_audit.features._layer_gradients import rule_for
from mi_audit.target_model import TargetModel


def frozen_copy(target: TargetModel, dtype: torch.dtype) -> TargetModel:
    """The target with a copy of its module: in eval mode, of type `dtype`, no parameter of it requiring a gradient.

    Weights are laid out channels first, as the gradients of single samples are computed.
    """
    module = copy.deepcopy(target.module).eval().to(dtype).requires_grad_(requires_grad=False)
    for each in module.modules():
        if (rule := rule_for(each)) and rule.before_activation and hasattr(each.act, "inplace"):
            each.act.inplace = False  # written over in place, a view would lose the gradient that the rule needs
    return dataclasses.replace(target, module=module.to(memory_format=torch.contiguous_format))
