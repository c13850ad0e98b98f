"""What a control is: what an audit rests on goes in, and whether it can be trusted comes out."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from mi_audit.schema.control import ControlOutcome, ControlResult
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import TrainedAttacks

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

# Above this AUC a null hypothesis "nothing tells the sides apart" is rejected: splits of large sets are never so even
# that 1/2 itself would hold for every number of samples.
TOLERATED_AUC = 0.52

FULL_TIP = "`mi-audit extract ... --controls full` stores it"


@dataclass(frozen=True)
class Refitted:
    """An attack that was fitted anew.

    Attributes:
        label: of the attack.
        score: (n_samples,) float64, larger = member; NaN for all but (some of) the held-out samples.
    """

    label: str
    score: FloatArray


class Refit(Protocol):
    """Fits an attack of the audit anew on the known samples, and scores the held-out ones."""

    @property
    def n_known(self) -> int:
        """How many known samples a fit reads."""
        ...

    def __call__(self, is_member: BoolArray, outputs: npt.NDArray[np.float32] | None = None) -> Refitted:
        """The attack, refitted.

        Args:
            is_member: (n_samples,) what it is told of the known samples.
            outputs: (n_samples, n_classes) logits to look at in place of those of the target.
        """
        ...


@dataclass(frozen=True)
class Evidence:
    """What controls look at; nothing of it may be changed.

    Attributes:
        cache: the feature cache, with the evidence features that it holds.
        trained: the attacks.
        scores: {label of an attack: (n_samples,) float64}, NaN where a sample is not scored.
        is_held_out: (n_samples,) bool, audited samples that no attack knows.
        declared: facts that the user declared, of `DECLARATIONS`.
        seed: of everything that a control draws.
        refit: fits an attack of the audit anew; ``None`` where nothing can be refitted.
    """

    cache: FeatureCache
    trained: TrainedAttacks
    scores: Mapping[str, FloatArray]
    is_held_out: BoolArray
    declared: tuple[str, ...] = ()
    seed: int = 0
    refit: Refit | None = None

    @property
    def is_black_box(self) -> bool:
        """Whether there are answers only: no model was run, and no image seen."""
        return "weights_digest" not in self.cache.provenance.get("target", {})

    def rng(self, name: str) -> np.random.Generator:
        """A generator of the control's own, so that one control's draws do not depend on another's."""
        return np.random.default_rng([self.seed, *name.encode()])

    def finding(self, slug: str) -> str | None:
        """The message of the first finding of this name that was raised while extracting, or ``None``."""
        return next((found.message for found in self.cache.findings if found.slug == slug), None)


class Control(abc.ABC):
    """A check of the audit itself: pure, the same result for the same evidence.

    Class attributes:
        evidence: names of evidence features that it cannot do without.
        is_test: it gives a p-value; all that do are one family with a level of 1 %, so that the stage decides which of
            them failed, and `check` leaves them as held.
    """

    evidence: ClassVar[tuple[str, ...]] = ()
    is_test: ClassVar[bool] = False

    @property
    def slug(self) -> str:
        """The name of the plug-in."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @abc.abstractmethod
    def check(self, evidence: Evidence) -> ControlResult:
        """What the control finds."""

    def result(self, outcome: ControlOutcome, message: str, p_value: float | None = None) -> ControlResult:
        """A result under the name of this control."""
        return ControlResult(self.slug, outcome, message, p_value)

    def lacking(self, evidence: Evidence) -> ControlResult | None:
        """The result where evidence is missing; ``None`` where all is there."""
        missing = [name for name in self.evidence if name not in evidence.cache.features]
        if not missing:
            return None
        if evidence.is_black_box:
            return self.result(
                "no evidence", f"{missing[0]} needs the images and the model, and there are answers only"
            )
        return self.result("no evidence", f"the feature cache holds no {missing[0]}; {FULL_TIP}")


def float_rows(cache: FeatureCache, name: str) -> npt.NDArray[Any]:
    """(n_samples, n_columns) float64 of a feature."""
    return np.asarray(cache.features[name], dtype=np.float64)
