"""Trained attacks: fitted on the known samples of a feature cache, ready to score its held-out ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from mi_audit.schema import _json
from mi_audit.schema.arrays import Array, checked
from mi_audit.schema.finding import Finding
from mi_audit.schema.statistics import SpreadRow

Protocol = Literal["audit", "paper"]
View = Literal["summary", "confidences"]

OUTPUTS = "outputs"  # what the target answers, among the things that an attack looks at


@dataclass(frozen=True)
class TrainedAttack:
    """One attack as it was fitted, without its payload.

    Attributes:
        label: how reports call it, unique: ``"threshold:entropy"``, ``"mlp on gradient-norm:w"``, ``"mlp on all"``.
        name: of the plug-in.
        options: the plug-in's fields, those that a search chose included.
        view: what it reads of the outputs, ``"summary"`` or ``"confidences"``.
        threshold: a sample is flagged as a member when its score is above, strictly.
        is_fixed: nothing about it was fitted or chosen, so that every sample may be scored.
        per_class: one attack per true class.
        n_classes_skipped: classes with too few samples for an attack of their own.
        balanced_accuracy: cross-validated on the known samples, what the selection went by; ``None`` if not estimable.
        auc: likewise; decides between attacks whose balanced accuracies cannot be told apart.
        n_draws: how many settings the search compared.
        on: what it looks at: ``"outputs"``, and names of features in the cache.
        per_subset: one attack for what the target classifies correctly and one for the rest.
        has_fixed_score: nothing about its score was fitted or chosen, only its threshold was: its ranking of every
            audited sample may be judged, its decisions on held-out samples only. True of a fixed attack too.
    """

    label: str
    name: str
    options: dict[str, Any]
    view: View
    threshold: float
    is_fixed: bool
    per_class: bool
    n_classes_skipped: int
    balanced_accuracy: float | None
    auc: float | None
    n_draws: int
    on: tuple[str, ...] = (OUTPUTS,)
    per_subset: bool = False
    has_fixed_score: bool = False


@dataclass(frozen=True)
class TrainedAttacks:
    """All attacks that were fitted on one feature cache.

    Attributes:
        attacks: in the order of reports.
        payloads: {label: (n_bytes,) uint8}, the fitted state in the attack's own format.
        selected: label of the attack with the best cross-validated balanced accuracy; of those within one standard
            error of it, the one with the highest AUC.
        protocol: which defaults were used.
        known_id: (n_known,) strings, the samples whose membership the attacks were told; never to be scored.
        fitted_on: {array name: SHA-256} of the cache's arrays that were read; binds the attacks to their cache.
        provenance: options, seed, versions, and the provenance of the cache.
        findings: doubts raised while training.
        spread: of the numbers over repeated splits, where that was asked for.

    Raises:
        ValueError: labels that are not unique, payloads that do not belong to them, a selection that is not among them.
    """

    kind: ClassVar[str] = "attacks"

    attacks: tuple[TrainedAttack, ...]
    payloads: dict[str, Array]
    selected: str
    protocol: Protocol
    known_id: Array
    fitted_on: dict[str, str]
    provenance: dict[str, Any]
    findings: tuple[Finding, ...] = ()
    spread: tuple[SpreadRow, ...] = ()

    def __post_init__(self) -> None:
        labels = [attack.label for attack in self.attacks]
        if len(set(labels)) != len(labels) or set(labels) != set(self.payloads):
            raise ValueError(
                f"expected one payload per attack, got attacks {labels} and payloads {sorted(self.payloads)}"
            )
        if self.selected not in labels:
            raise ValueError(f"expected the selected attack to be one of {labels}, got {self.selected!r}")
        payloads = {label: checked(f"payload of {label}", self.payloads[label], (None,), "u") for label in labels}
        object.__setattr__(self, "payloads", payloads)
        object.__setattr__(self, "known_id", checked("known_id", self.known_id, (None,), "U"))
        if len(set(self.known_id.tolist())) != len(self.known_id):
            raise ValueError("expected every known_id to be unique, got duplicates")

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values."""
        names = ("attacks", "selected", "protocol", "fitted_on", "provenance", "findings", "spread")
        return {name: _json.encode(getattr(self, name)) for name in names}

    def arrays(self) -> dict[str, Array]:
        """The arrays by name; payloads as ``payloads/<label>``."""
        payloads = {f"payloads/{label}": payload for label, payload in self.payloads.items()}
        return {"known_id": self.known_id} | payloads

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The trained attacks that these parts make."""
        payloads = {
            name.removeprefix("payloads/"): values for name, values in arrays.items() if name.startswith("payloads/")
        }
        return cls(
            attacks=_json.decode(tuple[TrainedAttack, ...], header["attacks"], "attacks"),
            payloads=payloads,
            selected=_json.decode(str, header["selected"], "selected"),
            protocol=_json.decode(Protocol, header["protocol"], "protocol"),
            known_id=arrays["known_id"],
            fitted_on=_json.decode(dict[str, str], header["fitted_on"], "fitted_on"),
            provenance=_json.decode(dict[str, Any], header["provenance"], "provenance"),
            findings=_json.decode(tuple[Finding, ...], header["findings"], "findings"),
            spread=_json.decode(tuple[SpreadRow, ...], header.get("spread", []), "spread"),
        )
