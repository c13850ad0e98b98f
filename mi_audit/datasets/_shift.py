"""Whether the two sides differ in something that has nothing to do with membership: size, kind of file, colour.

Where they do, an attack that looks at the image, and a network that has seen only one kind, tells the sides apart
without any memory of a sample.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._decoding import Header
from mi_audit.datasets.interface import Int64Array
from mi_audit.schema.numerals import in_percent

Float64Array = npt.NDArray[np.float64]

# A difference has to be large enough to matter and sure enough to be one. The official splits of CIFAR-100 and MNIST
# stay below 0.03 standard deviations in colour.
MIN_STANDARDISED, MIN_SHARE, MIN_Z = 0.2, 0.1, 4.0


@dataclass(frozen=True)
class Shift:
    """One thing that differs.

    Attributes:
        what: ``"size"``, ``"shape"``, ``"mode"``, ``"file type"``, ``"colour"`` or ``"contrast"``.
        text: both sides' figures and the size of the effect, in words.
    """

    what: str
    text: str


def shifts_of_headers(members: Sequence[Header], non_members: Sequence[Header]) -> list[Shift]:
    """What differs in the heads of the files: how many pixels, how wide for the height, kind of pixels and of file.

    Args:
        members: of some members.
        non_members: of some non-members.
    """
    if not members or not non_members:
        return []
    numbers: tuple[tuple[str, str, Callable[[Header], float]], ...] = (
        ("size", "{:,.0f} pixels", lambda head: head.width * head.height),
        ("shape", "a width of {:.2f} times the height", lambda head: head.width / head.height),
    )
    found = []
    for what, form, number in numbers:
        sides = [np.array([number(head) for head in side], np.float64) for side in (members, non_members)]
        effect = _effect(np.log(sides[0]), np.log(sides[1]))
        if effect is not None:
            texts = [form.format(np.exp(np.log(side).mean())) for side in sides]
            found.append(Shift(what, f"{texts[0]} against {texts[1]} (standardised difference {effect:+.2f})"))
    found += _shifted_shares("mode", [[head.mode for head in side] for side in (members, non_members)])
    found += _shifted_shares("file type", [[head.file_type for head in side] for side in (members, non_members)])
    return found


def shifts_of_pixels(
    colour: npt.NDArray[np.float32],
    contrast: npt.NDArray[np.float32],
    label: Int64Array,
    is_member: npt.NDArray[np.bool_],
) -> list[Shift]:
    """What differs in the pixels, class by class, so that another mix of classes is no shift.

    Args:
        colour: (n, 3), mean red, green and blue from 0 to 255.
        contrast: (n,) standard deviation of grey values.
        label: (n,) true class.
        is_member: (n,) bool.
    """
    columns = (("red", colour[:, 0]), ("green", colour[:, 1]), ("blue", colour[:, 2]), ("contrast", contrast))
    found: dict[str, Shift] = {}
    for name, values in columns:
        exact = values.astype(np.float64)
        effect = _effect(exact[is_member], exact[~is_member], _within_classes(exact, label, is_member))
        if effect is None:
            continue
        means = f"{exact[is_member].mean():.1f} against {exact[~is_member].mean():.1f}"
        what = "contrast" if name == "contrast" else "colour"
        found.setdefault(what, Shift(what, f"mean {name} {means} of 255 (standardised difference {effect:+.2f})"))
    return list(found.values())


def _within_classes(values: Float64Array, label: Int64Array, is_member: npt.NDArray[np.bool_]) -> float:
    """Difference of the means of the two sides after each class has its own mean taken out."""
    _, index = np.unique(label, return_inverse=True)
    rest = values - (np.bincount(index, values) / np.bincount(index))[index]
    return float(rest[is_member].mean() - rest[~is_member].mean())


def _effect(left: Float64Array, right: Float64Array, difference: float | None = None) -> float | None:
    """Difference of the means in standard deviations, where it is large and sure; ``None`` where not."""
    n, m = len(left), len(right)
    if min(n, m) < 2:
        return None
    difference = float(left.mean() - right.mean()) if difference is None else difference
    spread = float(np.sqrt((left.var() + right.var()) / 2))
    if spread <= 1e-9 * max(1.0, float(np.abs(left).max())):
        return float(np.copysign(np.inf, difference)) if abs(difference) > 1e-6 and min(n, m) > MIN_Z else None
    effect = difference / spread
    is_sure = abs(effect) * np.sqrt(n * m / (n + m)) > MIN_Z
    return effect if abs(effect) > MIN_STANDARDISED and is_sure else None


def _shifted_shares(what: str, sides: Sequence[Sequence[str]]) -> list[Shift]:
    """The kind whose share differs most, where it differs enough."""
    counts = [Counter(side) for side in sides]
    n, m = (len(side) for side in sides)
    shares = {kind: (counts[0][kind] / n, counts[1][kind] / m) for kind in sorted({*counts[0], *counts[1]})}
    kind = max(shares, key=lambda each: abs(shares[each][0] - shares[each][1]))
    ours, theirs = shares[kind]
    pooled = (counts[0][kind] + counts[1][kind]) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    if abs(ours - theirs) <= MIN_SHARE or abs(ours - theirs) <= MIN_Z * error:
        return []
    return [Shift(what, f"{kind} {in_percent(ours, 1)} against {in_percent(theirs, 1)}")]
