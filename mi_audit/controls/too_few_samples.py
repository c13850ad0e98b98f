"""Whether every class has samples enough on both sides for what is done by class."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult

MIN_OF_A_SIDE = 10
MIN_PER_CELL = 15


@dataclass(frozen=True)
class TooFewSamples(Control):
    """Counts of the cells class x side.

    Small numbers as such make intervals wide, which leads to no verdict rather than to an invalid one. What fails is
    an audit with fewer than ten held-out samples of a side, and attacks by class where most classes have fewer than
    15 known samples of a side, so that the attack is not there for most samples.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Count; see `Control.check`."""
        cache = evidence.cache
        sides = {"members": cache.is_member, "non-members": ~cache.is_member}
        held_out = {name: int((evidence.is_held_out & side).sum()) for name, side in sides.items()}
        for name, n in held_out.items():
            if n < MIN_OF_A_SIDE:
                return self.result("failed", f"{n} held-out {name}, at least {MIN_OF_A_SIDE} are needed")
        n_classes = len(np.unique(cache.label))
        n_small_known = _n_small(evidence, cache.is_audited & ~evidence.is_held_out)
        selected = next(one for one in evidence.trained.attacks if one.label == evidence.trained.selected)
        if selected.per_class and 2 * n_small_known > n_classes:
            message = f"{n_small_known} of {n_classes} classes have fewer than {MIN_PER_CELL} known samples of a side"
            return self.result("failed", f"{message}, and {selected.label} is fitted by class")
        counts = " and ".join(f"{n:,} {name}" for name, n in held_out.items())
        n_small = _n_small(evidence, evidence.is_held_out)
        message = (
            f"{counts} held out; {n_small} of {n_classes} classes have fewer than {MIN_PER_CELL} of them on a side"
        )
        return self.result("held", message)


def _n_small(evidence: Evidence, rows: np.ndarray) -> int:
    """How many of the classes that there are have too few of these samples on a side."""
    cache = evidence.cache
    counts = [
        np.bincount(cache.label[rows & side], minlength=cache.n_classes) for side in (cache.is_member, ~cache.is_member)
    ]
    smaller = np.minimum(*counts)[np.unique(cache.label)]
    return int((smaller < MIN_PER_CELL).sum())
