"""Evidence whose flaws are known: a clean one for every control, and one with what each control has to find."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mi_audit.controls.interface import Evidence, Refitted
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks

N_SIDE, N_CLASSES, N_PIXELS = 1000, 4, 12
TARGET = {"source": "net.pt", "weights_digest": "0" * 64}


class Ranking:
    """A refit without fitting: random scores, or the log-odds of the outputs that it is given."""

    def __init__(self, is_held_out: np.ndarray, label: np.ndarray, *, peeks: bool = False) -> None:
        self._is_held_out, self._label, self._peeks = is_held_out, label, peeks
        self.n_known = 4000
        self._rng = np.random.default_rng(7)

    def __call__(self, is_member: np.ndarray, outputs: np.ndarray | None = None) -> Refitted:
        score = self._rng.normal(size=len(is_member))
        if outputs is not None:
            score = outputs[np.arange(len(is_member)), self._label].astype(np.float64)
        if self._peeks:
            score = score + 0.3 * is_member
        return Refitted("made up", np.where(self._is_held_out, score, np.nan))


def evidence(
    seed: int = 0,
    n_side: int = N_SIDE,
    *,
    with_features: bool = True,
    peeks: bool = False,
    declared: tuple[str, ...] = (),
    outputs: np.ndarray | None = None,
    thumbnail: np.ndarray | None = None,
    twin: np.ndarray | None = None,
    batch_of_one: np.ndarray | None = None,
    score: np.ndarray | None = None,
    per_class: bool = False,
    cache_changes: dict[str, Any] | None = None,
) -> Evidence:
    """Evidence of an audit with which nothing is wrong, but for what is given."""
    rng = np.random.default_rng(seed)
    n = 2 * n_side
    is_member, label = np.arange(n) < n_side, np.arange(n) % N_CLASSES
    drawn = rng.normal(size=(n, N_CLASSES))
    drawn[np.arange(n), label] += 2
    outputs = drawn.astype(np.float32) if outputs is None else outputs
    alone = np.where(np.arange(n) % 50 == 0, 1e-6, np.nan)
    features = {
        "evidence:thumbnail": rng.random((n, N_PIXELS)) if thumbnail is None else thumbnail,
        "evidence:untrained-twin": rng.normal(size=(n, N_CLASSES)) if twin is None else twin,
        "evidence:batch-of-one": alone[:, None] if batch_of_one is None else batch_of_one,
    }
    cache = FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=is_member,
        is_audited=np.ones(n, np.bool_),
        label=label,
        predicted=outputs.argmax(axis=1).astype(np.int64),
        sample_id=np.array([f"s/{i}" for i in range(n)]),
        class_names=tuple("abcd"),
        provenance={"target": TARGET, "options": {"expect_accuracy": None}},
        features={name: values.astype(np.float32) for name, values in features.items()} if with_features else {},
        columns={name: tuple(f"c{i}" for i in range(values.shape[1])) for name, values in features.items()}
        if with_features
        else {},
    )
    cache = replace(cache, **(cache_changes or {}))
    is_held_out = np.arange(n) // N_CLASSES % 2 == 0
    scores = {"threshold:loss": rng.normal(size=n) if score is None else score}
    return Evidence(
        cache=cache,
        trained=trained(cache, is_held_out, per_class=per_class),
        scores=scores,
        is_held_out=is_held_out,
        declared=declared,
        refit=Ranking(is_held_out, label, peeks=peeks),
    )


def trained(cache: FeatureCache, is_held_out: np.ndarray, *, per_class: bool = False) -> TrainedAttacks:
    """One attack, on outputs."""
    one = TrainedAttack(
        "threshold:loss",
        "threshold",
        {},
        "summary",
        0.0,
        is_fixed=False,
        per_class=per_class,
        n_classes_skipped=0,
        balanced_accuracy=0.6,
        auc=0.6,
        n_draws=1,
    )
    return TrainedAttacks(
        attacks=(one,),
        payloads={one.label: np.zeros(1, np.uint8)},
        selected=one.label,
        protocol="audit",
        known_id=cache.sample_id[~is_held_out],
        fitted_on={},
        provenance={},
    )


def provenance(**options: Any) -> dict[str, Any]:
    return {"target": TARGET, "options": options}


def found(slug: str) -> dict[str, Any]:
    return {"findings": (Finding(slug, "error", f"{slug} was found"),)}


def _shifted(columns: int) -> np.ndarray:
    values = np.random.default_rng(1).random((2 * N_SIDE, columns))
    values[:N_SIDE] += 0.2
    return values


def _right_on_non_members() -> np.ndarray:
    outputs = np.random.default_rng(2).normal(size=(2 * N_SIDE, N_CLASSES)).astype(np.float32)
    outputs[np.arange(N_SIDE, 2 * N_SIDE), np.arange(N_SIDE, 2 * N_SIDE) % N_CLASSES] += 9
    return outputs


def _same_on_both_sides() -> np.ndarray:
    outputs = np.random.default_rng(3).normal(size=(2 * N_SIDE, N_CLASSES)).astype(np.float32)
    outputs[N_SIDE : N_SIDE + 40] = outputs[:40]
    return outputs


def _infinite_score() -> np.ndarray:
    score = np.random.default_rng(4).normal(size=2 * N_SIDE)
    score[1] = np.inf
    return score


FLAWED: dict[str, Callable[[], Evidence]] = {
    "batch-variance": lambda: evidence(batch_of_one=np.full((2 * N_SIDE, 1), 0.5)),
    "blind-baseline": lambda: evidence(thumbnail=_shifted(N_PIXELS)),
    "constant-features": lambda: evidence(outputs=np.tile(np.float32([3, 2, 1, 0]), (2 * N_SIDE, 1))),
    "contamination": lambda: evidence(declared=("non-members-used-for-training",)),
    "duplicates": lambda: evidence(outputs=_same_on_both_sides()),
    "expected-accuracy": lambda: evidence(cache_changes={"provenance": provenance(expect_accuracy=[0.99])}),
    "non-finite-outputs": lambda: evidence(score=_infinite_score()),
    "placebo": lambda: evidence(peeks=True),
    # A leak on top of infinite scores cannot be seen, as with a score that is cut off.
    "planted-canary": lambda: evidence(score=np.full(2 * N_SIDE, np.inf)),
    "same-pipeline": lambda: evidence(declared=("sides-prepared-differently",)),
    "saturation": lambda: evidence(outputs=np.tile(np.float32([30, 0, 0, 0]), (2 * N_SIDE, 1))),
    "sides-swapped": lambda: evidence(outputs=_right_on_non_members()),
    "too-few-samples": lambda: evidence(n_side=15),
    "untrained-twin": lambda: evidence(twin=_shifted(N_CLASSES)),
}
