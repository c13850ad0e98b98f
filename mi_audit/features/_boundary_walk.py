"""The walk to the decision boundary: many samples at once, in a pool of slots that refill as samples arrive."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from mi_audit.features._root_finding import roots
from mi_audit.features._unit_cotangent import unit_cotangent
from mi_audit.target_model import TargetModel, two_classes

# Step control by the angle between successive gradients: longer where the path is straight, shorter in bends.
# Paths of trained ReLU networks have kinks everywhere: with .99 and .96, and a shorter shortest step, nearly every step
# was halved, and the walk took four times as many as at a fixed length without getting nearer to the fine path.
STRAIGHT, BENT = 0.97, 0.9
_FIRST, _SHORTEST, _LONGEST = 0.5, 0.5, 16.0

NEVER_CROSSED = "no other class within the steps allowed"
NO_GRADIENT = "the gradient is zero or not finite"


@dataclass(frozen=True)
class Walk:
    """How to walk.

    Attributes:
        epsilon: length of a step, L2 in [0, 1] pixels; by angle, of a medium one.
        max_steps: after which a sample counts as never crossing.
        theta: how close the confidences of the two classes are on the boundary.
        is_by_angle: whether the length follows the angle between successive gradients.
        is_clipped: whether pixels stay in [0, 1].
        of_label: whether the loss climbed is that of the true label, and not of the predicted class.
        n_slots: how many samples walk at a time.
    """

    epsilon: float
    max_steps: int
    theta: float
    is_by_angle: bool
    is_clipped: bool
    of_label: bool
    n_slots: int


@dataclass(frozen=True)
class Distances:
    """Of n samples.

    Attributes:
        distance: (n,) float64, L2 in [0, 1] pixels, NaN for a failure.
        radius: (n,) float64, how far from the image the search went.
        reason: per sample, ``None`` where there is a distance.
        end: (n, ...) the point on the boundary, or where the search ended.
        n_steps: (n,) gradient steps.
        n_evaluations: (n,) forward passes after the class had changed.
    """

    distance: torch.Tensor
    radius: torch.Tensor
    reason: list[str | None]
    end: torch.Tensor
    n_steps: torch.Tensor
    n_evaluations: torch.Tensor


class Search:
    """The state of all samples of a batch; made for the batch, run once.

    Args:
        target: with frozen parameters, in eval mode.
        pixels: (n, channels, height, width) in [0, 1], left as it is.
        label: (n,) true classes.
        walk: how to walk.
    """

    def __init__(self, target: TargetModel, pixels: torch.Tensor, label: torch.Tensor, walk: Walk) -> None:
        n, device = len(pixels), pixels.device
        self.target, self.walk, self.label, self.origin = target, walk, label, pixels.detach()
        self.here, self.before = self.origin.clone(), self.origin.clone()
        self.start = torch.full((n,), -1, dtype=torch.int64, device=device)
        self.gap_before, self.gap_here = (torch.zeros(n, dtype=torch.float64, device=device) for _ in range(2))
        self.length = torch.full((n,), walk.epsilon * (_FIRST if walk.is_by_angle else 1.0), device=device).to(pixels)
        self.direction = torch.zeros_like(self.origin)
        self.n_steps = torch.zeros(n, dtype=torch.int64, device=device)
        self.n_evaluations = torch.zeros_like(self.n_steps)
        self.has_crossed = torch.zeros(n, dtype=torch.bool, device=device)
        self.is_on_boundary = torch.zeros_like(self.has_crossed)
        self.reason: list[str | None] = [None] * n

    def run(self) -> Distances:
        """Walk until every sample has crossed or failed, then find where between its last two points it crossed."""
        waiting = list(range(len(self.origin)))
        active: list[int] = []
        while waiting or active:
            free = self.walk.n_slots - len(active)
            active, waiting = active + waiting[:free], waiting[free:]
            active = self._round(torch.tensor(active, device=self.origin.device)).tolist()
        self._find_crossings()
        distance = (self.here.double() - self.origin.double()).flatten(1).norm(dim=1)
        failed = torch.tensor([reason is not None for reason in self.reason], device=distance.device)
        found = torch.where(failed, torch.nan, distance)
        return Distances(found, distance, self.reason, self.here, self.n_steps, self.n_evaluations)

    def _round(self, rows: torch.Tensor) -> torch.Tensor:
        """One forward and backward pass and one step of the samples `rows`; those that go on."""
        with torch.enable_grad():
            pixels = self.here[rows].requires_grad_()
            logits = two_classes(self.target.module(self.target.prepare(pixels)), pixels.dtype)
            is_new = self.start[rows] < 0
            self.start[rows] = torch.where(is_new, logits.argmax(1), self.start[rows])
            climbed = self.label[rows] if self.walk.of_label else self.start[rows]
            unit, _ = unit_cotangent(logits, climbed)
            if logits.requires_grad:
                (gradient,) = torch.autograd.grad(logits, pixels, unit, allow_unused=True)
            else:
                gradient = None
        gap, will_do = _gap(logits, self.start[rows], self.walk.theta)
        self.gap_here[rows] = gap
        self.is_on_boundary[rows] = will_do & is_new
        crossed = (gap < 0) & ~is_new
        self.has_crossed[rows] = crossed
        going = ~crossed & ~self.is_on_boundary[rows]
        return self._step(rows, going, torch.zeros_like(self.here[rows]) if gradient is None else gradient)

    def _step(self, rows: torch.Tensor, going: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """One step of those that go on; the others, and those that cannot, are left out of what is returned."""
        # Divided by its largest entry first: squares of a gradient that is small throughout would vanish.
        largest = gradient.flatten(1).abs().amax(1).view(-1, 1, 1, 1)
        gradient = gradient / largest
        direction = gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        has_direction = direction.isfinite().flatten(1).all(1)
        may_step = self.n_steps[rows] < self.walk.max_steps
        for row in rows[going & ~has_direction].tolist():
            self.reason[row] = NO_GRADIENT
        for row in rows[going & has_direction & ~may_step].tolist():
            self.reason[row] = NEVER_CROSSED
        going = going & has_direction & may_step
        rows, direction = rows[going], direction[going]
        if self.walk.is_by_angle:
            self._set_length(rows, direction)
        self.direction[rows] = direction
        self.before[rows], self.gap_before[rows] = self.here[rows], self.gap_here[rows]
        moved = self.here[rows] + self.length[rows].view(-1, 1, 1, 1) * direction
        self.here[rows] = moved.clamp_(0, 1) if self.walk.is_clipped else moved
        self.n_steps[rows] += 1
        return rows

    def _set_length(self, rows: torch.Tensor, direction: torch.Tensor) -> None:
        cosine = (direction * self.direction[rows]).flatten(1).sum(1)
        factor = torch.where(cosine > STRAIGHT, 2.0, torch.where(cosine < BENT, 0.5, 1.0)).to(self.length)
        factor = torch.where(self.n_steps[rows] == 0, 1.0, factor)
        epsilon = self.walk.epsilon
        self.length[rows] = (self.length[rows] * factor).clamp(_SHORTEST * epsilon, _LONGEST * epsilon)

    def _find_crossings(self) -> None:
        """Replace `here` by the crossing between `before` and `here`, some samples at a time."""
        for rows in torch.split(self.has_crossed.nonzero().flatten(), self.walk.n_slots):
            found = roots(self.gap_before[rows], self.gap_here[rows], self._evaluation(rows))
            self.here[rows] = self._between(rows, found.position)
            self.n_evaluations[rows] = found.n_evaluations

    def _evaluation(self, rows: torch.Tensor) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        def evaluate(some: torch.Tensor, position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with torch.no_grad():
                pixels = self._between(rows[some], position)
                logits = two_classes(self.target.module(self.target.prepare(pixels)), pixels.dtype)
            return _gap(logits, self.start[rows[some]], self.walk.theta)

        return evaluate

    def _between(self, rows: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        before, here = self.before[rows].double(), self.here[rows].double()
        return (before + position.view(-1, 1, 1, 1) * (here - before)).to(self.here.dtype)


def _gap(logits: torch.Tensor, start: torch.Tensor, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-odds of the start class against the best other, (n,) float64, and whether confidences agree within theta.

    Log-odds, because confidences hardly move where one of them is nearly 1.
    """
    log_p = torch.log_softmax(logits.detach().double(), dim=1)
    own = log_p.gather(1, start.unsqueeze(1))
    other = log_p.scatter(1, start.unsqueeze(1), -torch.inf).amax(1, keepdim=True)
    return (own - other).squeeze(1), (own.exp() - other.exp()).abs().squeeze(1) < theta
