"""Observations with a known leak, made through a feature cache as the stages make them."""

import numpy as np

from mi_audit.attacks.interface import BoolArray, FloatArray, Observations, observe
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import View


def feature_cache(n_per_side: int, n_classes: int, lift: float, seed: int, offset: float = 1.0) -> FeatureCache:
    """Gaussian logits, that of the true class raised by `offset`, and for members by `lift` more."""
    rng = np.random.default_rng(seed)
    n = 2 * n_per_side
    label = np.arange(n) % n_classes
    is_member = rng.permutation(n) < n_per_side
    outputs = rng.standard_normal((n, n_classes))
    outputs[np.arange(n), label] += offset + lift * is_member
    outputs = outputs.astype(np.float32)
    return FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=is_member,
        is_audited=np.ones(n, dtype=bool),
        label=label,
        predicted=outputs.argmax(axis=1),
        sample_id=np.array([f"sample/{number}" for number in range(n)]),
        class_names=tuple(f"class {number}" for number in range(n_classes)),
        provenance={},
    )


def leaky(
    n_per_side: int, lift: float, seed: int, n_classes: int = 4, view: View = "summary", offset: float = 1.0
) -> tuple[Observations, BoolArray]:
    """Observations of `feature_cache`, and who is a member."""
    cache = feature_cache(n_per_side, n_classes, lift, seed, offset)
    return observe(cache, np.arange(2 * n_per_side), view), cache.is_member


def plain(inputs: FloatArray, label: np.ndarray | None = None, columns: tuple[str, ...] = ()) -> Observations:
    """Observations with these inputs and nothing else to see."""
    n, k = inputs.shape
    classes = np.zeros(n, dtype=np.int64) if label is None else label
    names = columns or tuple(f"column {number}" for number in range(k))
    return Observations(inputs, names, {}, classes, np.ones(n, dtype=bool))


def balanced(is_member: BoolArray) -> FloatArray:
    """Weights of mean 1 that give both sides the same say."""
    n = len(is_member)
    return np.where(is_member, n / (2 * is_member.sum()), n / (2 * (~is_member).sum()))
