"""Finding what a report needs in an audit, none of which has to be there."""

from collections.abc import Mapping

from mi_audit.schema.audit import AccuracyRow, AttackRow, Audit, ClassAverageRow, ConfidenceRow, Samples, Subset
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.provenance import found_at
from mi_audit.schema.trained_attacks import TrainedAttack

NAIVE = "naive"
ALL = "all"
ZERO_R = "zero-r"


def row(audit: Audit, attack: str, subset: Subset = "all", samples: Samples = "held-out") -> AttackRow | None:
    """The row of an attack over all classes, or ``None``."""
    try:
        return audit.row(attack, subset, samples)
    except KeyError:
        return None


def headline(audit: Audit) -> AttackRow | None:
    """The row of the selected attack on all held-out samples."""
    return row(audit, audit.selected)


def naive_metrics(audit: Audit, subset: Subset = "all") -> Mapping[str, Estimate]:
    """The naive attack on the held-out samples: its own row, or the baseline beside the selected attack."""
    own = row(audit, NAIVE, subset)
    if own is not None:
        return own.metrics
    beside = row(audit, audit.selected, subset)
    return beside.naive if beside is not None else {}


def best_by_sight(audit: Audit) -> dict[str, TrainedAttack]:
    """The best attack on each thing that attacks look at, by its name in labels, in the order of reports.

    The selected attack, or the one that did best on the known samples; attacks that look at nothing are left out.
    """
    by_sight: dict[str, list[TrainedAttack]] = {}
    for attack in audit.attacks:
        if not attack.is_fixed:
            by_sight.setdefault(_sight(attack), []).append(attack)
    return {
        name: max(own, key=lambda one: (one.label == audit.selected, one.balanced_accuracy or 0.0, one.auc or 0.0))
        for name, own in by_sight.items()
    }


def _sight(attack: TrainedAttack) -> str:
    return attack.on[0] if len(attack.on) == 1 else ALL


def accuracy(audit: Audit, samples: Samples = "full") -> AccuracyRow | None:
    """The accuracy of the target on these samples."""
    return next((found for found in audit.accuracy if found.samples == samples), None)


def confidence(audit: Audit, subset: Subset) -> ConfidenceRow | None:
    """The confidence of the target on this subset."""
    return next((found for found in audit.confidence if found.subset == subset), None)


def class_average(audit: Audit, attack: str, subset: Subset = "all") -> ClassAverageRow | None:
    """The averages over classes of an attack."""
    return next((found for found in audit.class_averages if (found.attack, found.subset) == (attack, subset)), None)


def class_name(audit: Audit, image_class: int) -> str:
    """The name of a class; its position where it has none."""
    known = 0 <= image_class < len(audit.class_names)
    return audit.class_names[image_class] if known else str(image_class)


def provenance(audit: Audit, *path: str) -> object:
    """What the provenance says at this path, or ``None``."""
    return found_at(audit.provenance, *path)


def provenance_text(audit: Audit, *path: str) -> str:
    """What the provenance says at this path as text; empty where it is no text or number."""
    found = provenance(audit, *path)
    return str(found) if isinstance(found, str | int | float) else ""
