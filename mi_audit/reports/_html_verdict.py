"""The first thing on the page: the verdict with its reasons, and the numbers that carry it."""

from dataclasses import replace

from mi_audit.reports import _format, _lookup, _verdict_tables
from mi_audit.reports._html_text import bullets, escaped, paragraph, prose
from mi_audit.reports._outcomes import is_invalid
from mi_audit.reports._sentence import FINDINGS
from mi_audit.reports._table import Column, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate

_TONES = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open", "INVALID": "open"}
_SIGNS = {"PASS": "\u2713", "FAIL": "\u2717", "INCONCLUSIVE": "?", "INVALID": "!"}
_NOT_GATED = (
    "No policy was applied, so nothing on this page says PASS or FAIL. mi-audit evaluate with a policy gives a verdict."
)


def banner(audit: Audit, sentence: str, findings: str) -> str:
    """The verdict and its reasons; without a policy, that there is none, and what was measured.

    Args:
        audit: whose verdict it is.
        sentence: what was measured, in words.
        findings: the id of the section that holds them.
    """
    link = f'<a href="#{findings}">{FINDINGS}</a>'
    measured, plain_words = prose(sentence).replace(FINDINGS, link), _plain_words(audit)
    verdict = audit.verdict
    if verdict is None:
        said = f'<p class="sentence">{measured}</p>{plain_words}'
        inside = f'<p class="outcome">Not gated</p>{said}{paragraph(_NOT_GATED, "note")}'
        return f'<div class="verdict none">{inside}</div>'
    severe = " \u2013 severe: above even the lenient limit" if verdict.is_severe else ""
    outcome = f"{_SIGNS[verdict.outcome]} {verdict.outcome}{severe}"
    reasons, to_do = _verdict_tables.why(verdict), map(paragraph, _verdict_tables.to_do(verdict))
    inside = (
        f'<p class="outcome">{escaped(outcome)}</p>{paragraph(verdict.sentence, "sentence")}'
        f"{bullets(reasons) if reasons else ''}{''.join(to_do)}<p>{measured}</p>{plain_words}"
        f"{paragraph(_verdict_tables.policy(verdict), 'note')}"
    )
    return f'<div class="verdict {_TONES[verdict.outcome]}">{inside}</div>'


def _plain_words(audit: Audit) -> str:
    """What the selected attack does with a hundred samples of each side, for readers who know none of the terms."""
    row = _lookup.headline(audit)
    if row is None or is_invalid(audit):
        return ""
    found = [row.metrics.get(key) for key in ("recall.member", "false_alarm_rate")]
    shares = [one.value for one in found if one is not None and one.value is not None]
    if len(shares) < len(found):
        return ""
    members, non_members = (numerals.rounded(100 * share, 0) for share in shares)
    return paragraph(
        f"In plain words: shown 100 images that the model was trained on, the attack says of about {members} that they "
        f"were in the training set. Shown 100 others, it says so of about {non_members}."
    )


def cards(audit: Audit) -> str:
    """The headline numbers, each with its interval; of an audit that is not valid, those of the target alone."""
    row, target = _lookup.headline(audit), _lookup.accuracy(audit)
    shown = []
    if row is not None and not is_invalid(audit):
        for key, name in (
            ("balanced_accuracy", "Balanced accuracy of the attack, %"),
            ("false_alarm_rate", "False alarm rate (FAR), %"),
            ("auc", "AUC"),
            ("tpr_at_fpr.0.01", "Members found at 1 % FAR, %"),
        ):
            estimate = row.metrics.get(key)
            if estimate is not None:
                small = estimate.reason if estimate.value is None else _interval(key, estimate)
                shown.append((name, _format.point(key, estimate), small or ""))
    if target is not None:
        gap = target.generalisation_gap
        sides = (_format.point("accuracy", side) for side in (target.member, target.non_member))
        shown.append(("Gap in the target's accuracy, points", _format.point("accuracy", gap), " \u2212 ".join(sides)))
    return '<dl class="cards">' + "".join(_card(*each) for each in shown) + "</dl>" if shown else ""


def _interval(key: str, estimate: Estimate) -> str:
    """Said to be one, so that nobody takes it for the one-sided bounds in the table of all attacks."""
    ends = _format.interval(key, estimate)
    return f"95{_format.NO_BREAK_SPACE}% interval {ends}" if ends else ""


def _card(name: str, value: str, small: str) -> str:
    below = f"<span>{escaped(small)}</span>" if small else ""
    return f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}{below}</dd></div>"


def rules(audit: Audit) -> Table | None:
    """Every rule of the policy and what became of it, with the reason in words; ``None`` without a verdict."""
    table = _verdict_tables.rules(audit)
    if table is None or audit.verdict is None:
        return None
    why = {rule.rule: rule.message for rule in audit.verdict.rules}  # the table leaves quiet controls to its notes
    rows = tuple(replace(row, cells=(*row.cells, why[row.cells[0]])) for row in table.rows)
    digest = audit.verdict.policy_digest
    notes = (*table.notes, *((f"Policy, as it was applied: SHA-256 {digest}.",) if digest else ()))
    return replace(table, columns=(*table.columns, Column("why", is_text=True)), rows=rows, notes=notes)
