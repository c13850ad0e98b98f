"""Whether the labels number the classes in another order than the target does."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.metrics.intervals import clopper_pearson
from mi_audit.schema.finding import Finding
from mi_audit.schema.numerals import in_percent

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.999
# Of the accuracy on non-members: what a pair among fifty equal classes that changed places costs.
LEAST_GAIN = 0.04
# An error needs more: a large gain, and a target that is mostly right once its classes are renamed.
_LARGE_GAIN = 0.1
_TRAINED = 0.5
# The table of classes against classes grows with their square; beyond this many nobody is asked.
MAX_CLASSES = 4096
_OF_DATA = "the order of the class folders, or the label column, against the one that the model was trained with"
_OF_ANSWERS = "that labels and columns of the file number the classes alike"


def class_order_finding(
    label: IntArray, predicted: IntArray, is_member: BoolArray, *, is_black_box: bool = False
) -> Finding | None:
    """A doubt, or an error, where other names for the target's classes would make it right far more often.

    The renaming is the one-to-one map of classes to classes that makes most members right. Whether it is more than
    chance is asked of the non-members, who had no say in it. It has to put right more of them than it puts wrong,
    beyond a 99.9 % interval, raise their accuracy by `LEAST_GAIN`, and lift it beyond what the frequencies of the
    classes alone explain, so that a target that says one class for all gains nothing from another name for it. Most of
    what moves has to be the target's usual answer, as it is under other numbers, and is not for other images.

    Args:
        label: (n,) true class.
        predicted: (n,) the target's class.
        is_member: (n,) bool, both sides present.
        is_black_box: whether there are answers and no model, so that other things are to be checked.
    """
    occurring, codes = np.unique(np.concatenate([label, predicted]), return_inverse=True)
    n_classes = len(occurring)
    if n_classes > MAX_CLASSES or (label == predicted)[~is_member].mean() > 1 - LEAST_GAIN:
        return None
    truth, said = np.split(codes, 2)
    counts = np.bincount(truth[is_member] * n_classes + said[is_member], minlength=n_classes**2)
    counts = counts.reshape(n_classes, n_classes)
    name_of = _best_names(counts)
    truth, said = truth[~is_member], said[~is_member]
    if not (_is_better(truth, said, name_of[said]) and _is_first_choice(counts, name_of)):
        return None
    was, would_be = float((truth == said).mean()), float((truth == name_of[said]).mean())
    check = _OF_ANSWERS if is_black_box else _OF_DATA
    # Any fixed function of the image, as random weights are, has classes that it favours.
    check += "; or whether the weights are those of a trained network" if would_be < _TRAINED else ""
    message = (
        f"labels look numbered in another order than the model's classes: renamed, {in_percent(would_be)} of the "
        f"non-members would be right instead of {in_percent(was)}: check {check}"
    )
    return Finding("class-order", "error" if would_be >= max(_TRAINED, was + _LARGE_GAIN) else "warning", message)


def _best_names(counts: npt.NDArray[Any]) -> IntArray:
    """(k,) the class that each of the target's classes is best called, one to one.

    Args:
        counts: (k, k) samples by true class and the target's class.
    """
    from scipy.optimize import linear_sum_assignment

    k = len(counts)
    # Among equally good names the one that a class has already: nothing moves without a sample that says so.
    truth, said = linear_sum_assignment(counts * (k + 1) + np.eye(k, dtype=np.int64), maximize=True)
    name_of = np.empty(k, np.int64)
    name_of[said] = truth
    return name_of


def _is_better(truth: IntArray, said: IntArray, renamed: IntArray) -> bool:
    """Whether other names are better by much, and by more than chance (McNemar's comparison of the same samples)."""
    was, would_be, n = truth == said, truth == renamed, len(truth)
    gained, lost = int((would_be & ~was).sum()), int((was & ~would_be).sum())
    if gained - lost < LEAST_GAIN * n or clopper_pearson(gained, gained + lost, LEVEL)[0] <= 0.5:
        return False
    return clopper_pearson(int(would_be.sum()), n, LEVEL)[0] > _by_chance(truth, renamed)


def _by_chance(truth: IntArray, said: IntArray) -> float:
    """How often two columns with these frequencies agree that know nothing of each other."""
    k = int(max(truth.max(), said.max())) + 1
    return float(np.bincount(truth, minlength=k) @ np.bincount(said, minlength=k)) / len(truth) ** 2


def _is_first_choice(counts: npt.NDArray[Any], name_of: IntArray) -> bool:
    """Whether class and answer are each other's usual one, for the classes of most samples that are to move."""
    said = np.argsort(name_of)  # by true class
    truth = np.flatnonzero(said != np.arange(len(said)))
    n_of_class = counts.sum(axis=1)
    rate = counts / np.maximum(n_of_class, 1)[:, None]
    own = rate[truth, said[truth]]
    is_first = (own == rate[truth].max(axis=1)) & (own == rate[:, said[truth]].max(axis=0))
    return bool(2 * n_of_class[truth[is_first]].sum() > n_of_class[truth].sum())
