"""Whether members and non-members came to the target in the same way."""

from dataclasses import dataclass

from mi_audit.controls._declarations import DECLARATIONS, PIPELINE
from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult


@dataclass(frozen=True)
class SamePipeline(Control):
    """One function reads and prepares both sides (methods C4), by construction; files may differ before that.

    Where there are predictions only, nobody saw how they were made.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Say what is known of it; see `Control.check`."""
        if PIPELINE in evidence.declared:
            return self.result("failed", f"{DECLARATIONS[PIPELINE]}: attacks may tell the two ways apart")
        if evidence.is_black_box:
            return self.result(
                "not applicable", "there are answers only; how the images came to the target is not known"
            )
        return self.result("held", "both sides were read and prepared by the same code, without augmentation")
