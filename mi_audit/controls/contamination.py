"""What was declared of samples or reference models that are not what they should be (--declare)."""

from dataclasses import dataclass

from mi_audit.controls._declarations import DECLARATIONS, PURITY, REFERENCE, SELECTION, TRAINING
from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult

_FAILING = {
    TRAINING: "non-members that are members raise the false alarm rate by their own recall, and hide leakage",
    REFERENCE: "a reference model that knows the members cancels what is to be measured, and fakes a clean audit",
}
_WEAKENING = {
    SELECTION: "leakage is under-reported, since the target was chosen to do well on them",
    PURITY: "of a share d not trained on, the AUC that is seen is d / 2 + (1 - d) times the real one",
}


@dataclass(frozen=True)
class Contamination(Control):
    """Split provenance and purity (methods C11, C12), which nothing but the user can tell."""

    def check(self, evidence: Evidence) -> ControlResult:
        """Say what was declared, and what follows; see `Control.check`."""
        failing = [name for name in evidence.declared if name in _FAILING]
        if failing:
            return self.result("failed", "; ".join(f"{DECLARATIONS[name]}: {_FAILING[name]}" for name in failing))
        weakening = [name for name in evidence.declared if name in _WEAKENING]
        if weakening:
            return self.result("held", "; ".join(f"{DECLARATIONS[name]}: {_WEAKENING[name]}" for name in weakening))
        return self.result("held", "no contamination was declared; nothing in the files could show it")
