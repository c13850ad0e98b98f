"""A batch normalisation in eval mode is a factor and a shift of channels: folded into the convolution before it.

One pass over the activations less in each direction. What is computed is the gradient G of the folded weight, and from
it those of the parameters: of the weight G times the factor, of gamma the product of G with the weight, both by row.
Nothing is divided by gamma, which may be 0.
"""

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mi_audit.features._layer_gradients import CONVOLUTION, LINEAR, Tensors, rule_for
from mi_audit.target_model import TargetModel, two_classes


@dataclass(frozen=True, eq=False)
class Fold:
    """What it takes to go back from the gradients of a folded convolution, with W, b, gamma, beta, mean, sigma of both.

    Attributes:
        norm: name of the normalisation in the network.
        factor: (out,) gamma / sigma.
        by_gamma: (out, in, height, width) W / sigma.
        shift: (out,) (b - mean) / sigma.
    """

    norm: str
    factor: torch.Tensor
    by_gamma: torch.Tensor
    shift: torch.Tensor

    def vectors(self, d: torch.Tensor) -> Tensors:
        """From the gradient d of the output: of the convolution's bias, of beta, and that part of gamma's."""
        of_beta = d.sum((2, 3))
        return {"bias": of_beta * self.factor, "beta": of_beta, "gamma": of_beta * self.shift}


def foldable(target: TargetModel, trainable: Iterable[str], pixels: torch.Tensor) -> dict[str, str]:
    """{convolution: normalisation} where the second alone sees what the first gives, both called once.

    By the graph that autograd keeps of some samples. What leaves no trace in it (a detached copy, a decision) is not
    seen here; the engine's check of its gradients finds that.

    Args:
        target: in eval mode, its parameters frozen.
        trainable: names of the parameters that count.
        pixels: (n, channels, height, width) in [0, 1].
    """
    seen: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor, Any]]] = {}

    def note(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        if args:
            seen.setdefault(module, []).append((args[0], output, output.grad_fn))

    names = {each: name for name, each in target.module.named_modules() if _may_fold(each)}
    hooks = [each.register_forward_hook(note) for each in names]
    try:
        given = target.prepare(pixels.detach().requires_grad_())
        logits = two_classes(target.module(given), pixels.dtype)
    finally:
        for hook in hooks:
            hook.remove()
    once = {module: calls[0] for module, calls in seen.items() if len(calls) == 1}
    nodes = list(_nodes(logits.grad_fn))  # kept, so that each stays the same object
    n_uses = Counter(after for node in nodes for after, _ in node.next_functions)
    convolutions = {id(call[1]): module for module, call in once.items() if isinstance(module, nn.Conv2d)}
    own = _of_one_module(target.module) & set(trainable)
    found = {}
    for norm, (before, _, node) in once.items():
        convolution = convolutions.get(id(before))
        if convolution is None or isinstance(norm, nn.Conv2d) or node is None:
            continue
        of_convolution = once[convolution][2]
        is_alone = n_uses[of_convolution] == 1 and node.next_functions[0][0] is of_convolution
        if is_alone and {f"{names[convolution]}.weight", f"{names[norm]}.weight"} <= own:
            found[names[convolution]] = names[norm]
    return found


def _may_fold(module: nn.Module) -> bool:
    rule = rule_for(module)
    is_norm = type(module).forward is nn.BatchNorm2d.forward and rule is not None and not module.training
    is_watched = module._forward_hooks or module._forward_pre_hooks  # noqa: SLF001 - there is no public way to ask
    return (rule is CONVOLUTION or (is_norm and module.weight is not None)) and not is_watched


def _of_one_module(network: nn.Module) -> set[str]:
    """Names of the parameters that are nowhere else in the network."""
    every = list(network.named_parameters(remove_duplicate=False))
    n_places = Counter(id(parameter) for _, parameter in every)
    return {name for name, parameter in every if n_places[id(parameter)] == 1}


def _nodes(root: Any) -> Iterator[Any]:
    """Every step of autograd's graph below `root`, once."""
    met, waiting = {root}, [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        yield node
        new = {after for after, _ in node.next_functions} - met
        met |= new
        waiting += new


def folded(target: TargetModel, pairs: Mapping[str, str]) -> tuple[TargetModel, dict[str, Fold]]:
    """A copy of the target that computes the same with those normalisations folded, and the way back by convolution."""
    if not pairs:
        return target, {}
    module = copy.deepcopy(target.module)
    folds = {}
    for convolution, norm in pairs.items():
        folds[convolution] = _fold(norm, module.get_submodule(convolution), module.get_submodule(norm))
    return dataclasses.replace(target, module=module), folds


def is_all_folded(network: nn.Module, pairs: Mapping[str, str]) -> bool:
    """Whether it is plain convolutions with folded normalisations, which are quickest with channels last."""
    rules = {name: (each, rule_for(each)) for name, each in network.named_modules() if name not in pairs.values()}
    of_convolutions = [each for each, rule in rules.values() if rule is CONVOLUTION]
    is_plain = all(rule in (CONVOLUTION, LINEAR, None) for _, rule in rules.values())
    return bool(pairs) and is_plain and all(each.groups == 1 for each in of_convolutions)


@torch.no_grad()
def _fold(name: str, convolution: Any, norm: Any) -> Fold:
    """Fold in place; in float64, so that only the result is rounded."""
    weight = convolution.weight.double()
    bias = convolution.bias.double() if convolution.bias is not None else 0
    beta = norm.bias.double() if norm.bias is not None else 0
    sigma = (norm.running_var.double() + norm.eps).sqrt()
    factor, shift = norm.weight.double() / sigma, (bias - norm.running_mean.double()) / sigma
    rows, dtype = (-1, 1, 1, 1), convolution.weight.dtype
    values = {"weight": weight * factor.view(rows), "bias": norm.weight.double() * shift + beta}
    for own, value in values.items():
        setattr(convolution, own, nn.Parameter(value.to(dtype), requires_grad=False))
    norm.forward = _same
    return Fold(name, factor.to(dtype), (weight / sigma.view(rows)).to(dtype), shift.to(dtype))


def _same(x: torch.Tensor) -> torch.Tensor:
    return x
