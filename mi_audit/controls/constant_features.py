"""Whether what attacks look at differs between samples."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.arrays import Array
from mi_audit.schema.control import ControlResult
from mi_audit.schema.trained_attacks import OUTPUTS


@dataclass(frozen=True)
class ConstantFeatures(Control):
    """A feature that is the same for all audited samples says nothing, and an attack on it is no attack."""

    def check(self, evidence: Evidence) -> ControlResult:
        """Look at what the attacks read; see `Control.check`."""
        cache = evidence.cache
        read = sorted({name for attack in evidence.trained.attacks for name in attack.on})
        has_outputs = OUTPUTS in read and cache.outputs_kind != "labels"
        arrays = {name: cache.features[name] for name in read if name in cache.features}
        arrays |= {OUTPUTS: cache.outputs} if has_outputs else {}
        n_constant = {name: _n_constant(values[cache.is_audited]) for name, values in arrays.items()}
        useless = [name for name, n in n_constant.items() if n == arrays[name].shape[1]]
        if useless:
            return self.result("failed", f"{', '.join(useless)}: the same for all audited samples, or missing for all")
        told = [f"{n:,} of {arrays[name].shape[1]:,} columns of {name}" for name, n in n_constant.items() if n]
        if told:
            return self.result("held", f"the same for all audited samples: {', '.join(told)}; the others differ")
        return self.result("held", f"attacks look at {', '.join(read)}, which differ between samples")


def _n_constant(values: Array) -> int:
    """How many columns have one value, NaN apart."""
    is_missing = np.isnan(values)
    low = np.where(is_missing, np.inf, values).min(axis=0, initial=np.inf)
    high = np.where(is_missing, -np.inf, values).max(axis=0, initial=-np.inf)
    return int((low >= high).sum())
