"""Audits with a verdict, with controls and with statistics, made by hand."""

from dataclasses import replace

import numpy as np

from mi_audit.schema.audit import Audit, SampleScores
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.finding import Finding
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

RULES = (
    RuleResult(
        "tolerance/auc",
        "broken",
        "error",
        "The lower bound of the AUC of xgboost is 0.744, above the limit of 0.638.",
        *("xgboost", "all", "auc", 0.7510, 0.7440, 0.7580, 0.638),
    ),
    RuleResult("tolerance/tpr-1", "held", "error", "TPR at 1 % FAR is at most 8.00 %, within 9.10 %."),
    RuleResult(
        "tolerance/tpr-0.1",
        "undecided",
        "error",
        "TPR at 0.1 % FAR cannot be resolved with 5,000 non-members.",
        *("xgboost", "all", "tpr_at_fpr.0.001", None, 0.0, 0.05, 0.012),
        n_needed=3_700,
    ),
    RuleResult("far", "broken", "warning", "FAR is 41.02 %, more than 40 %.", "xgboost", "all", "false_alarm_rate"),
    RuleResult(
        "per-class", "waived", "error", "Class 7 leaks most.", waiver="known outlier, A. Nother, until 2027-01-31"
    ),
    RuleResult("minimum/members", "held", "error", "25,000 members, at least 1,000 asked for."),
    RuleResult("control/duplicates", "held", "error", "No image is on both sides."),
    RuleResult("boundary", "not applicable", "warning", "No attack looks at the distance to the boundary."),
)
CONTROLS = (
    ControlResult("duplicates", "held", "No image is on both sides."),
    ControlResult("shift", "failed", "Without the model the sides are told apart with AUC 0.81.", 0.00004),
    ControlResult("untrained-twin", "no evidence", "No outputs of an untrained twin were gathered."),
    ControlResult("shuffled", "not applicable", "The attack is fixed, so nothing can be fitted to shuffled labels."),
)
STATISTICS = Statistics(
    bounds=(
        BoundRow("xgboost", "held-out", "auc", 25_000, 5_000, 0.751, 0.744, 0.758, is_informative=True, n_needed=1),
        BoundRow(
            "xgboost",
            "held-out",
            "tpr_at_fpr.0.001",
            25_000,
            5_000,
            None,
            0.0,
            0.05,
            is_informative=True,
            n_needed=4_000,
        ),
    ),
    auc_stratified={"xgboost": Estimate(0.742, 0.735, 0.749)},
    priors=(PriorRow("xgboost", "threshold", 0.01, Estimate(0.0195), Estimate(1.95)),),
    privacy=(PrivacyRow("xgboost", 0.31, 1e-5, 0.42, 12),),
    class_leaks=(ClassLeakRow("xgboost", 7, 250, 50, Estimate(0.81, 0.74, 0.88), 0.77, 0.00001, 0.001),),
    chances=(ChanceRow("xgboost", 31.4, 0.001, 1_000),),
    power=(PowerRow("auc", 25_000, 5_000, 0.5, 0.513, 0.638, 0.651, 0.625, 1_200),),
    spread=(SpreadRow("xgboost", "auc", (0.75, 0.74), 0.745, 0.005),),
)


def judged(outcome: Outcome = "FAIL") -> Audit:
    """Every outcome of a rule and of a control once."""
    verdict = Verdict(
        outcome,
        outcome == "FAIL",
        "Membership of held-out samples can be told beyond the tolerance.",
        ("tolerance/auc is broken.", "tolerance/tpr-0.1 is undecided."),
        RULES,
        {"preset": "standard", "alpha": 0.05},
        "d" * 64,
        3_700,
        advice="" if outcome == "PASS" else "Do not release the model as it is.",
    )
    findings = (*audits.duplicates().findings, Finding("accuracy", "error", "Accuracy is not the expected one."))
    return replace(audits.normal(), verdict=verdict, controls=CONTROLS, statistics=STATISTICS, findings=findings)


def passed() -> Audit:
    """A verdict that stands in nobody's way."""
    audit = judged("PASS")
    held = tuple(rule for rule in RULES if rule.outcome == "held")
    assert audit.verdict is not None
    verdict = replace(audit.verdict, outcome="PASS", is_severe=False, rules=held, reasons=(), n_needed=None)
    return replace(audit, verdict=verdict, controls=CONTROLS[:1], findings=())


def hostile() -> Audit:
    """Text from strangers in every place of a verdict, a control and a statistic that takes any."""
    audit, labels = audits.hostile(), audits.HOSTILE[:-1]
    rules = tuple(
        RuleResult(text, outcome, "error", text, text, text, text, waiver=text)  # type: ignore[arg-type]
        for text in labels
        for outcome in ("broken", "undecided", "waived", "held")
    )
    verdict = Verdict(
        "FAIL",
        is_severe=False,
        sentence=" ".join(labels),
        reasons=labels,
        rules=rules,
        policy=dict.fromkeys(labels, 1),
        policy_digest=labels[2],
        advice=" ".join(labels),
    )
    controls = tuple(ControlResult(text, "failed", text) for text in labels)
    bounds = tuple(
        BoundRow(text, "held-out", "auc", 1, 1, None, 0.0, 1.0, is_informative=True, n_needed=1) for text in labels
    )
    statistics = Statistics(bounds=bounds, auc_stratified={text: Estimate.undefined(text) for text in labels})
    return replace(audit, verdict=verdict, controls=controls, statistics=statistics)


ALL = {"judged": judged, "passed": passed, "hostile_verdict": hostile}


def samples() -> SampleScores:
    """Three samples, the first of which the attack knows."""
    return SampleScores(
        sample_id=np.array(["train/1", "=cmd()", "test/3"]),
        is_member=np.array([True, True, False]),
        is_correct=np.array([True, False, True]),
        is_held_out=np.array([False, True, True]),
        label=np.array([0, 1, 0]),
        score={"xgboost": np.array([np.nan, 0.25, 0.5])},
    )
