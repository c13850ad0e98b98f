"""Audits with everything that a report can show: figures, statistics, controls, a verdict."""

import math
from dataclasses import replace
from typing import get_args

from mi_audit.schema.audit import Audit, Subset
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.figures import Band, Figures, HistogramRow, MeanConfidenceRow, RatioCurve, RocRow
from mi_audit.schema.statistics import (
    BoundRow,
    ChanceRow,
    ClassLeakRow,
    PowerRow,
    PriorRow,
    PrivacyRow,
    SpreadRow,
    Statistics,
)
from mi_audit.schema.verdict import Outcome, RuleResult, Verdict
from tests.reports import audits

PRIORS = tuple(odds / (1 + odds) for odds in (10 ** (power / 10) for power in range(-20, 21)))


def roc_row(attack: str, power: float, n_points: int = 100) -> RocRow:
    rates = [min(1.0, 10 ** (-3.6 + 3.6 * i / (n_points - 1))) for i in range(n_points)]
    return RocRow(attack, 25_000, 5_000, tuple(rates), tuple(min(1.0, rate**power) for rate in rates))


def figures(audit: Audit, n_classes: int) -> Figures:
    labels = [attack.label for attack in audit.attacks]
    roc = [roc_row(label, 0.5 + i / 40) for i, label in enumerate(labels) if label != "naive"]
    roc.append(RocRow("naive", 25_000, 5_000, (0.0, 0.7262, 1.0), (0.0, 0.999, 1.0)))
    histograms = []
    for subset in get_args(Subset):
        for scale, low, high, n in (("confidence", 0.0, 1.0, 25), ("log-odds", -10.0, 20.0, 30)):
            edges = tuple(low + (high - low) * i / n for i in range(n + 1))
            members = tuple(int(1000 * math.exp(-(((i - 0.7 * n) / (0.1 * n)) ** 2))) for i in range(n))
            is_empty = subset == "misclassified"
            histograms.append(HistogramRow(subset, scale, edges, (0,) * n if is_empty else members, (40,) * n))
    means = []
    for subset in get_args(Subset):
        for of_class in (None, 0):
            member = tuple(0.9 + 0.001 * (i % 50) for i in range(n_classes))
            none = (None,) * n_classes
            few = subset == "misclassified"
            sizes = (2 if few else 500,) * n_classes, (20,) * n_classes
            means.append(
                MeanConfidenceRow(subset, of_class, none if few else member, tuple(0.8 * m for m in member), *sizes)
            )
    return Figures(tuple(roc), tuple(histograms), tuple(means), tuple(_curve(*rule) for rule in RULES))


RULES = (("xgboost", 0.8080, 0.4102), ("naive", 0.9990, 0.7262), ("zero-r", 1.0, 1.0))


def _curve(attack: str, recall: float, far: float) -> RatioCurve:
    member = tuple(p * recall / (p * recall + (1 - p) * far) for p in PRIORS)
    rest = [(1 - p) * (1 - far) + p * (1 - recall) for p in PRIORS]
    non_member = tuple((1 - p) * (1 - far) / r if r else None for p, r in zip(PRIORS, rest, strict=True))
    bands = {
        "precision.member": Band(member, tuple(0.98 * v for v in member), tuple(min(1, 1.02 * v) for v in member)),
        "precision.non_member": Band(non_member, non_member, non_member),
        "false_alarm_rate": Band((far,) * 41, (0.99 * far,) * 41, (min(1.0, 1.01 * far),) * 41),
    }
    return RatioCurve(attack, PRIORS, bands)


def statistics() -> Statistics:
    return Statistics(
        bounds=(
            BoundRow("xgboost", "held-out", "auc", 25_000, 5_000, 0.7512, 0.741, 0.76, is_informative=True, n_needed=5),
            BoundRow(
                "xgboost",
                "held-out",
                "tpr_at_fpr.0.001",
                900,
                900,
                None,
                0.0,
                0.04,
                is_informative=True,
                n_needed=4_380,
            ),
            BoundRow("naive", "audited", "auc", 50_000, 10_000, 0.6364, 0.63, 0.64, is_informative=False, n_needed=5),
        ),
        auc_stratified={"xgboost": Estimate(0.74, 0.73, 0.75)},
        priors=(PriorRow("xgboost", "threshold", 0.01, Estimate(0.0195, 0.018, 0.021), Estimate(1.95, 1.8, 2.1)),),
        privacy=(PrivacyRow("xgboost", 0.412, 1e-5, 0.61, 3),),
        class_leaks=tuple(
            ClassLeakRow("xgboost", i, 250, 50, Estimate(0.7 + 0.01 * i, 0.6, 0.9), 0.72, 0.0001, 0.01 * i)
            for i in range(5)
        ),
        chances=(ChanceRow("xgboost", 51.2, 0.0001, 9_999),),
        power=(
            PowerRow("auc", 25_000, 5_000, 0.5, 0.511, 0.65, 0.66, 0.64, 220),
            PowerRow("tpr_at_fpr.0.01", 25_000, 5_000, 0.01, 0.016, 0.0374, 0.045, 0.03, 2_400),
            PowerRow("tpr_at_fpr.0.001", 25_000, 5_000, 0.001, None, 0.0055, 0.012, None, None),
        ),
        spread=(SpreadRow("xgboost", "balanced_accuracy", (0.69, 0.70, 0.71), 0.70, 0.008),),
    )


def verdict(outcome: Outcome = "FAIL", text: str = "") -> Verdict:
    return Verdict(
        outcome=outcome,
        is_severe=outcome == "FAIL",
        sentence=f"The attack exceeds what the policy allows. {text}".strip(),
        reasons=("AUC is at least 74.1 %, the limit is 65 %.", f"Recall at 1 % FAR is too high. {text}".strip()),
        rules=(
            RuleResult(
                "tolerance/auc", "broken", "error", f"above {text}", "xgboost", "all", "auc", 0.7512, 0.741, 0.76, 0.65
            ),
            RuleResult("minimum/members", "held", "error", "enough members", value=25_000.0, limit=1_000.0),
            RuleResult("control/duplicates", "waived", "warning", "39 duplicates", waiver=f"known, until June {text}"),
        ),
        policy={"tolerance": "standard"},
        policy_digest="ab" * 32,
        n_needed=12_000 if outcome == "INCONCLUSIVE" else None,
        advice="" if outcome == "PASS" else f"Audit again with what `mi-audit power` asks for. {text}".strip(),
    )


def controls(text: str = "") -> tuple[ControlResult, ...]:
    return (
        ControlResult("no-signal", "held", f"Permuted membership gives 50.1 %. {text}", 0.42),
        ControlResult("untrained-twin", "no evidence", "No twin was extracted."),
        ControlResult("pixels", "failed", "Members and non-members differ in their pixels.", 0.0001),
    )


def full(outcome: Outcome = "FAIL", n_classes: int = 100) -> Audit:
    """CIFAR-100, ResNet-56 as in `audits.per_class`, with everything else beside it."""
    audit = audits.per_class()
    named = replace(audit, limits=audits.limited().limits)
    return replace(
        named,
        figures=figures(named, n_classes),
        statistics=statistics(),
        controls=controls(),
        verdict=verdict(outcome),
    )


def full_hostile() -> Audit:
    """Names and messages from strangers everywhere, and figures of them."""
    audit = audits.hostile()
    text = " ".join(audits.HOSTILE[:12])
    labels = [attack.label for attack in audit.attacks]
    named = Statistics(
        bounds=tuple(replace(row, attack=labels[1]) for row in statistics().bounds),
        priors=tuple(replace(row, attack=labels[2]) for row in statistics().priors),
        class_leaks=statistics().class_leaks,
    )
    drawn = figures(audit, len(audits.HOSTILE))
    curves = tuple(replace(curve, attack=labels[i]) for i, curve in enumerate(drawn.ratio_curves))
    return replace(
        audit,
        figures=replace(drawn, ratio_curves=curves),
        statistics=named,
        controls=controls(text),
        verdict=verdict("INVALID", text),
    )
