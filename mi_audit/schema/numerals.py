"""How numbers look in print, in every message and report: one rounding for all."""

from decimal import ROUND_HALF_UP, Decimal

MINUS = "\u2212"

_WHOLE = Decimal(100)
_LARGEST_PRINTED = 1e15


def rounded(value: float, decimals: int) -> Decimal:
    """Half away from zero in decimal, past the noise of binary fractions.

    What no rate can be, but a stranger's file or a limit may say, keeps three digits: ``1E+300``.

    >>> rounded(0.63635 * 100, 2)
    Decimal('63.64')
    """
    if not abs(value) < _LARGEST_PRINTED:
        return Decimal(f"{value:.3g}")
    return Decimal(f"{value:.10f}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def plain(value: float, decimals: int) -> str:
    """A number with the minus sign of print.

    >>> plain(-0.0191, 3) == MINUS + "0.019"
    True
    """
    figure = rounded(value, decimals)
    return f"{MINUS if figure < 0 else ''}{abs(figure)}"


def percent(share: float, decimals: int = 2) -> str:
    """A rate as a percentage without its sign: 0.63635 is ``"63.64"``.

    What is not exactly 0 or 1 is never printed as if it were: ``"<0.01"``, ``">99.99"``.
    """
    figure, step = rounded(100 * share, decimals), Decimal(1).scaleb(-decimals)
    if 0 < share < 1 and figure == 0:
        return f"<{step}"
    if 0 < share < 1 and figure == _WHOLE:
        return f">{_WHOLE - step}"
    return plain(100 * share, decimals)


def in_percent(share: float, decimals: int = 2) -> str:
    """A rate as a percentage with its sign: 0.63635 is ``"63.64 %"``."""
    return f"{percent(share, decimals)} %"


def count(n: int) -> str:
    """A number of things: ``"50,000"``."""
    return f"{n:,}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: ``"1 member"``, ``"12 classes"``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count(n)} {noun if n == 1 else plural}"
