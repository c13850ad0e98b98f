"""The tables about how sure one can be: bounds, what an alarm is worth, classes that leak, what sizes can show."""

from mi_audit.reports import _format, _lookup
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.statistics import BoundRow, ClassLeakRow, Measure, PowerRow

_SHOWN: tuple[Measure, ...] = ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001")
_NAMES = {
    "auc": "AUC",
    "tpr_at_fpr.0.01": "recall at FAR 1 %",
    "tpr_at_fpr.0.001": "recall at FAR 0.1 %",
    "loss_tnr.0.001": "lower tail at 0.1 %",
}
_HEADINGS = {
    "auc": "AUC",
    "tpr_at_fpr.0.01": "recall at\nFAR 1 %",
    "tpr_at_fpr.0.001": "recall at\nFAR 0.1 %",
}
_LEAKING = 0.05
_N_CLASSES = 3


def bounds(audit: Audit) -> Table | None:
    """Bounds, epsilon and the p-value of every attack; ``None`` in an audit without statistics."""
    found = audit.statistics
    by_attack: dict[str, dict[str, BoundRow]] = {}
    for row in found.bounds:  # of the selected attack, those on held-out samples come last and are shown
        by_attack.setdefault(row.attack, {})[row.measure] = row
    if not by_attack:
        return None
    epsilon = {row.attack: str(numerals.rounded(row.epsilon, 2)) for row in found.privacy}
    p_value = {row.attack: _p_value(row.p_value) for row in found.chances}
    rows = tuple(
        Row(
            (label, *(_range(own.get(key)) for key in _SHOWN), epsilon.get(label, ""), p_value.get(label, "")),
            is_marked=label == audit.selected,
        )
        for label, own in by_attack.items()
    )
    heads = (
        Column("attack", is_text=True),
        *(Column(_NAMES[key], _HEADINGS[key]) for key in _SHOWN),
        Column("epsilon, at least", "epsilon\nat least"),
        Column("p, chance", "p,\nchance"),
    )
    return Table(
        "One-sided bounds of every attack, lowest to highest, rates in %",
        heads,
        rows,
        _bound_notes(audit),
    )


def _bound_notes(audit: Audit) -> tuple[str, ...]:
    found = audit.statistics
    alpha = numerals.percent(found.alpha, 0)
    meaning = (
        f"Upper bounds are wrong in at most {alpha} % of audits, lower ones too, all {found.n_looks} of an attack "
        "together. Rates by the exact box, ties broken at random; AUC by DeLong. A score that is a fixed "
        "formula is read on all audited samples, unless it was selected."
    )
    notes = [meaning]
    short = {row.measure: row for row in found.bounds if row.value is None and row.measure in _SHOWN}
    notes += [
        f"No lower bound for {_NAMES[key]}: it needs at least {numerals.count(row.n_needed)} non-members, "
        f"there are {numerals.count(row.n_non_members)}."
        for key, row in short.items()
    ]
    flat = dict.fromkeys(row.attack for row in found.bounds if not row.is_informative)
    notes += [f"{label} gives all samples one score and says nothing." for label in flat]
    if found.chances:
        notes.append(
            f"p: how often the best of all attacks does as well when membership is shuffled within classes "
            f"({numerals.count(found.chances[0].n_permutations)} times)."
        )
    if found.privacy:
        notes.append("Epsilon: of this one model, averaged over samples; not an audit of how it was trained.")
        notes += _about_epsilon(audit)
    return tuple(notes)


def _about_epsilon(audit: Audit) -> list[str]:
    """Why an attack that was not chosen can have a higher epsilon than the one that was."""
    epsilon = {row.attack: row.epsilon for row in audit.statistics.privacy}
    higher = [label for label, value in epsilon.items() if value > epsilon.get(audit.selected, value)]
    if not higher:
        return []
    why = (
        f"{higher[0]} has a higher epsilon than {audit.selected} and is no better attack for that: epsilon bounds the "
        "worst direction at one threshold, where an attack may hardly ever be wrong, and not the average over samples."
    )
    return [why]


def worth(audit: Audit) -> Table | None:
    """What an alarm of the selected attack is worth where members are rare; ``None`` without statistics."""
    shown = [row for row in audit.statistics.priors if row.attack == audit.selected]
    if not shown:
        return None
    rows = tuple(
        Row((numerals.percent(row.prior, 1), _format.with_interval("ppv", row.ppv), _times(row.lift))) for row in shown
    )
    heads = (
        Column("members among those asked about, %", "members among\nthose asked about"),
        Column("members among the flagged, %", "members among\nthe flagged"),
        Column("lift"),
    )
    title = f"What an alarm of {audit.selected} is worth, in %"
    return Table(title, heads, rows, ("At its own threshold, which was fixed on other samples.",))


def classes(audit: Audit) -> Table | None:
    """The classes that leak most, and how many do; ``None`` where none has enough samples."""
    shown = audit.statistics.class_leaks
    if not shown:
        return None
    worst = sorted(shown, key=lambda row: (row.p_value, -row.shrunk))[:_N_CLASSES]
    n_leaking = sum(row.p_holm < _LEAKING for row in shown)
    n_left_out = len(audit.class_names) - len(shown)
    leaking = f"{numerals.counted(n_leaking, 'class')} of {numerals.count(len(shown))}"
    notes = [f"{leaking} leak beyond chance (AUC above 0.5, corrected for their number)."]
    if n_left_out > 0:
        notes.append(f"{numerals.counted(n_left_out, 'class')} with too few samples of one side left out.")
    heads = (
        Column("class", is_text=True),
        Column("members"),
        Column("non-members", "non-\nmembers"),
        Column("AUC"),
        Column("AUC, drawn to the mean", "drawn to\nthe mean"),
        Column("p, corrected", "p, cor-\nrected"),
    )
    rows = tuple(_class_row(audit, row) for row in worst)
    return Table(f"Classes that leak most under {audit.selected}", heads, rows, tuple(notes))


def power(audit: Audit) -> Table | None:
    """What these sample sizes can detect, fail and pass; ``None`` without statistics."""
    shown = audit.statistics.power
    if not shown:
        return None
    heads = (
        Column("measure", is_text=True),
        Column("guessing"),
        Column("told from guessing, from", "told from\nguessing"),
        Column("limit"),
        Column("fails, from", "fails\nfrom"),
        Column("passes, up to", "passes\nup to"),
        Column("samples of a side for a clean model to pass", "needed\nto pass"),
    )
    sizes = f"{numerals.count(shown[0].n_members)} members and {numerals.count(shown[0].n_non_members)} non-members"
    notes = (
        f"With {sizes}, in four of five audits, for one attack; rates in %.",
        "Needed: of each side, where nothing leaks.",
    )
    return Table("What these sample sizes can show", heads, tuple(_power_row(row) for row in shown), notes)


def _class_row(audit: Audit, row: ClassLeakRow) -> Row:
    return Row(
        (
            _lookup.class_name(audit, row.image_class),
            numerals.count(row.n_members),
            numerals.count(row.n_non_members),
            _format.with_interval("auc", row.auc),
            _format.number("auc", row.shrunk),
            _p_value(row.p_holm),
        )
    )


def _power_row(row: PowerRow) -> Row:
    values = (row.chance, row.detectable, row.limit, row.failing, row.passing)
    shown = (_format.DASH if value is None else _format.number(row.measure, value) for value in values)
    needed = "never" if row.n_needed is None else numerals.count(row.n_needed)
    return Row((_NAMES[row.measure], *shown, needed))


def _range(row: BoundRow | None) -> str:
    if row is None:
        return ""
    return _format.interval(row.measure, Estimate(None, row.low, row.high, "bounds only"))


def _times(lift: Estimate) -> str:
    """A factor with its interval, ``"9.2 (6.1-14.0)"``."""
    if lift.value is None or lift.low is None or lift.high is None:
        return _format.DASH
    low, high = numerals.rounded(lift.low, 1), numerals.rounded(lift.high, 1)
    return f"{numerals.rounded(lift.value, 1)}{_format.NO_BREAK_SPACE}({low}{_format.DASH}{high})"


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.0005 else str(numerals.rounded(value, 3))
