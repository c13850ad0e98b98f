"""One small record of each kind, with every field filled in."""

from dataclasses import replace
from typing import Any

import numpy as np

from mi_audit.schema.audit import (
    AccuracyRow,
    AttackRow,
    Audit,
    ClassAverageRow,
    ConfidenceRow,
    FeatureRow,
    LimitCheck,
    MeanSd,
    SampleScores,
    SweepRow,
)
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks

FINDING = Finding("exact-duplicates", "warning", "2 samples are on both sides")
ESTIMATE = Estimate(0.75, 0.5, 0.9)
UNDEFINED = Estimate(None, 0.0, 0.5, "0 members")


def feature_cache(n: int = 6, n_classes: int = 3, **changes: Any) -> FeatureCache:
    rng = np.random.default_rng(0)
    cache = FeatureCache(
        outputs=rng.standard_normal((n, n_classes), np.float32),
        outputs_kind="logits",
        is_member=np.arange(n) < n // 2,
        is_audited=np.arange(n) != 1,
        label=np.arange(n) % n_classes,
        predicted=np.arange(n)[::-1] % n_classes,
        sample_id=np.array([f"train/{'é' * (number % 2)}{number}" for number in range(n)], np.str_),
        class_names=tuple(f"class {number}" for number in range(n_classes)),
        provenance={"key": "k", "seed": 0, "target": {"digest": "d", "notes": ["深"]}, "rate": 0.1, "none": None},
        features={"gradient-norm:w": rng.standard_normal((n, 2), np.float32)},
        columns={"gradient-norm:w": ("l1", "l2")},
        findings=(FINDING,),
    )
    return replace(cache, **changes)


def trained_attack(label: str = "threshold:entropy", **changes: Any) -> TrainedAttack:
    attack = TrainedAttack(
        label=label,
        name="threshold",
        options={"signal": "entropy", "depth": 3},
        view="summary",
        threshold=-0.5,
        is_fixed=False,
        per_class=False,
        n_classes_skipped=0,
        balanced_accuracy=None,
        auc=None,
        n_draws=1,
    )
    return replace(attack, **changes)


def trained_attacks(**changes: Any) -> TrainedAttacks:
    record = TrainedAttacks(
        attacks=(trained_attack("naive", balanced_accuracy=0.6), trained_attack()),
        payloads={"naive": np.zeros(0, np.uint8), "threshold:entropy": np.arange(9, dtype=np.uint8)},
        selected="threshold:entropy",
        protocol="audit",
        known_id=np.array(["train/0", "test/1"]),
        fitted_on={"outputs": "ab", "label": "cd"},
        provenance={"seed": 1},
        findings=(FINDING,),
    )
    return replace(record, **changes)


def sample_scores(n: int = 4, **changes: Any) -> SampleScores:
    scores = SampleScores(
        sample_id=np.array([f"train/{number}" for number in range(n)], np.str_),
        is_member=np.arange(n) < 2,
        is_correct=np.arange(n) != 3,
        is_held_out=np.arange(n) != 0,
        label=np.arange(n) % 3,
        score={"threshold:entropy": np.array([np.nan, 0.5, -0.5, 1.0])[:n]},
    )
    return replace(scores, **changes)


def audit(**changes: Any) -> Audit:
    metrics = {"balanced_accuracy": ESTIMATE, "auc": UNDEFINED}
    spread = MeanSd(0.5, 0.1, 3)
    record = Audit(
        title="cifar_resnet20 on cifar10",
        protocol="audit",
        attacks=(trained_attack(),),
        selected="threshold:entropy",
        accuracy=(AccuracyRow("full", 2, 2, ESTIMATE, UNDEFINED, ESTIMATE),),
        confidence=(ConfidenceRow("misclassified", None, spread),),
        rows=(
            AttackRow("threshold:entropy", "held-out", "all", None, 1, 2, metrics, metrics, metrics),
            AttackRow("threshold:entropy", "held-out", "all", 2, 1, 0, metrics, metrics, metrics),
        ),
        class_averages=(ClassAverageRow("threshold:entropy", "all", {"auc": spread}, {"auc": 1}, {"auc": spread}),),
        sweep=(SweepRow("zero-r", "5:1", 5 / 6, {"accuracy": ESTIMATE}, {"accuracy": spread}, 0, 0),),
        limits=(LimitCheck("auc=0.6", "threshold:entropy", "all", "auc", 0.6, UNDEFINED, "not estimable"),),
        findings=(FINDING,),
        class_names=("cat", "dog", "Ünïcode\n\x1b[31m"),
        provenance={"seed": 3, "features": {"key": "k"}},
        features=(
            FeatureRow("gradient-norm:w", "l2", "all", spread, None, 0, 2),
            FeatureRow("layer:-1", None, "all", None, None, 0, 0),
        ),
        samples=sample_scores(),
    )
    return replace(record, **changes)


def same(one: Any, other: Any) -> bool:
    """Whether two records say the same: header, and every array with its dtype and NaN where NaN is."""
    mine, theirs = one.arrays(), other.arrays()
    return (
        type(one) is type(other)
        and one.header() == other.header()
        and mine.keys() == theirs.keys()
        and all(
            np.array_equal(values, theirs[name], equal_nan=values.dtype.kind == "f") for name, values in mine.items()
        )
        and all(values.dtype.kind == theirs[name].dtype.kind for name, values in mine.items())
    )
