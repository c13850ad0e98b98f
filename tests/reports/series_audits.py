"""Audits of the epochs of a training run that overfits: the gap grows, and the last errors on members vanish."""

from dataclasses import replace

from mi_audit.schema.audit import AttackRow, Audit, Subset
from tests.reports import audits, full_audits

EPOCHS = (1, 5, 10, 20, 40, 80)
HELD_OUT = (1_000, 500)


def at(epoch: int) -> Audit:
    """One epoch: members and non-members classified correctly, the attack, and the naive attack beside it."""
    known, seen = 0.3 + 0.7 * EPOCHS.index(epoch) / 5, 0.3 + 0.1 * EPOCHS.index(epoch) / 5
    rows = (
        _row(HELD_OUT, "all", 0.5 + 0.4 * (known - 0.3), 0.5 - 0.3 * (known - 0.3), (known, seen)),
        _row(_share(known, seen), "correct", 0.5 + 0.2 * (known - 0.3), 0.6 - 0.2 * (known - 0.3), (1.0, 1.0)),
        _row(_share(1 - known, 1 - seen), "misclassified", 0.5, 0.4 - 0.3 * (known - 0.3), (0.0, 0.0)),
    )
    accuracy = (audits.accuracy_row("full", (2_000, 1_000), known, seen),)
    provenance = audits.PROVENANCE | {"series": {"epoch": epoch}}
    return replace(audits.normal(), rows=rows, accuracy=accuracy, provenance=provenance)


def _row(sizes: tuple[int, int], subset: Subset, recall: float, far: float, naive: tuple[float, float]) -> AttackRow:
    return audits.attack_row("xgboost", sizes, recall, far, 0.6, naive=naive, subset=subset)


def _share(known: float, seen: float) -> tuple[int, int]:
    return round(HELD_OUT[0] * known), round(HELD_OUT[1] * seen)


def series() -> list[Audit]:
    """From the first epoch to the last, at which no member is misclassified any more."""
    return [at(epoch) for epoch in EPOCHS]


def full() -> list[Audit]:
    """The same, the last one with everything that a page can show, gated."""
    made = series()
    gated = [replace(audit, verdict=full_audits.verdict("PASS")) for audit in made[:-1]]
    last = full_audits.full()
    rows = (*made[-1].rows, *_others(last))
    return [*gated, replace(last, rows=rows, accuracy=made[-1].accuracy, provenance=made[-1].provenance)]


def _others(audit: Audit) -> tuple[AttackRow, ...]:
    """All rows but those that the series has of its own."""
    own = {"xgboost", "naive"}
    return tuple(row for row in audit.rows if row.attack not in own or row.image_class is not None)


def hostile() -> list[Audit]:
    """Names, titles and verdicts from strangers, without an epoch."""
    bad = full_audits.full_hostile()
    return [bad, replace(bad, title=audits.HOSTILE[2])]
