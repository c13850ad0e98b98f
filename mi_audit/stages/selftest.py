"""The stage ``selftest``: numbers and verdicts against what is known in closed form, and the gate by simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mi_audit.gate.policy import preset
from mi_audit.metrics.bounds import bound
from mi_audit.metrics.comparing import paired_difference
from mi_audit.metrics.intervals import clopper_pearson
from mi_audit.metrics.ranking import auc
from mi_audit.metrics.tolerance import limit, limits
from mi_audit.schema.numerals import in_percent
from mi_audit.stages._simulating import Truth, memorised, outcome, shifted
from mi_audit.stages.progress import Progress, Silence

_RUNS, _QUICK_RUNS = 200, 40
_N = 5000
_STANDARD = preset("standard")


@dataclass(frozen=True)
class Case:
    """One thing that is known, and what came out.

    Attributes:
        name: what it is.
        expected, found: in words.
        holds: whether the two agree.
    """

    name: str
    expected: str
    found: str
    holds: bool


def selftest(*, is_quick: bool = False, seed: int = 0, progress: Progress | None = None) -> tuple[Case, ...]:
    """All cases; the seed fixes the simulation."""
    progress = progress or Silence()
    n_runs = _QUICK_RUNS if is_quick else _RUNS
    simulations = _simulations()
    progress.start("simulating audits", len(simulations))
    cases = _known_answers(np.random.default_rng(seed))
    for number, (name, truth, n, wanted, least, most) in enumerate(simulations):
        rng = np.random.default_rng([seed, number])
        hits = sum(outcome(truth, n, n, _STANDARD, rng) == wanted for _ in range(n_runs))
        cases.append(_rate(f"{name}, {n:,} + {n:,}", wanted, (hits, n_runs), least, most))
        progress.advance(1)
    progress.finish()
    return tuple(cases)


def _simulations() -> tuple[tuple[str, Truth, int, str, float, float], ...]:
    """(truth, its draws, samples of a side, verdict, how often at least, at most)."""
    return (
        ("no leak", shifted(0.0), _N, "FAIL", 0.0, 0.05),
        ("no leak", shifted(0.0), _N, "PASS", 0.8, 1.0),
        ("no leak", shifted(0.0), 500, "INCONCLUSIVE", 0.95, 1.0),
        ("at the tolerance", shifted(_STANDARD.mu), _N, "PASS", 0.0, 0.05),
        ("at the tolerance", shifted(_STANDARD.mu), _N, "FAIL", 0.0, 0.05),
        ("beyond it (mu .65)", shifted(0.65), _N, "FAIL", 0.9, 1.0),
        ("1 % memorised", memorised(0.01), _N, "FAIL", 0.9, 1.0),
    )


def _rate(name: str, wanted: str, hits: tuple[int, int], least: float, most: float) -> Case:
    """Whether a rate can be within its limits: off where an exact interval of 99.8 % lies wholly outside."""
    low, high = clopper_pearson(*hits, level=0.998)
    expected = f"{wanted} at most {in_percent(most, 0)}" if least == 0 else f"{wanted} at least {in_percent(least, 0)}"
    return Case(name, expected, f"{hits[0]} of {hits[1]}", low <= most and high >= least)


def _known_answers(rng: np.random.Generator) -> list[Case]:
    n = 200_000
    is_member = np.arange(2 * n) < n
    gaussian = np.concatenate((rng.normal(_STANDARD.mu, 1, n), rng.normal(size=n)))
    lehmann = np.concatenate((rng.random(n) ** 0.5, rng.random(n)))  # ROC: TPR = 1 - (1 - FAR)^2, AUC = 2 / 3
    cases = [
        _close("AUC of two normal laws", limit("auc", _STANDARD.mu), auc(gaussian, is_member).value),
        _close("AUC of the power family", 2 / 3, auc(lehmann, is_member).value),
        _close("AUC of a constant score", 0.5, auc(np.zeros(2 * n), is_member).value, 1e-12),
        _close("AUC of a binary score, 80 % and 50 %", 0.65, auc(_binary(), np.arange(20) < 10).value, 1e-12),
        _close("AUC against itself", 0.0, paired_difference("auc", gaussian, 0, gaussian, 0, is_member).value, 1e-12),
    ]
    for measure, top in limits(_STANDARD.mu).items():
        found = bound(measure, gaussian, is_member, 1e-4, 1e-4, rng)
        inside = found.low <= top <= found.high
        figures = f"{found.low:.4f} to {found.high:.4f}"
        cases.append(Case(f"bounds on {measure} at the tolerance", f"{top:.4f} inside", figures, inside))
    return cases


def _binary() -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Eight of ten members and five of ten non-members are flagged."""
    return np.repeat([1.0, 0.0, 1.0, 0.0], [8, 2, 5, 5])


def _close(name: str, expected: float, found: float | None, tolerance: float = 0.005) -> Case:
    value = math.nan if found is None else found
    return Case(name, f"{expected:.4f}", f"{value:.4f}", abs(value - expected) <= tolerance)


def rendered(cases: Sequence[Case]) -> str:
    """A table for people."""
    rows = [
        ("case", "expected", "found", ""),
        *((c.name, c.expected, c.found, "ok" if c.holds else "OFF") for c in cases),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    n_off = sum(not case.holds for case in cases)
    return "\n".join([*lines, "", f"{len(cases) - n_off} of {len(cases)} as they should be"]) + "\n"
