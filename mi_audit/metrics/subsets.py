"""The subsets that a target's mistakes make, the naive attack's closed form, and the identities that tie them together.

The naive (gap) attack calls a sample a member when the target classifies it correctly. Inside `correct` and inside
`misclassified` it is constant, so what an attack achieves there is what it knows beyond the target's accuracy.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mi_audit.errors import UsageError
from mi_audit.metrics.decisions import Decisions, balanced_accuracy
from mi_audit.schema.audit import Subset

SUBSETS: tuple[Subset, ...] = ("all", "correct", "misclassified")

_TOLERANCE = 1e-12


def subset_mask(name: str, is_correct: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which samples (n,) belong to the subset `name`.

    Raises:
        UsageError: an unknown name.
        ValueError: an `is_correct` that is not boolean.

    >>> subset_mask("misclassified", np.array([True, False]))
    array([False,  True])
    """
    if np.asarray(is_correct).dtype != np.bool_:
        raise ValueError(f"expected a boolean is_correct, got {np.asarray(is_correct).dtype}")
    if name == "all":
        return np.ones(len(is_correct), dtype=np.bool_)
    if name == "correct":
        return is_correct.copy()
    if name == "misclassified":
        return ~is_correct
    raise UsageError(f"expected a subset out of {', '.join(SUBSETS)}, got {name!r}")


def naive_balanced_accuracy(accuracy_members: float, accuracy_non_members: float) -> float:
    """Balanced accuracy of the naive attack from the target's accuracies: 1/2 + gap / 2 (Rezaei & Liu, CVPR 2021).

    >>> round(naive_balanced_accuracy(0.9990, 0.7263), 5)
    0.63635
    """
    return 0.5 + (accuracy_members - accuracy_non_members) / 2


def check_identities(
    subsets: Mapping[str, Decisions],
    naive: Decisions,
    accuracy_members: float | None,
    accuracy_non_members: float | None,
) -> None:
    """Refuse numbers that contradict each other. Published tables do: the third identity fails in three rows of one.

    - The counts of `correct` and `misclassified` sum to those of `all`.
    - TPR = a * TPR_correct + (1 - a) * TPR_misclassified with a the accuracy on members; FAR likewise with non-members.
    - The naive attack's balanced accuracy is 1/2 + gap / 2, its recall and FAR the target's accuracies.

    Args:
        subsets: an attack's decisions on each of `SUBSETS`.
        naive: the naive attack's decisions on the samples of `all`.
        accuracy_members: the target's accuracy on the members of `all`, counted from predictions and not from
            decisions; None where there are none.
        accuracy_non_members: likewise on its non-members.

    Raises:
        RuntimeError: an identity is off by more than 1e-12. That is a bug of ours, and the numbers must not be shown.
    """
    whole, correct, misclassified = (subsets[name] for name in SUBSETS)
    summed = Decisions(
        tp=correct.tp + misclassified.tp,
        fn=correct.fn + misclassified.fn,
        fp=correct.fp + misclassified.fp,
        tn=correct.tn + misclassified.tn,
    )
    if summed != whole:
        raise RuntimeError(f"subset counts do not sum to the whole: expected {whole}, got {summed}")
    if accuracy_members is not None:
        parts = [(d.tp, d.n_members) for d in (whole, correct, misclassified)]
        _check_recombination("TPR", accuracy_members, parts)
        _check_equal("recall of the naive attack", naive.tp / naive.n_members, accuracy_members)
    if accuracy_non_members is not None:
        parts = [(d.fp, d.n_non_members) for d in (whole, correct, misclassified)]
        _check_recombination("FAR", accuracy_non_members, parts)
        _check_equal("FAR of the naive attack", naive.fp / naive.n_non_members, accuracy_non_members)
    reported = balanced_accuracy(naive).value
    if reported is not None and accuracy_members is not None and accuracy_non_members is not None:
        closed_form = naive_balanced_accuracy(accuracy_members, accuracy_non_members)
        _check_equal("balanced accuracy of the naive attack", reported, closed_form)


def _check_recombination(name: str, accuracy: float, parts: list[tuple[int, int]]) -> None:
    """The rate of the whole is the accuracy-weighted mean of the rates of its parts; an empty part has weight 0."""
    whole, correct, misclassified = (count / total if total else 0.0 for count, total in parts)
    _check_equal(name, whole, accuracy * correct + (1 - accuracy) * misclassified)


def _check_equal(name: str, measured: float, expected: float) -> None:
    if not math.isclose(measured, expected, rel_tol=0, abs_tol=_TOLERANCE):
        raise RuntimeError(f"{name} contradicts the target's accuracy: expected {expected!r}, got {measured!r}")
