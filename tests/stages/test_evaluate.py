"""The audit: every number against an independent computation, and nothing that the data cannot support."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as reference

from mi_audit.errors import MismatchError, UsageError
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache

OPTIONS = TrainOptions(attacks=("naive", "threshold:loss", "logistic-regression"))


@pytest.fixture(scope="module")
def planted():
    return cache("planted")


@pytest.fixture(scope="module")
def audit(planted):
    return evaluate(planted, train_attacks(planted, OPTIONS), EvaluateOptions(by_class=True))


def test_no_known_sample_is_scored_by_an_attack_whose_score_was_fitted(planted, audit):
    known = train_attacks(planted, OPTIONS).known_id
    is_known = np.isin(audit.samples.sample_id, known)
    for attack in audit.attacks:
        is_scored = ~np.isnan(audit.samples.score[attack.label])
        assert is_scored[is_known].all() == is_scored[is_known].any() == attack.has_fixed_score
        assert is_scored[~is_known].all()
    assert np.array_equal(audit.samples.is_held_out, ~is_known)
    assert {attack.label: attack.has_fixed_score for attack in audit.attacks} == {
        "naive": True,
        "threshold:loss": True,
        "logistic-regression": False,
    }


def test_a_threshold_that_was_fitted_decides_about_held_out_samples_only(planted, audit):
    samples = {row.samples for row in audit.rows if row.attack == "threshold:loss"}
    assert samples == {"held-out"}
    apart = train_attacks(planted, TrainOptions(attacks=("threshold:loss",), per_class=True))
    assert not apart.attacks[0].has_fixed_score  # each class's score counts from a threshold that was fitted


@pytest.mark.parametrize("subset", ["all", "correct", "misclassified"])
@pytest.mark.parametrize("attack", ["naive", "threshold:loss", "logistic-regression"])
def test_rows_agree_with_scikit_learn(audit, attack, subset):
    samples = audit.samples
    mask = (
        samples.is_held_out & {"all": True, "correct": samples.is_correct, "misclassified": ~samples.is_correct}[subset]
    )
    threshold = next(one.threshold for one in audit.attacks if one.label == attack)
    truth, score = samples.is_member[mask], samples.score[attack][mask]
    flagged = score > threshold
    row = audit.row(attack, subset)
    assert (row.n_members, row.n_non_members) == (truth.sum(), (~truth).sum())
    assert row.metrics["balanced_accuracy"].value == pytest.approx(reference.balanced_accuracy_score(truth, flagged))
    assert row.metrics["auc"].value == pytest.approx(reference.roc_auc_score(truth, score))
    assert row.metrics["false_alarm_rate"].value == pytest.approx(flagged[~truth].mean())
    assert row.metrics["recall.member"].value == pytest.approx(reference.recall_score(truth, flagged))
    if flagged.any() and not flagged.all():
        precision = reference.precision_score(truth, flagged, pos_label=False)
        assert row.metrics["precision.non_member"].value == pytest.approx(precision)


def test_the_naive_row_is_the_closed_form_of_the_targets_accuracies(audit):
    for samples in ("full", "held-out"):
        accuracy = next(row for row in audit.accuracy if row.samples == samples)
        metrics = audit.row("naive", samples=samples).metrics
        assert metrics["balanced_accuracy"].value == pytest.approx(0.5 + accuracy.generalisation_gap.value / 2)
        assert metrics["false_alarm_rate"].value == pytest.approx(accuracy.non_member.value)
        assert metrics["recall.member"].value == pytest.approx(accuracy.member.value)


def test_classes_add_up_to_the_whole(audit):
    for subset in ("all", "correct", "misclassified"):
        per_class = [row for row in audit.rows if row.subset == subset and row.image_class is not None]
        ours = [row for row in per_class if row.attack == audit.selected]
        whole = audit.row(audit.selected, subset)
        assert sum(row.n_members for row in ours) == whole.n_members
        flagged = sum(row.n_members * row.metrics["recall.member"].value for row in ours)
        assert flagged == pytest.approx(whole.n_members * whole.metrics["recall.member"].value)


def test_class_averages_are_means_and_population_sds_over_classes(audit):
    average = next(row for row in audit.class_averages if (row.attack, row.subset) == (audit.selected, "all"))
    values = [
        row.metrics["balanced_accuracy"].value
        for row in audit.rows
        if (row.attack, row.subset) == (audit.selected, "all") and row.image_class is not None
    ]
    assert average.metrics["balanced_accuracy"].mean == pytest.approx(np.mean(values))
    assert average.metrics["balanced_accuracy"].sd == pytest.approx(np.std(values))
    assert average.metrics["balanced_accuracy"].n == 4


def test_confidence_is_the_softmax_of_the_true_class(planted, audit):
    from scipy.special import softmax

    true_class = softmax(planted.outputs.astype(np.float64), axis=1)[np.arange(len(planted.label)), planted.label]
    for row in audit.confidence:
        mask = {"all": True, "correct": planted.is_correct, "misclassified": ~planted.is_correct}[row.subset]
        assert row.member.mean == pytest.approx(true_class[planted.is_member & mask].mean())
        assert row.non_member.sd == pytest.approx(true_class[~planted.is_member & mask].std())


def test_recall_and_false_alarm_rate_do_not_depend_on_the_ratio_and_precision_does(audit):
    ours = [row for row in audit.sweep if row.attack == audit.selected]
    assert [row.ratio for row in ours] == ["5:1", "1:1", "1:5"]
    for name in ("recall.member", "false_alarm_rate", "balanced_accuracy"):
        assert len({row.exact[name].value for row in ours}) == 1
        for row in ours:
            assert abs(row.resampled[name].mean - row.exact[name].value) < 0.01
    precision = [row.exact["precision.member"].value for row in ours]
    assert precision == sorted(precision, reverse=True)


def test_an_empty_subset_is_not_estimable():
    gap = cache("gap")
    audit = evaluate(gap, train_attacks(gap, OPTIONS), EvaluateOptions())
    row = audit.row("threshold:loss", "misclassified")
    assert row.n_members == 0
    assert row.metrics["balanced_accuracy"].value is None
    assert row.metrics["balanced_accuracy"].reason == "0 members"
    assert row.naive["balanced_accuracy"].value is None


def test_no_leak_stays_inside_the_binomial_band():
    null = cache("null", n_side=1500)
    audit = evaluate(null, train_attacks(null, OPTIONS), EvaluateOptions())
    for attack in audit.attacks:
        row = audit.row(attack.label)
        band = 3.9 * np.sqrt(0.25 / row.n_members + 0.25 / row.n_non_members) / 2
        assert abs(row.metrics["balanced_accuracy"].value - 0.5) < band


@pytest.mark.parametrize("change", ["outputs", "label", "is_member", "sample_id", "is_audited"])
def test_attacks_of_another_cache_are_refused(planted, change):
    trained = train_attacks(planted, OPTIONS)
    values = getattr(planted, change).copy()
    values[0] = {"outputs": 9.5, "label": 3, "is_member": False, "sample_id": "x", "is_audited": False}[change]
    with pytest.raises(MismatchError, match=f"its {change} differ"):
        evaluate(replace(planted, **{change: values}), trained, EvaluateOptions())


def test_known_samples_that_are_not_in_the_cache_are_refused(planted):
    trained = train_attacks(planted, OPTIONS)
    with pytest.raises(MismatchError, match="not in this feature cache"):
        evaluate(planted, replace(trained, known_id=np.array(["elsewhere/1"])), EvaluateOptions())


def test_bindings_that_name_no_array_are_refused(planted):
    trained = replace(train_attacks(planted, OPTIONS), fitted_on={"provenance": "0"})
    with pytest.raises(MismatchError):
        evaluate(planted, trained, EvaluateOptions())


def test_duplicates_leave_the_audit_and_the_accuracy_is_shown_with_and_without_them(planted):
    is_audited = planted.is_member | (np.arange(len(planted.label)) % 10 > 0)
    fewer = replace(planted, is_audited=is_audited)
    trained = train_attacks(fewer, OPTIONS)
    audit = evaluate(fewer, trained, EvaluateOptions())
    counts = {row.samples: row.n_non_members for row in audit.accuracy}
    assert counts["full"] == 600
    assert counts["audited"] == 540
    assert audit.row("naive", samples="full").n_non_members == 600
    assert audit.row("naive", samples="audited").n_non_members == 540
    n_known = int(np.isin(fewer.sample_id[~fewer.is_member], trained.known_id).sum())
    assert audit.row("naive").n_non_members == counts["held-out"] == 540 - n_known


def test_limits_are_checked_on_the_held_out_rows_of_the_selected_attack(planted):
    trained = train_attacks(planted, OPTIONS)
    audit = evaluate(planted, trained, EvaluateOptions(fail_above=("balanced_accuracy=0.5", "fpr=1")))
    assert [(check.attack, check.outcome) for check in audit.limits] == [
        (trained.selected, "exceeded"),
        (trained.selected, "within"),
    ]
    with pytest.raises(UsageError):
        evaluate(planted, trained, EvaluateOptions(ratios=("0:1",)))


def test_samples_without_an_attack_of_their_class_are_counted():
    whole = cache("planted", n_side=240)
    label = np.where(whole.label == 3, np.where(np.arange(480) % 40 == 3, 3, 0), whole.label)
    rare = replace(whole, label=label)
    options = TrainOptions(attacks=("naive", "threshold:loss"), per_class=True)
    audit = evaluate(rare, train_attacks(rare, options), EvaluateOptions())
    missing = [finding for finding in audit.findings if finding.slug == "samples-not-scored"]
    assert len(missing) == 1
    row, naive = audit.row("threshold:loss"), audit.row("naive")
    assert row.n_members == naive.n_members - 3
    scored = audit.samples.is_held_out & ~np.isnan(audit.samples.score["threshold:loss"])
    truth, is_correct = audit.samples.is_member[scored], audit.samples.is_correct[scored]
    beside = reference.balanced_accuracy_score(truth, is_correct)
    assert row.naive["balanced_accuracy"].value == pytest.approx(beside) != naive.metrics["balanced_accuracy"].value
    assert naive.naive["balanced_accuracy"] == naive.metrics["balanced_accuracy"]
    assert row.zero_r["accuracy"].value == pytest.approx(truth.mean())
    swept = {(one.attack, one.ratio): one.exact for one in audit.sweep}
    assert audit.selected == "threshold:loss"
    assert swept["naive", "1:1"]["balanced_accuracy"].value == pytest.approx(beside)


def test_an_aggregate_audit_has_the_same_rows_and_no_samples(planted):
    trained = train_attacks(planted, OPTIONS)
    whole, aggregate = (evaluate(planted, trained, EvaluateOptions(aggregate_only=only)) for only in (False, True))
    assert aggregate.rows == whole.rows
    assert aggregate.samples is None
    assert aggregate.arrays() == {}
