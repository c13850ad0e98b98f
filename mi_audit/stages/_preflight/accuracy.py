"""Whether the target behaves as a trained network on its own data does.

A wrong normalisation, a permuted class map or swapped sides all show here, and each makes an audit that says nothing.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mi_audit.metrics.confidence import look_like_probabilities
from mi_audit.metrics.intervals import clopper_pearson, newcombe
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.numerals import in_percent
from mi_audit.stages._preflight.class_order import class_order_finding

IntArray = npt.NDArray[np.int64]

# Accuracies are published with one decimal of a per cent.
ROUNDING = 0.0005
MAX_DEFICIT = 0.02
LEVEL = 0.99
# What may be wrong with a model, with what a user's code builds, and with answers whose model nobody has.
_OF_MODEL = "check the weights, the normalisation (--mean, --std), the architecture and the order of the classes"
_OF_CODE = "its code may have loaded no weights (--model CHECKPOINT --arch {model} loads them); or " + _OF_MODEL
_OF_ANSWERS = "check the order of the classes and of the rows"


def accuracy_findings(
    label: IntArray,
    predicted: IntArray,
    is_member: npt.NDArray[np.bool_],
    expected: tuple[float, ...] | None = None,
    *,
    model: str,
) -> list[Finding]:
    """Doubts about the target from what it gets right, on all samples of both sides.

    Args:
        label: (n,) true class.
        predicted: (n,) the target's class.
        is_member: (n,) bool.
        expected: accuracy that the target is said to have: of non-members, or of members and non-members.
        model: the spec ``--model``: with answers alone, or with a user's code, other things can be wrong.
    """
    is_correct = label == predicted
    sides = {"members": is_correct[is_member], "non-members": is_correct[~is_member]}
    is_black_box = model.startswith("predictions:")
    advice = _OF_ANSWERS if is_black_box else _OF_MODEL
    of_untrained = _OF_CODE.format(model=model) if model.startswith("python:") else advice
    found = [_differs(name, sides[name], value, advice) for name, value in _by_side(expected).items()]
    found += [
        _at_chance(label[~is_member], predicted[~is_member], of_untrained),
        _collapsed(label, predicted, of_untrained),
        _swapped(*sides.values()),
        class_order_finding(label, predicted, is_member, is_black_box=is_black_box),
    ]
    return [finding for finding in found if finding is not None]


def kind_findings(outputs: npt.NDArray[np.float32]) -> list[Finding]:
    """Whether a network answers with probabilities, where logits are taken.

    Args:
        outputs: (n, C) of a network.
    """
    if not look_like_probabilities(outputs):
        return []
    message = (
        "every row of the outputs lies from 0 to 1 and sums to 1: the network ends in a softmax, and its probabilities "
        "were read as logits: leave the softmax out, or audit its answers as predictions:FILE with probabilities"
    )
    return [Finding("outputs-are-probabilities", "error", message)]


def with_expectation(cache: FeatureCache, expected: tuple[float, ...] | None) -> FeatureCache:
    """A cache that was found, with what is expected now in place of what was expected when it was made."""
    was = cache.provenance["options"].get("expect_accuracy")
    now = None if expected is None else list(expected)
    if was == now:
        return cache
    kept = [finding for finding in cache.findings if finding.slug != "accuracy-differs"]
    model = cache.provenance["target"]["spec"]
    found = accuracy_findings(cache.label, cache.predicted, cache.is_member, expected, model=model)
    options = {**cache.provenance["options"], "expect_accuracy": now}
    return replace(
        cache,
        findings=(*kept, *(finding for finding in found if finding.slug == "accuracy-differs")),
        provenance={**cache.provenance, "options": options},
    )


def _by_side(expected: tuple[float, ...] | None) -> dict[str, float]:
    if not expected:
        return {}
    return {"non-members": expected[0]} if len(expected) == 1 else {"members": expected[0], "non-members": expected[1]}


def _differs(side: str, is_correct: npt.NDArray[np.bool_], expected: float, advice: str) -> Finding | None:
    n_correct, n = int(is_correct.sum()), len(is_correct)
    low, high = clopper_pearson(n_correct, n, LEVEL)
    if low - ROUNDING <= expected <= high + ROUNDING:
        return None
    message = (
        f"accuracy on {side} is {in_percent(n_correct / n)} of {n:,} (interval {in_percent(low)} to "
        f"{in_percent(high)}), expected were {in_percent(expected)}: {advice}"
    )
    return Finding("accuracy-differs", "error", message)


def _at_chance(label: IntArray, predicted: IntArray, advice: str) -> Finding | None:
    """Chance is the agreement of labels and predictions with these frequencies that know nothing of each other."""
    n, n_correct = len(label), int((label == predicted).sum())
    n_classes = int(max(label.max(), predicted.max())) + 1
    chance = float(np.bincount(label, minlength=n_classes) @ np.bincount(predicted, minlength=n_classes)) / n**2
    low, high = clopper_pearson(n_correct, n, LEVEL)
    if low > chance:
        return None
    measured = f"{in_percent(n_correct / n)} of {n:,} (interval {in_percent(low)} to {in_percent(high)})"
    message = f"accuracy on non-members is {measured}, not clearly above the {in_percent(chance)} of guessing: {advice}"
    return Finding("accuracy-at-chance", "error", message)


def _collapsed(label: IntArray, predicted: IntArray, advice: str) -> Finding | None:
    """One class takes more than half of what it would have to leave to the others."""
    counts = np.bincount(predicted)
    top = int(counts.argmax())
    share, own = counts[top] / len(label), float((label == top).mean())
    if share <= (1 + own) / 2:
        return None
    said = f"the target says class {top} for {in_percent(share, 1)} of the samples"
    message = f"{said}, of which {in_percent(own, 1)} are: {advice}"
    return Finding("predictions-collapsed", "error", message)


def _swapped(members: npt.NDArray[np.bool_], non_members: npt.NDArray[np.bool_]) -> Finding | None:
    counts = (int(members.sum()), len(members), int(non_members.sum()), len(non_members))
    if members.mean() >= non_members.mean() - MAX_DEFICIT or newcombe(*counts, LEVEL)[1] >= 0:
        return None
    message = (
        f"the target is right on {in_percent(members.mean())} of the members and {in_percent(non_members.mean())} of "
        "the non-members: the two sides look swapped, or this target was trained on other samples"
    )
    return Finding("sides-look-swapped", "error", message)
