"""What an audit means, in plain words and from the numbers in the record alone.

It states what was measured. It never says that a model is safe or private: an attack that fails shows only that it
failed.
"""

from mi_audit.reports import _format, _lookup
from mi_audit.reports._attack_tables import FEW_SAMPLES
from mi_audit.schema import numerals
from mi_audit.schema.audit import AttackRow, Audit

FINDINGS = "the findings below"  # which a page links to
_GUESSING = 0.5


def sentence(audit: Audit) -> str:
    """One or two sentences: how well the selected attack does, against naive and guessing, and what weakens that."""
    headline = _lookup.headline(audit)
    if headline is None:
        parts = ["How well an attack tells members from non-members is not estimable (no held-out samples)."]
    else:
        parts = [_result(audit, headline), *_small(headline)]
    return " ".join([*parts, *_limits(audit), *_doubts(audit)])


def _result(audit: Audit, headline: AttackRow) -> str:
    leak = headline.metrics.get("balanced_accuracy")
    if leak is None or leak.value is None:
        reason = leak.reason if leak is not None else "no balanced accuracy"
        return f"How well an attack tells members from non-members is not estimable ({reason})."
    figure = f"{_share(leak.value)} balanced accuracy"
    if leak.low is not None and leak.high is not None and leak.low <= _GUESSING:
        figures = f"{figure}, interval {_percent(leak.low)} to {_share(leak.high)}"
        return _near_guessing(audit, figures, is_below=leak.high < _GUESSING)
    alarm = headline.metrics.get("false_alarm_rate")
    alarms = f"{_share(alarm.value)} of non-members" if alarm and alarm.value is not None else ""
    clause = f", and raises a false alarm on {alarms}" if alarms else ""
    return f"{_subject(audit)} tells members from non-members with {figure}{_against_naive(audit, leak.value)}{clause}."


def _near_guessing(audit: Audit, figures: str, *, is_below: bool) -> str:
    """The interval reaches down to 50 %, or lies below it."""
    if is_below:
        start = f"{_subject(audit)} does worse than guessing (50 %) on held-out samples"
        return f"{start}: {figures}. Look for a mistake first."
    start = f"{_subject(audit)} was not shown to do better than guessing (50 %) on held-out samples"
    return f"{start}: {figures}. That is no evidence against stronger attacks."


def _subject(audit: Audit) -> str:
    if audit.selected == _lookup.NAIVE:
        return "The best attack on the known samples, the naive one (member if classified correctly),"
    return f"The best attack ({_format.shortened(audit.selected, 60)}, chosen on known samples)"


def _against_naive(audit: Audit, leak: float) -> str:
    """Above or below the naive attack, as the difference of the two numbers that the reader sees."""
    if audit.selected == _lookup.NAIVE:
        return ""
    headline = _lookup.headline(audit)
    naive = headline.naive.get("balanced_accuracy") if headline is not None else None
    if naive is None or naive.value is None:
        return ""
    points = numerals.rounded(100 * leak, 1) - numerals.rounded(100 * naive.value, 1)
    if points == 0:
        return f", the same as the naive attack ({_share(naive.value)})"
    side = "above" if points > 0 else "below"
    noun = "point" if abs(points) == 1 else "points"
    return f", {abs(points)} {noun} {side} the naive attack ({_share(naive.value)})"


def _small(headline: AttackRow) -> list[str]:
    sides = ((headline.n_members, "member"), (headline.n_non_members, "non-member"))
    few = [numerals.counted(n, side) for n, side in sides if 0 < n < FEW_SAMPLES]
    return [f"It rests on only {' and '.join(few)}."] if few else []


def _limits(audit: Audit) -> list[str]:
    n = len(audit.limits)
    exceeded = sum(check.outcome == "exceeded" for check in audit.limits)
    unknown = sum(check.outcome == "not estimable" for check in audit.limits)
    said = []
    if exceeded:
        of_all = "The limit" if n == 1 else f"{exceeded} of {n} limits"
        said.append(f"{of_all} {'is' if exceeded == 1 else 'are'} exceeded.")
    if unknown:
        of_all = "The limit" if n == 1 else f"{unknown} of {n} limits"
        said.append(f"{of_all} cannot be checked.")
    return said


def _doubts(audit: Audit) -> list[str]:
    n_errors = sum(finding.severity == "error" for finding in audit.findings)
    n_warnings = sum(finding.severity == "warning" for finding in audit.findings)
    if n_errors:
        return [f"Do not rely on these numbers: {numerals.counted(n_errors, 'error')} among {FINDINGS}."]
    if n_warnings:
        return [f"Read the {'warning' if n_warnings == 1 else f'{n_warnings} warnings'} among {FINDINGS}."]
    return []


def _percent(value: float) -> str:
    return numerals.percent(value, decimals=1)


def _share(value: float) -> str:
    """A rate within a sentence, the number and its sign kept together: ``"69.9 %"``."""
    return f"{_percent(value)}{_format.NO_BREAK_SPACE}%"
