"""Power sums of every sample's gradients in one batched pass: one layer at a time, and what was summed is dropped.

Autograd works with frozen parameters, forward and back to the image. Hooks keep each layer's input; when the gradient
of its output arrives, the layer's per-sample gradients are formed for some samples at a time, reduced to power sums
and dropped, so that the whole per-sample gradient never exists.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from mi_audit.features import _black_box, _moments
from mi_audit.features._layer_sums import LayerSums, NeedsNetworkError, Use
from mi_audit.features._sites import Plan, Site
from mi_audit.features._unit_cotangent import unit_cotangent
from mi_audit.target_model import TargetModel, two_classes


@dataclass(frozen=True)
class GradientSums:
    """Of n samples, with the cotangent of each at unit size.

    Attributes:
        parameters: (n, 7) power sums over all trainable parameters.
        image: (n, 7) over the pixels in [0, 1].
        scale: (n,) float64, what the unit gradients have to be multiplied with.
        squares: {parameter: (n,) float64 sum of squares}; empty unless asked for.
    """

    parameters: torch.Tensor
    image: torch.Tensor
    scale: torch.Tensor
    squares: dict[str, torch.Tensor]


class Pass:
    """One batch through a planned network; made for the batch and thrown away.

    Args:
        target: its module has frozen parameters and is in eval mode.
        planned: of that module.
        copied: sites whose inputs are copied, because something writes over them.
        kernels: what runs over much memory.
        keeps_squares: whether sums of squares are kept for each parameter.
    """

    def __init__(
        self,
        target: TargetModel,
        planned: Plan,
        copied: frozenset[str],
        kernels: _moments.Kernels,
        *,
        keeps_squares: bool,
    ) -> None:
        self.target, self.plan, self.copied = target, planned, copied
        self.kernels, self.keeps_squares = kernels, keeps_squares
        self.n = 0
        self.is_recording = False
        self.uses: dict[int, list[Use]] = {number: [] for number in range(len(planned.groups))}
        self.waiting = dict.fromkeys(self.uses, 0)

    def run(self, pixels: torch.Tensor, label: torch.Tensor) -> GradientSums:
        """Forward, back, and the sums.

        Args:
            pixels: (n, channels, height, width) in [0, 1], of the network's type.
            label: (n,) true classes.

        Raises:
            NeedsNetworkError, ChangedInPlaceError: the plan does not do for this network.
        """
        self.n, module = len(pixels), self.target.module
        self.sums = LayerSums(self.n, self.plan.parameters, self.kernels, keeps_squares=self.keeps_squares)
        pixels = pixels.detach().requires_grad_()
        leaves = [self._leaf(self.plan.parameters[key]) for key in self.plan.leaves]
        hooks = list(self._hooks())
        try:
            self.is_recording = True
            given = self.target.prepare(pixels)
            outputs = functional_call(module, dict(zip(self.plan.leaves, leaves, strict=True)), (given,))
            self.is_recording = False
            logits = two_classes(outputs, pixels.dtype)
            unit, scale = unit_cotangent(logits, label)
            of_inputs = self._backward(logits, [pixels, *leaves], unit)
        finally:
            self.is_recording = False
            for hook in hooks:
                hook.remove()
        for number in self.uses:
            self._reduce_group(number)
        for key, gradient in zip(self.plan.leaves, of_inputs[1:], strict=True):
            self.sums.add_vector(key, gradient)
        image = _moments.power_sums(of_inputs[0].flatten(1), self.kernels.power_sums)
        return GradientSums(self.sums.total(pixels.device), image, scale, self.sums.squares)

    def _leaf(self, parameter: torch.Tensor) -> torch.Tensor:
        shape = (self.n, *parameter.shape[1:])
        return parameter.detach().expand(shape).contiguous().requires_grad_()

    @staticmethod
    def _backward(logits: torch.Tensor, inputs: list[torch.Tensor], unit: torch.Tensor) -> list[torch.Tensor]:
        if not logits.requires_grad:
            return [torch.zeros_like(tensor) for tensor in inputs]
        found = torch.autograd.grad(logits, inputs, unit, allow_unused=True)
        return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, found, strict=True)]

    # Hooks: what a site saw, and the gradient of what it gave.

    def _hooks(self) -> Iterator[torch.utils.hooks.RemovableHandle]:
        for number, group in enumerate(self.plan.groups):
            for site in group:
                yield site.module.register_forward_pre_hook(self._seeing(number, site), with_kwargs=True)
                if site.rule is not None and site.rule.before_activation:
                    act: nn.Module = site.module.act  # type: ignore[assignment]
                    yield act.register_forward_pre_hook(self._before_activation(number))
                else:
                    yield site.module.register_forward_hook(self._after(number, site))

    def _seeing(self, number: int, site: Site) -> Any:
        def see(_module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            if not self.is_recording:
                return
            given = list(_black_box.tensors((args, named)))
            kept = [tensor.detach() for tensor in given]
            if site.name in self.copied:
                kept = [tensor.clone() for tensor in kept]
            if site.rule is not None and (len(kept) != 1 or len(kept[0]) % self.n):
                raise NeedsNetworkError(site)
            use = Use(site, _black_box.replaced((args, named), iter(kept)))
            use.per_sample = tuple(tensor.requires_grad for tensor in given)
            use.versions = tuple(tensor._version for tensor in kept)  # noqa: SLF001 - what autograd checks by
            self.uses[number].append(use)

        return see

    def _after(self, number: int, site: Site) -> Any:
        def after(_module: nn.Module, _args: Any, output: Any) -> None:
            if self.is_recording:
                self._await(number, self._open_use(number, site), list(_black_box.tensors(output)))

        return after

    def _before_activation(self, number: int) -> Any:
        def before(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            if self.is_recording:
                self._await(number, self.uses[number][-1], [args[0]])

        return before

    def _open_use(self, number: int, site: Site) -> Use:
        """The innermost call of this site that has not returned yet; calls of one module may not nest in themselves."""
        return next(use for use in reversed(self.uses[number]) if use.site is site)

    def _await(self, number: int, use: Use, outputs: list[torch.Tensor]) -> None:
        """Have the gradients of these outputs put into `use`, and the group reduced when it has them all."""
        if not any(output.requires_grad for output in outputs):
            raise NeedsNetworkError(use.site)
        use.cotangents = [None] * len(outputs)

        def arrival(index: int) -> Any:
            def arrived(gradient: torch.Tensor) -> None:
                use.cotangents[index] = gradient.detach()
                self.waiting[number] -= 1
                if self.waiting[number] == 0 and all(each.rule for each in self.plan.groups[number]):
                    self._reduce_group(number)

            return arrived

        for index, output in enumerate(outputs):
            if output.requires_grad:
                self.waiting[number] += 1
                output.register_hook(arrival(index))  # type: ignore[no-untyped-call]

    def _reduce_group(self, number: int) -> None:
        uses = [use for use in self.uses[number] if any(each is not None for each in use.cotangents)]
        self.uses[number] = []
        self.sums.add_uses(uses)
