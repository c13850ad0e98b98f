import json
from dataclasses import replace

import numpy as np
import pytest

from mi_audit.schema.audit import Audit
from mi_audit.schema.figures import Figures
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import TrainOptions, train_attacks
from tests.stages.caches import cache


@pytest.fixture(scope="module")
def planted():
    return cache("planted")


@pytest.fixture(scope="module")
def audit(planted):
    trained = train_attacks(planted, TrainOptions(attacks=("naive", "threshold", "logistic-regression")))
    return evaluate(planted, trained, EvaluateOptions())


def test_every_attack_has_a_roc_curve_through_its_own_recall(audit):
    assert [row.attack for row in audit.figures.roc] == [attack.label for attack in audit.attacks]
    naive = next(row for row in audit.figures.roc if row.attack == "naive")
    metrics = audit.row("naive").metrics
    point = (metrics["false_alarm_rate"].value, metrics["recall.member"].value)
    assert point in list(zip(naive.false_alarm_rate, naive.recall, strict=True))
    assert all(len(row.recall) <= 200 for row in audit.figures.roc)


def test_the_area_under_the_points_is_at_most_the_auc_and_near_it(audit):
    for row in audit.figures.roc:
        rates = np.array([0.0, *row.false_alarm_rate])
        area = float((np.diff(rates) * np.array([0.0, *row.recall])[:-1]).sum())
        auc = audit.row(row.attack).metrics["auc"].value
        assert area <= auc + 1e-9
        assert row.attack == "naive" or auc - area < 0.06


def test_histograms_count_every_audited_sample_once(planted, audit):
    for row in audit.figures.histograms:
        mask = {
            "all": np.ones_like(planted.is_member),
            "correct": planted.is_correct,
            "misclassified": ~planted.is_correct,
        }[row.subset]
        assert sum(row.members) == (mask & planted.is_member).sum()
        assert sum(row.non_members) == (mask & ~planted.is_member).sum()
        assert 20 <= len(row.members) <= 50
    assert {row.scale for row in audit.figures.histograms} == {"confidence", "log-odds"}


def test_mean_confidences_recombine_to_the_mean_of_the_subset(audit):
    for row in audit.figures.mean_confidences:
        if row.of_class is None and None not in row.member:
            total = sum(mean * n for mean, n in zip(row.member, row.n_members, strict=True))
            expected = next(found for found in audit.confidence if found.subset == row.subset).member
            assert total / sum(row.n_members) == pytest.approx(expected.mean)


def test_a_mean_confidence_vector_sums_to_one(audit):
    vectors = [row for row in audit.figures.mean_confidences if row.of_class == 0]
    assert [row.subset for row in vectors] == ["all", "correct", "misclassified"]
    assert sum(vectors[0].member) == pytest.approx(1)


def test_curves_along_the_ratio_agree_with_the_sweep(audit):
    for row in audit.sweep:
        curve = next(found for found in audit.figures.ratio_curves if found.attack == row.attack)
        if row.ratio == "1:1":
            at = int(np.argmin(np.abs(np.array(curve.prior) - 0.5)))
            assert curve.bands["precision.member"].value[at] == pytest.approx(row.exact["precision.member"].value)


def test_labels_only_have_no_confidences_to_draw():
    full = cache("gap")
    labels = replace(full, outputs=np.zeros((len(full.label), 0), np.float32), outputs_kind="labels")
    audit = evaluate(labels, train_attacks(labels, TrainOptions(attacks=("naive",))), EvaluateOptions())
    assert (audit.figures.histograms, audit.figures.mean_confidences) == ((), ())
    assert [row.attack for row in audit.figures.roc] == ["naive"]


def test_figures_come_back_from_the_file_and_old_audits_have_none(audit):
    header = json.loads(json.dumps(audit.header()))
    assert Audit.from_parts(header, {}).figures == audit.figures
    del header["figures"]
    assert Audit.from_parts(header, {}).figures == Figures()
