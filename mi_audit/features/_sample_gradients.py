"""Power sums of every sample's gradients in one batched pass: one layer at a time, and what was summed is dropped.

Autograd works with frozen parameters, forward and back to the image. Hooks keep each layer's input; when the gradient
of its output arrives, the layer's per-sample gradients are formed for some samples at a time, reduced to power sums
and dropped, so that the whole per-sample gradient never exists.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from mi_audit.features import _black_box, _moments
from mi_audit.features._layer_gradients import Rule
from mi_audit.features._sites import Plan, Site
from mi_audit.features._unit_cotangent import unit_cotangent
from mi_audit.target_model import TargetModel, two_classes

CHUNK_BYTES = 16 << 20
_SQUARES, _MINIMUM = 2, 6


class NeedsNetworkError(Exception):
    """Parameters of a site that cannot be taken care of where its module is called."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.name)
        self.keys = frozenset(site.keys.values())


class ChangedInPlaceError(Exception):
    """A layer's input was written over before its gradient arrived; it has to be copied."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.name)
        self.site = site


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


@dataclass(eq=False)
class _Use:
    """One call of a site's module in this pass."""

    site: Site
    args: Any
    per_sample: tuple[bool, ...] = ()
    versions: tuple[int, ...] = ()
    cotangents: list[torch.Tensor | None] = field(default_factory=lambda: [None])


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
        self.target, self.plan, self.copied, self.kernels = target, planned, copied, kernels
        self.keeps_squares = keeps_squares
        self.n = 0
        self.is_recording = False
        self.uses: dict[int, list[_Use]] = {number: [] for number in range(len(planned.groups))}
        self.waiting = dict.fromkeys(self.uses, 0)
        self.sums: list[torch.Tensor] = []
        self.vectors: dict[str, torch.Tensor] = {}
        self.squares: dict[str, torch.Tensor] = {}
        self.met: set[str] = set()

    def run(self, pixels: torch.Tensor, label: torch.Tensor) -> GradientSums:
        """Forward, back, and the sums.

        Args:
            pixels: (n, channels, height, width) in [0, 1], of the network's type.
            label: (n,) true classes.

        Raises:
            NeedsNetworkError, ChangedInPlaceError: the plan does not do for this network.
        """
        self.n, module = len(pixels), self.target.module
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
            self._add_vector(key, gradient)
        image = _moments.power_sums(of_inputs[0].flatten(1), self.kernels.power_sums)
        return GradientSums(self._all_sums(pixels), image, scale, self.squares)

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
            use = _Use(site, _black_box.replaced((args, named), iter(kept)))
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

    def _open_use(self, number: int, site: Site) -> _Use:
        """The innermost call of this site that has not returned yet; calls of one module may not nest in themselves."""
        return next(use for use in reversed(self.uses[number]) if use.site is site)

    def _await(self, number: int, use: _Use, outputs: list[torch.Tensor]) -> None:
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

    # Reduction: per-sample gradients, then their sums.

    def _reduce_group(self, number: int) -> None:
        uses = [use for use in self.uses[number] if any(each is not None for each in use.cotangents)]
        self.uses[number] = []
        for use in uses:
            if use.versions != tuple(tensor._version for tensor in _black_box.tensors(use.args)):  # noqa: SLF001
                raise ChangedInPlaceError(use.site)
        with torch.no_grad():
            self._add_vectors(uses)
            if len(uses) == 1 and self._is_rank_one(uses[0]):
                (a, d), key = self._pair(uses[0]), uses[0].site.keys["weight"]
                self._add(key, _moments.rank_one(d, a))
            elif uses:
                self._add_matrices(uses)
        for use in uses:  # autograd's graph still holds the hooks that hold it
            use.args, use.cotangents = (), []

    def _is_rank_one(self, use: _Use) -> bool:
        rule, (a, d) = use.site.rule, self._pair(use)
        is_single = rule is not None and rule.is_linear and a.ndim == 2 and len(a) == self.n
        return is_single and "weight" in use.site.keys and d.ndim == 2

    @staticmethod
    def _pair(use: _Use) -> tuple[torch.Tensor, torch.Tensor]:
        a, d = next(_black_box.tensors(use.args)), use.cotangents[0]
        assert d is not None, "uses without a gradient are left out"
        return a, d

    def _add_vectors(self, uses: list[_Use]) -> None:
        for use in uses:
            if use.site.rule is None or use.site.rule.vectors is None:
                continue
            a, d = self._pair(use)
            for own, gradient in use.site.rule.vectors(use.site.module, a, d, self.kernels.channel_sums).items():
                if own in use.site.keys:
                    self._add_vector(use.site.keys[own], self._per_sample(gradient))

    def _per_sample(self, gradient: torch.Tensor) -> torch.Tensor:
        """(n, numbers) where a layer saw several rows of each sample (windows of an image, say): their sum."""
        return (
            gradient.reshape(self.n, -1, gradient[0].numel()).sum(1) if len(gradient) != self.n else gradient.flatten(1)
        )

    def _add_vector(self, key: str, gradient: torch.Tensor) -> None:
        gradient = gradient.reshape(self.n, -1)
        self.vectors[key] = self.vectors[key] + gradient if key in self.vectors else gradient

    def _add_matrices(self, uses: list[_Use]) -> None:
        """Power sums of the large parameters of a group, some samples at a time; several uses add up first."""
        keys = {key for use in uses for key in self._matrix_keys(use)}
        n_numbers = sum(self.plan.parameters[key].numel() for key in keys)
        if not keys:
            return
        size = max(1, CHUNK_BYTES // (4 * n_numbers))
        parts: dict[str, list[torch.Tensor]] = {key: [] for key in keys}
        for start in range(0, self.n, size):
            rows = slice(start, min(start + size, self.n))
            gradients: dict[str, torch.Tensor] = {}
            for use in uses:
                for key, gradient in self._matrices(use, rows, is_ordered=len(uses) > 1).items():
                    gradients[key] = gradients[key] + gradient if key in gradients else gradient
            for key, gradient in gradients.items():
                parts[key].append(_moments.power_sums(gradient.flatten(1), self.kernels.power_sums))
        for key, sums in parts.items():
            self._add(key, torch.cat(sums))

    @staticmethod
    def _matrix_keys(use: _Use) -> list[str]:
        rule = use.site.rule
        if rule is None:
            return list(use.site.keys.values())
        return [use.site.keys["weight"]] if rule.matrix is not None and "weight" in use.site.keys else []

    def _matrices(self, use: _Use, rows: slice, *, is_ordered: bool) -> dict[str, torch.Tensor]:
        """{parameter: (rows, numbers)} of the large parameters of one use."""
        site = use.site
        if site.rule is None:
            own = {name: self.plan.parameters[key] for name, key in site.keys.items()}
            call = _black_box.Call(use.args, use.per_sample, use.cotangents)
            try:
                found = _black_box.gradients(site.module, own, call, self.n, rows)
            except (RuntimeError, ValueError) as error:
                if site.name == "":
                    raise
                raise NeedsNetworkError(site) from error
            return {key: found[name].flatten(1) for name, key in site.keys.items()}
        if not self._matrix_keys(use):
            return {}
        return {site.keys["weight"]: self._rule_matrix(site.rule, use, rows, is_ordered=is_ordered)}

    def _rule_matrix(self, rule: Rule, use: _Use, rows: slice, *, is_ordered: bool) -> torch.Tensor:
        assert rule.matrix is not None
        a, d = self._pair(use)
        folded = len(a) // self.n
        if rule.is_linear:
            a, d = (tensor.reshape(self.n, -1, tensor.shape[-1]) for tensor in (a, d))
            folded = 1
        part = slice(rows.start * folded, rows.stop * folded)
        gradient = rule.matrix(use.site.module, a[part], d[part], is_ordered or folded > 1)
        n_rows = rows.stop - rows.start
        return gradient.reshape(n_rows, folded, -1).sum(1) if folded > 1 else gradient.flatten(1)

    def _add(self, key: str, sums: torch.Tensor) -> None:
        self.met.add(key)
        self.sums.append(sums)
        if self.keeps_squares:
            self.squares[key] = sums[:, _SQUARES]

    def _all_sums(self, pixels: torch.Tensor) -> torch.Tensor:
        """All parameters together; the small vectors of the whole network are reduced at once."""
        if self.keeps_squares:
            for key, vector in self.vectors.items():
                self.squares[key] = vector.double().square().sum(1)
        if self.vectors:
            self.sums.append(
                _moments.power_sums(torch.cat(list(self.vectors.values()), dim=1), self.kernels.power_sums)
            )
        if self.met | set(self.vectors) != set(self.plan.parameters):  # some took no part: their gradient is 0
            self.sums.append(torch.zeros((self.n, _MINIMUM + 1), dtype=torch.float64, device=pixels.device))
        return _moments.combined(torch.stack(self.sums))
