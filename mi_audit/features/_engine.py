"""Gradient sums of any network: planned once, checked on some samples, and planned anew where that fails."""

from typing import Literal

import torch

from mi_audit.features import _fused_sums, _moments, _one_by_one
from mi_audit.features._folding import foldable, folded, is_all_folded
from mi_audit.features._frozen_copy import frozen_copy
from mi_audit.features._layer_sums import ChangedInPlaceError, NeedsNetworkError
from mi_audit.features._sample_gradients import GradientSums, Pass
from mi_audit.features._sites import Plan, plan
from mi_audit.schema.finding import Finding
from mi_audit.target_model import TargetModel

Kernel = Literal["auto", "eager", "fused"]
N_CHECKED = 2
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 5e-2}


class SampleGradients:
    """Gradient sums of batches for one target, of which it works on a copy with frozen parameters.

    Args:
        target: the target, on its device; left as it is.
        dtype: of all computation.
        kernel: of the power sums; ``"auto"`` is fused where the machine has a compiler.
        keeps_squares: whether sums of squares are kept for each parameter.
    """

    def __init__(
        self, target: TargetModel, dtype: torch.dtype, kernel: Kernel = "auto", *, keeps_squares: bool = False
    ) -> None:
        self.trainable = tuple(name for name, each in target.module.named_parameters() if each.requires_grad)
        self.target = frozen_copy(target, dtype)
        self.dtype, self.kernel, self.keeps_squares = dtype, kernel, keeps_squares
        self.by_network: frozenset[str] = frozenset()
        self.copied: frozenset[str] = frozenset()
        self.is_one_by_one = not self.trainable
        self.n_batches, self.next_check = 0, 1
        self.is_corrected_late = False
        self.folds: dict[str, str] = {}
        self.layout = torch.contiguous_format
        self._replan()

    def __call__(self, pixels: torch.Tensor, label: torch.Tensor) -> GradientSums:
        """Sums of the samples of a batch; batches 1, 4, 16, 64, ... also check the plan on some of theirs.

        Args:
            pixels: (n, channels, height, width) in [0, 1], of type `dtype`.
            label: (n,) true classes.
        """
        with torch.enable_grad():
            self.n_batches += 1
            if self.n_batches == 1 and not self.is_one_by_one:
                self._fold(pixels[:N_CHECKED])
            if self.n_batches == self.next_check:
                self.next_check *= 4
                self._check_some(pixels, label)
            return self._sums(self.target, pixels, label, keeps_squares=self.keeps_squares)

    def findings(self) -> tuple[Finding, ...]:
        """Which parameters have no rule and are slower for it, and whether that was seen too late."""
        return (*self._late_findings(), *self._slow_findings())

    def _late_findings(self) -> tuple[Finding, ...]:
        if not self.is_corrected_late:
            return ()
        message = (
            "gradients of some samples took another way through the network than those that were checked first; "
            "those before may be wrong"
        )
        return (Finding("gradients-corrected-late", "warning", message),)

    def _slow_findings(self) -> tuple[Finding, ...]:
        if self.is_one_by_one and self.trainable:
            message = "gradients are computed one sample at a time: samples of this network depend on their batch"
            return (Finding("gradients-one-by-one", "note", message),)
        names = self.plan.black_boxes()
        if not names:
            return ()
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        are = "1 parameter has" if len(names) == 1 else f"{len(names)} parameters have"
        message = f"{are} no gradient rule of a known layer and took the general way, right but slower: {shown}"
        return (Finding("gradients-general-way", "note", message),)

    def _planned(self, target: TargetModel) -> tuple[TargetModel, Plan]:
        """The target with what can be folded, and its plan; a network that is a black box has to be as it is."""
        working, folds = folded(target, {} if self.by_network else self.folds)
        if working is not target:
            working.module.to(memory_format=self.layout)
        return working, plan(working.module, self.trainable, self.by_network, folds)

    def _fold(self, pixels: torch.Tensor) -> None:
        """Fold what can be, and lay out channels last where there is a kernel for that and the network takes it."""
        self.folds = foldable(self.target, self.trainable, pixels)
        has_kernel = self._kernels(pixels.device) is _fused_sums.FUSED and _fused_sums.has_convolution()
        is_worth_it = self.dtype == torch.float32 and is_all_folded(self.target.module, self.folds)
        self.layout = torch.channels_last if has_kernel and is_worth_it else torch.contiguous_format
        self._replan()
        try:
            with torch.no_grad():
                self.working.module(self.working.prepare(pixels))
        except RuntimeError:  # a view that only channels first allow
            self.layout = torch.contiguous_format
            self._replan()

    def _replan(self) -> None:
        self.working, self.plan = self._planned(self.target)

    def _sums(
        self, target: TargetModel, pixels: torch.Tensor, label: torch.Tensor, *, keeps_squares: bool
    ) -> GradientSums:
        """One batch, replanned as often as it takes; each time fewer parameters are left that it can happen for."""
        while not self.is_one_by_one:
            working, planned = (self.working, self.plan) if target is self.target else self._planned(target)
            kernels = self._kernels(pixels.device)
            try:
                return Pass(working, planned, self.copied, kernels, keeps_squares=keeps_squares).run(pixels, label)
            except NeedsNetworkError as error:
                self.is_one_by_one |= error.keys <= self.by_network
                self._by_network(error.keys)
            except ChangedInPlaceError as error:
                self.copied |= {error.site.name}
        return _one_by_one.gradient_sums(target, self.trainable, pixels, label)

    def _by_network(self, keys: frozenset[str]) -> None:
        self.by_network |= keys
        self._replan()

    def _kernels(self, device: torch.device) -> _moments.Kernels:
        if self.kernel == "eager" or device.type != "cpu":
            return _moments.EAGER
        return _fused_sums.FUSED if self.kernel == "fused" or _fused_sums.is_available() else _moments.EAGER

    def _check_some(self, pixels: torch.Tensor, label: torch.Tensor) -> None:
        """Check a few samples of this batch, always the same; what is found wrong after the first batch is told."""
        before = (self.by_network, self.is_one_by_one, self.folds)
        generator = torch.Generator().manual_seed(self.n_batches)
        rows = torch.randperm(len(pixels), generator=generator)[:N_CHECKED].to(pixels.device)
        self._check(pixels[rows], label[rows])
        self.is_corrected_late |= self.n_batches > 1 and before != (self.by_network, self.is_one_by_one, self.folds)

    def _check(self, pixels: torch.Tensor, label: torch.Tensor) -> None:
        """Compare every parameter's norm with the plain way, in float64, where nothing but a mistake can differ."""
        target, dtype = self.target, self.dtype
        if dtype != torch.float64:
            target, dtype = frozen_copy(self.target, torch.float64), torch.float64
        try:
            expected = _one_by_one.gradient_sums(target, self.trainable, pixels.double(), label)
        except RuntimeError:  # a network that fixes its own types
            target, dtype = self.target, self.dtype
            expected = _one_by_one.gradient_sums(target, self.trainable, pixels, label)
        while not self.is_one_by_one:
            got = self._sums(target, pixels.to(dtype), label, keeps_squares=True)
            wrong = _differing(got, expected, _TOLERANCE[dtype])
            if wrong is not None and not wrong:
                return
            if self.folds:
                self.folds = {}
                self._replan()
            elif wrong is None or wrong <= self.by_network:
                self.is_one_by_one = True
            else:
                self._by_network(wrong)


def _differing(got: GradientSums, expected: GradientSums, tolerance: float) -> frozenset[str] | None:
    """Names of the parameters whose norms are not as expected; ``None`` where the image's gradient is not."""

    def is_off(one: torch.Tensor, other: torch.Tensor, total: torch.Tensor) -> bool:
        one, other = one.sqrt(), other.sqrt()
        return bool(((one - other).abs() > tolerance * (other + 1e-3 * total.sqrt())).any())

    images, parameters = expected.image[:, 2], expected.parameters[:, 2]
    if is_off(got.image[:, 2], images, images):
        return None
    zero = torch.zeros_like(parameters)
    squares = expected.squares
    return frozenset(name for name in squares if is_off(got.squares.get(name, zero), squares[name], parameters))
