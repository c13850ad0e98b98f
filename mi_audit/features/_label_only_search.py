"""HopSkipJump: how near another class is, asking for nothing but predicted labels; many images at once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from mi_audit.target_model import TargetModel, two_classes

DIRECTIONS_AT_ONCE = 16
NO_START = "no starting point of another class"

# Candidates for a starting point: noise in so many cells a side; coarse ones are classified in more ways.
_CELLS, _N_CANDIDATES = (0, 4, 2, 1), 64
# A point is on the boundary when it is known to this share of its distance. The paper's d ** -1.5 is below float32
# for large images.
_FINEST = 1e-5
_FIRST_RADIUS = 0.1
_FEWEST_DIRECTIONS = 8
_SPARE = 4  # queries kept for the length of a step
_MAX_HALVINGS = 20
_PIXELS_AT_ONCE = 1 << 23


@dataclass(frozen=True)
class Budget:
    """What may be asked.

    Attributes:
        n_queries: of each image at most.
        n_directions: to estimate the first gradient from; the t-th takes the square root of t times as many.
        seed: of all that is random. Every image sees the same noise, so that its row depends on itself alone.
    """

    n_queries: int
    n_directions: int
    seed: int


@dataclass(frozen=True)
class Found:
    """Of n images.

    Attributes:
        distance: (n,) float64, L2 in [0, 1] pixels, 0 for an image that is misclassified, NaN for no starting point.
        end: (n, ...) the nearest point found of another class; the image itself where there is none.
        n_queries: (n,) int64, how many labels were asked for.
    """

    distance: torch.Tensor
    end: torch.Tensor
    n_queries: torch.Tensor


class LabelOnlySearch:
    """HopSkipJump with the L2 norm, untargeted (Chen, Jordan & Wainwright, S&P 2020, algorithms 1 and 2).

    From a point of another class: to the boundary by bisection on the line to the image; there the direction in which
    points change class, estimated from random ones; along it as far as the class stays another, a geometric search
    from the distance over the square root of the iteration; and again.

    Args:
        target: with frozen parameters, in eval mode.
        pixels: (n, channels, height, width) in [0, 1], left as it is.
        label: (n,) true classes.
        budget: of queries.
    """

    def __init__(self, target: TargetModel, pixels: torch.Tensor, label: torch.Tensor, budget: Budget) -> None:
        self.target, self.origin, self.label, self.budget = target, pixels.detach(), label, budget
        self.n_queries = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)
        self.at_boundary, self.end = self.origin.clone(), self.origin.clone()
        self.distance = torch.full((len(pixels),), torch.inf, dtype=torch.float64, device=pixels.device)
        n_numbers = pixels[0].numel()
        self.tolerance = max(n_numbers**-1.5, _FINEST)
        self.n_bisections = math.ceil(math.log2(1 / self.tolerance))
        self.reach = math.sqrt(n_numbers) * self.tolerance

    @torch.no_grad()
    def run(self) -> Found:
        """Search until every image has spent its queries."""
        everything = torch.arange(len(self.origin), device=self.origin.device)
        is_wrong = self._is_other(everything, self.origin)
        self.distance[is_wrong] = 0
        active = self._start(everything[~is_wrong])
        iteration = 0
        while len(active):
            iteration += 1
            n_wanted = int(self.budget.n_directions * math.sqrt(iteration))
            left = self.budget.n_queries - self.n_queries[active] - self.n_bisections - _SPARE
            active, left = active[left >= _FEWEST_DIRECTIONS], left[left >= _FEWEST_DIRECTIONS]
            self._hop(active, left.clamp(max=n_wanted), iteration)
        distance = torch.where(self.distance.isfinite(), self.distance, torch.nan)
        return Found(distance, self.end, self.n_queries)

    def _is_other(self, rows: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Whether the labels of points, each asked for on behalf of an image, are not that image's; they count."""
        if not len(rows):
            return rows.bool()  # many networks cannot take an empty batch
        self.n_queries.index_add_(0, rows, torch.ones_like(rows))
        size = max(1, _PIXELS_AT_ONCE // max(1, points[:1].numel()))
        found = [
            two_classes(self.target.module(self.target.prepare(some)), some.dtype).argmax(1)
            for some in torch.split(points, size)
        ]
        return torch.cat(found) != self.label[rows]

    def _start(self, rows: torch.Tensor) -> torch.Tensor:
        """Put images on the boundary, on the way to the first candidate of another class; those for which one is."""
        waiting, begun = rows, [rows[:0]]
        for candidate in self._candidates():
            if not len(waiting) or int(self.n_queries[waiting[0]]) + self.n_bisections >= self.budget.n_queries:
                break
            points = candidate.expand(len(waiting), *candidate.shape)
            is_other = self._is_other(waiting, points)
            self._to_boundary(waiting[is_other], points[is_other])
            begun.append(waiting[is_other])
            waiting = waiting[~is_other]
        return torch.cat(begun).sort().values

    def _candidates(self) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(self.budget.seed)
        channels, height, width = self.origin.shape[1:]
        for number in range(_N_CANDIDATES):
            cells = _CELLS[number % len(_CELLS)]
            size = (min(height, cells), min(width, cells)) if cells else (height, width)
            coarse = torch.rand((1, channels, *size), generator=generator)
            noise = torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")
            yield noise[0].to(self.origin)

    def _to_boundary(self, rows: torch.Tensor, outside: torch.Tensor) -> None:
        """Bisect between the images and points of another class; what is kept is on the points' side."""
        inner, outer = (torch.full((len(rows),), end, dtype=torch.float64, device=rows.device) for end in (0.0, 1.0))
        for _ in range(self.n_bisections):
            middle = (inner + outer) / 2
            is_other = self._is_other(rows, self._blend(rows, outside, middle))
            inner, outer = torch.where(is_other, inner, middle), torch.where(is_other, middle, outer)
        found = self._blend(rows, outside, outer)
        self.at_boundary[rows] = found
        distance = (found.double() - self.origin[rows].double()).flatten(1).norm(dim=1)
        is_nearer = distance < self.distance[rows]
        self.end[rows[is_nearer]], self.distance[rows[is_nearer]] = found[is_nearer], distance[is_nearer]

    def _blend(self, rows: torch.Tensor, outside: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        image = self.origin[rows].double()
        return (image + _wide(share) * (outside.double() - image)).to(self.origin)

    def _hop(self, rows: torch.Tensor, n_directions: torch.Tensor, iteration: int) -> None:
        """One iteration of algorithm 2 for images on the boundary."""
        here = self.at_boundary[rows]
        distance = (here.double() - self.origin[rows].double()).flatten(1).norm(dim=1)
        radius = torch.full_like(distance, _FIRST_RADIUS) if iteration == 1 else self.reach * distance
        direction = self._direction(rows, radius.to(here), n_directions, iteration)
        length, is_open = distance / math.sqrt(iteration), torch.ones_like(rows, dtype=torch.bool)
        moved = here.clone()
        for _ in range(_MAX_HALVINGS):
            is_open &= self.n_queries[rows] + self.n_bisections < self.budget.n_queries
            some = is_open.nonzero().flatten()
            if not len(some):
                break
            tried = (here[some] + _wide(length[some]).to(here) * direction[some]).clamp_(0, 1)
            is_other = self._is_other(rows[some], tried)
            moved[some[is_other]] = tried[is_other]
            is_open[some[is_other]] = False
            length[some] /= 2
        self._to_boundary(rows, moved)

    def _direction(
        self, rows: torch.Tensor, radius: torch.Tensor, n_directions: torch.Tensor, iteration: int
    ) -> torch.Tensor:
        """(n, ...) unit vectors towards the other side: random ones weighted by the side they lead to (equation 16)."""
        generator = torch.Generator().manual_seed((self.budget.seed + 1) * 100_003 + iteration)
        here, shape = self.at_boundary[rows], self.origin.shape[1:]
        total, weighted = torch.zeros_like(here), torch.zeros_like(here)
        balance = torch.zeros(len(rows), dtype=here.dtype, device=here.device)
        for first in range(0, int(n_directions.max()) if len(rows) else 0, DIRECTIONS_AT_ONCE):
            noise = torch.randn((DIRECTIONS_AT_ONCE, *shape), generator=generator).to(here)
            noise = noise / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            points = (here.unsqueeze(1) + radius.view(-1, 1, 1, 1, 1) * noise).clamp_(0, 1)
            is_asked = first + torch.arange(DIRECTIONS_AT_ONCE, device=here.device) < n_directions.unsqueeze(1)
            side = torch.zeros_like(is_asked, dtype=here.dtype)
            asked = rows.unsqueeze(1).expand_as(is_asked)[is_asked]
            side[is_asked] = self._is_other(asked, points[is_asked]).to(here) * 2 - 1
            # What was asked about is the clipped step, and rounded as it was.
            steps = (points - here.unsqueeze(1)) * is_asked.view(*is_asked.shape, 1, 1, 1)
            total += steps.sum(1)
            weighted += (steps * side.view(*side.shape, 1, 1, 1)).sum(1)
            balance += side.sum(1)
        mean = balance / n_directions
        is_mixed = mean.abs() < 1
        # The mean side is taken off, which lowers the variance; where all are on one side nothing would be left.
        found = torch.where(_wide(is_mixed), weighted - _wide(mean) * total, weighted)
        unit: torch.Tensor = found / _wide(found.flatten(1).norm(dim=1).clamp(min=torch.finfo(found.dtype).tiny))
        return unit


def _wide(values: torch.Tensor) -> torch.Tensor:
    """(n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
