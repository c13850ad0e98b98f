"""Whether the target answers the same question the same way: alone or in a batch, the first time and the second."""

import numpy as np
import numpy.typing as npt

from mi_audit.errors import OutputsError
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._preflight.accuracy import accuracy_findings
from mi_audit.stages._probing import Probing
from mi_audit.stages.progress import Progress
from mi_audit.target_model import TargetModel

N_OF_A_SIDE, N_ALONE = 64, 8
# Of the largest logit, or of 1 where that is smaller. Kernels that add in another order differ by about 1e-6 of it.
MAX_DIFFERENCE = 1e-3


def behaviour_findings(extraction: Extraction, batch_size: int, progress: Progress) -> list[Finding]:
    """Doubts that a few samples are enough for, before the long work.

    Args:
        extraction: ready to run.
        batch_size: of the long work.
        progress: told at once where the target looks untrained; the finding on all samples comes later.

    Raises:
        OutputsError: the network switches itself to training mode.
    """
    probe = Probing(extraction.data, extraction.options.seed, N_OF_A_SIDE)(extraction.target.preprocessing)
    if not len(probe.label):
        return []
    together, again = (_logits(extraction.target, probe.images, batch_size) for _ in range(2))
    if any(module.training for module in extraction.target.module.modules()):
        raise OutputsError(
            "the network switches itself to training mode when it runs",
            tip="take .train() out of its forward(): a target is audited as it is used",
        )
    if not (np.isfinite(together).all() and np.isfinite(again).all()):
        return []  # the long work counts and names them
    if len(set(probe.is_member.tolist())) == 2:
        predicted, model = together.argmax(axis=1), extraction.options.model
        found = accuracy_findings(probe.label, predicted, probe.is_member, model=model)
        for finding in found:
            progress.say(f"on the first {len(probe.label)} samples looked at, {finding.message}")
        if any(finding.severity == "error" for finding in found):
            progress.say("if the others are like these, a policy will call the audit INVALID: Ctrl-C stops it now")
    if (difference := _difference(together, again)) > MAX_DIFFERENCE:
        return [_vary(difference)]
    return _depends_on_batch(extraction.target, probe.images, together)


def _logits(target: TargetModel, images: npt.NDArray[np.uint8], batch_size: int) -> npt.NDArray[np.float32]:
    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        return images[start:stop].copy()

    return np.concatenate(list(_forward.forward(target, read, 0, len(images), batch_size, lambda _: None)))


def _difference(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    return float(np.abs(left - right).max() / max(1.0, float(np.abs(left).max())))


def _vary(difference: float) -> Finding:
    message = (
        f"the target's outputs for the same images change from call to call by {difference:.2g} of the largest: "
        "something in it draws random numbers, or learns while it is asked"
    )
    return Finding("outputs-vary", "error", message)


def _depends_on_batch(
    target: TargetModel, images: npt.NDArray[np.uint8], together: npt.NDArray[np.float32]
) -> list[Finding]:
    rows = np.unique(np.linspace(0, len(images) - 1, N_ALONE).astype(np.int64))
    try:
        difference = _difference(together[rows], _logits(target, images[rows], 1))
    except (ValueError, RuntimeError):  # batch statistics of one image do not exist
        message = "the target cannot take one image alone: its outputs depend on the rest of the batch"
        return [Finding("batch-dependent", "error", message)]
    if difference <= MAX_DIFFERENCE:
        return []
    message = (
        f"the target's outputs for an image alone differ from those in a batch by {difference:.2g} of the largest: "
        "they depend on the rest of the batch"
    )
    return [Finding("batch-dependent", "error", message)]
