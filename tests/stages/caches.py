"""Feature caches whose leakage is known: none, planted, or that of a generalisation gap."""

import numpy as np

from mi_audit.schema.feature_cache import FeatureCache


def cache(
    kind: str, n_side: int = 600, n_classes: int = 4, seed: int = 0, outputs_kind: str = "logits"
) -> FeatureCache:
    """A cache of `n_side` members and as many non-members.

    Args:
        kind: ``"null"`` (both sides drawn alike), ``"planted"`` (members are more confident, at equal accuracy) or
            ``"gap"`` (members are always classified correctly).
        n_side: samples of each side.
        n_classes: classes, evenly filled.
        seed: of all draws.
        outputs_kind: logits or probabilities.
    """
    rng = np.random.default_rng(seed)
    n = 2 * n_side
    is_member = np.arange(n) < n_side
    label = np.arange(n) % n_classes
    outputs = rng.normal(size=(n, n_classes))
    outputs[np.arange(n), label] += 1.5
    if kind == "planted":
        outputs[is_member] *= 3
    if kind == "gap":
        outputs[np.flatnonzero(is_member), label[is_member]] += 20
    if outputs_kind == "probabilities":
        outputs = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    return FeatureCache(
        outputs=outputs.astype(np.float32),
        outputs_kind=outputs_kind,
        is_member=is_member,
        is_audited=np.ones(n, np.bool_),
        label=label,
        predicted=outputs.astype(np.float32).argmax(axis=1),
        sample_id=np.array([f"{'train' if i < n_side else 'test'}/{i % n_side}" for i in range(n)]),
        class_names=tuple(f"class {number}" for number in range(n_classes)),
        provenance={"key": f"{kind}-{seed}", "target": {"source": "net.pt"}, "dataset": {"name": "made"}},
    )
