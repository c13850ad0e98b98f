"""How estimates look in print: one rounding for all formats, and names that cannot do harm.

The parts of a number ("61.70 ± 6.55") are joined by no-break spaces, so that a format may break lines at all others.
"""

import unicodedata

from mi_audit.schema.audit import MeanSd
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.numerals import MINUS, count, percent, plain, rounded

DASH = "\u2013"
NO_BREAK_SPACE = "\u00a0"

_AUC = "auc"
_AUC_DECIMALS = 3
_LONGEST_INLINE_REASON = 16
_LONGEST_TEXT = 4000
_HIDDEN_CATEGORIES = frozenset(
    {"Cc", "Cf", "Cs", "Zl", "Zp"}
)  # controls, bidi and zero-width marks, surrogates, separators


def number(metric: str, value: float) -> str:
    """A value of this metric: rates as percentages with two decimals, the AUC as it is with three."""
    return plain(value, _AUC_DECIMALS) if metric == _AUC else percent(value)


def point(metric: str, estimate: Estimate | None) -> str:
    """The value alone: a dash where it is undefined, nothing where the metric does not apply."""
    if estimate is None:
        return ""
    return DASH if estimate.value is None else number(metric, estimate.value)


def interval(metric: str, estimate: Estimate | None) -> str:
    """The interval alone: its ends with a dash between, or "to" where one is negative; nothing without an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    between = f"{NO_BREAK_SPACE}to{NO_BREAK_SPACE}" if estimate.low < 0 else DASH
    return f"{_plain(metric, estimate.low)}{between}{_plain(metric, estimate.high)}"


def with_interval(metric: str, estimate: Estimate | None) -> str:
    """The value with its interval, ``"69.92 (69.33-70.51)"``, or why there is none, ``"not estimable (0 members)"``."""
    if estimate is None:
        return ""
    if estimate.value is None:
        return not_estimable(estimate.reason or "")
    value = number(metric, estimate.value)
    return value if estimate.low is None else f"{value}{NO_BREAK_SPACE}({interval(metric, estimate)})"


def not_estimable(reason: str) -> str:
    """What stands in place of an undefined number; a short reason is kept on one line."""
    kept = reason if len(reason) > _LONGEST_INLINE_REASON else reason.replace(" ", NO_BREAK_SPACE)
    return f"not estimable ({kept})"


def mean_sd(numbers: MeanSd | None) -> str:
    """Mean and standard deviation of rates, ``"61.70 ± 6.55"``; a dash for none."""
    if numbers is None:
        return DASH
    return f"{percent(numbers.mean)}{NO_BREAK_SPACE}±{NO_BREAK_SPACE}{rounded(100 * numbers.sd, 2)}"


def measured(numbers: MeanSd | None) -> str:
    """Mean and standard deviation of what is no rate, to four digits: ``"0.8123 ± 0.1021"``, ``"1200 ± 3"``."""
    if numbers is None:
        return DASH
    mean, sd = (f"{value:.4G}".replace("-", MINUS) for value in (numbers.mean, numbers.sd))
    return f"{mean}{NO_BREAK_SPACE}±{NO_BREAK_SPACE}{sd}"


def ratio(n_members: int, n_non_members: int) -> str:
    """Members to non-members in the smallest form, to two digits: ``"5:1"``, ``"1:2.5"``, ``"120:1"``."""
    if not n_members or not n_non_members:
        return f"{count(n_members)}:{count(n_non_members)}"
    if n_members >= n_non_members:
        return f"{_factor(n_members / n_non_members)}:1"
    return f"1:{_factor(n_non_members / n_members)}"


def _factor(quotient: float) -> str:
    return count(round(quotient)) if quotient >= 10 else f"{quotient:.2g}"


def visible(text: str) -> str:
    """Text in which nothing hides: control, bidirectional and zero-width characters appear as escapes.

    No text of ours comes near 4,000 characters; longer ones, which are a stranger's, are cut there.
    """
    return "".join(_escaped(char) if _is_hidden(char) else char for char in shortened(text, _LONGEST_TEXT))


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters of a text, the last one an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(metric: str, bound: float) -> str:
    """A bound, which claims nothing by being 0 or 1."""
    return plain(bound, _AUC_DECIMALS) if metric == _AUC else plain(100 * bound, 2)


def _is_hidden(char: str) -> bool:
    """Also U+FFFE, U+FDD0 and the like, which are no characters, and which XML and YAML refuse."""
    code = ord(char)
    return unicodedata.category(char) in _HIDDEN_CATEGORIES or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
