"""Roots of many functions of one variable at once, each evaluation a batch: regula falsi that does not get stuck."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

# Proposals keep this share of the bracket away from its ends, so that every evaluation shrinks it.
_MARGIN = 1e-3
_BISECT_AFTER, MAX_EVALUATIONS = 20, 60
# A bracket this small, as a share of the segment, is below what float32 pixels tell apart.
_SMALLEST = 1e-9

# (rows, positions in [0, 1]) -> gap (positive at 0, negative at 1) and whether the position will do.
Evaluate = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Roots:
    """Where n functions change sign.

    Attributes:
        position: (n,) float64 in [0, 1].
        n_evaluations: (n,) int64.
    """

    position: torch.Tensor
    n_evaluations: torch.Tensor


def roots(at_start: torch.Tensor, at_end: torch.Tensor, evaluate: Evaluate) -> Roots:
    """The position of a change of sign of each function, where `evaluate` says that it will do.

    The stored value of an end that was kept twice is made smaller (Anderson & Bjorck, BIT 1973: as a parabola through
    the last points has it, or halved as by the Illinois rule where that makes no sense); a function that this does not
    settle quickly is bisected. A jump is found as closely as positions can be told apart.

    Args:
        at_start: (n,) float64, values at 0, not negative.
        at_end: (n,) float64, values at 1, not positive.
        evaluate: the functions.
    """
    low, high = torch.zeros_like(at_start), torch.ones_like(at_start)
    of_low, of_high = at_start.clone(), at_end.clone()
    last_side = torch.zeros_like(at_start)
    position, count = torch.full_like(low, 0.5), torch.zeros(len(low), dtype=torch.int64, device=low.device)
    open_rows = torch.arange(len(low), device=low.device)
    for number in range(MAX_EVALUATIONS):
        if not len(open_rows):
            break
        a, b, f, g = low[open_rows], high[open_rows], of_low[open_rows], of_high[open_rows]
        proposal = _proposal(a, b, f, g) if number < _BISECT_AFTER else (a + b) / 2
        gap, will_do = evaluate(open_rows, proposal)
        position[open_rows] = proposal
        count[open_rows] += 1
        side = torch.where(gap > 0, 1.0, -1.0).to(low.dtype)
        is_repeated = side == last_side[open_rows]
        low[open_rows], high[open_rows] = torch.where(side > 0, proposal, a), torch.where(side > 0, b, proposal)
        of_low[open_rows] = torch.where(side > 0, gap, torch.where(is_repeated, f * _shrinking(gap, g), f))
        of_high[open_rows] = torch.where(side > 0, torch.where(is_repeated, g * _shrinking(gap, f), g), gap)
        last_side[open_rows] = side
        is_open = ~will_do & (high[open_rows] - low[open_rows] > _SMALLEST)
        open_rows = open_rows[is_open]
    return Roots(position, count)


def _shrinking(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    """What the value of the end that stays is multiplied with, after `new` came in the place of `old` at the other."""
    factor = 1 - new / old
    return torch.where(factor > 0, factor, 0.5)


def _proposal(a: torch.Tensor, b: torch.Tensor, f: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Where the line through (a, f) and (b, g) crosses zero, a little away from a and b; their middle where f = g."""
    share = torch.where(f - g > 0, f / (f - g), 0.5)
    return a + share.nan_to_num(0.5).clamp(_MARGIN, 1 - _MARGIN) * (b - a)
