"""The statistics of an audit: which samples they rest on, groups, and that noise leaks nothing."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit.metrics.bounds import MEASURES, bound
from mi_audit.schema.audit import Audit
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache

OPTIONS = TrainOptions(attacks=("naive", "threshold:loss", "logistic-regression"))
LABELS = ["naive", "threshold:loss", "logistic-regression"]


def audited(one, **options):
    return evaluate(one, train_attacks(one, OPTIONS), EvaluateOptions(**options))


@pytest.fixture(scope="module")
def planted():
    return cache("planted", n_side=900)


@pytest.fixture(scope="module")
def audit(planted):
    return audited(planted)


def test_every_attack_has_every_statistic(audit):
    found = audit.statistics
    assert [row.attack for row in found.bounds] == [label for label in LABELS for _ in MEASURES]
    assert audit.selected == "logistic-regression"  # whose score is fitted, so that its bounds are there once
    assert [row.measure for row in found.bounds] == list(MEASURES) * 3
    assert list(found.auc_stratified) == [row.attack for row in found.privacy] == LABELS
    assert [row.attack for row in found.chances] == LABELS
    assert [row.prior for row in found.priors] == [0.5, 0.1, 0.01, 0.001] * 3
    assert {row.attack for row in found.class_leaks} == {audit.selected}
    assert len(found.class_leaks) == 4
    assert [row.measure for row in found.power] == list(MEASURES[:3])


def test_fixed_attacks_use_all_audited_samples_and_fitted_ones_the_held_out(planted, audit):
    left_out = planted.is_audited & (np.arange(1800) >= 10)
    less = audited(replace(planted, is_audited=left_out))
    for one, n in ((audit, 900), (less, 890)):
        naive, *_, fitted = one.statistics.bounds
        assert (naive.samples, naive.n_members, naive.n_non_members) == ("audited", n, 900)
        assert fitted.samples == "held-out"
        assert fitted.n_members == one.row("logistic-regression").n_members


def test_a_fixed_score_that_was_selected_has_bounds_on_held_out_samples_too(planted):
    trained = train_attacks(planted, OPTIONS)
    chosen = evaluate(planted, replace(trained, selected="threshold:loss"), EvaluateOptions())
    rows = [row for row in chosen.statistics.bounds if row.attack == "threshold:loss" and row.measure == "auc"]
    assert [(row.samples, row.n_members) for row in rows] == [
        ("audited", 900),
        ("held-out", chosen.row("threshold:loss").n_members),
    ]
    assert rows[1].value == chosen.row("threshold:loss").metrics["auc"].value
    not_chosen = evaluate(planted, replace(trained, selected="naive"), EvaluateOptions()).statistics.bounds
    assert {row.samples for row in not_chosen if row.attack == "threshold:loss"} == {"audited"}


def test_bounds_are_those_of_the_scores(audit):
    samples, row = audit.samples, next(row for row in audit.statistics.bounds if row.attack == "logistic-regression")
    held = samples.is_held_out
    score = samples.score["logistic-regression"][held]
    expected = bound("auc", score, samples.is_member[held], 0.05 / 3, 0.05, np.random.default_rng(0))
    assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
    assert row.value == audit.row("logistic-regression").metrics["auc"].value


def test_a_planted_leak_is_no_chance_and_noise_is(audit):
    assert min(row.p_value for row in audit.statistics.chances) == 0.001
    assert max(row.z for row in audit.statistics.chances) > 4
    noise = audited(cache("null", n_side=900)).statistics
    assert min(row.p_value for row in noise.chances) > 0.01
    assert max(row.epsilon for row in noise.privacy) == 0
    assert all(row.low <= 0.5 for row in noise.bounds if row.measure == "auc")


def test_alpha_and_looks_reach_the_bounds(planted, audit):
    wider = audited(planted, alpha=0.01, n_looks=4, mu=0.2, is_gated=False).statistics
    assert (wider.alpha, wider.n_looks) == (0.01, 4)
    for wide, narrow in zip(wider.bounds, audit.statistics.bounds, strict=True):
        assert wide.low <= narrow.low
        assert wide.high >= narrow.high
    assert wider.power[0].limit < audit.statistics.power[0].limit


def test_the_same_audit_has_the_same_statistics_and_survives_the_file(planted, audit):
    again = audited(planted)
    assert again.statistics == audit.statistics
    assert Audit.from_parts(audit.header(), audit.arrays()).statistics == audit.statistics


def test_groups_are_counted_and_not_samples(planted, audit):
    """Groups of three images: the rates rest on a third of the samples, and the AUC on groups."""
    group = np.array([f"{'m' if planted.is_member[i] else 'n'}{i // 3}" for i in range(1800)])
    found = audited(replace(planted, group=group)).statistics
    naive = [row for row in found.bounds if row.attack == "naive"]
    assert {(row.n_members, row.n_non_members) for row in naive} == {(300, 300)}
    alone = next(row for row in audit.statistics.bounds if row.attack == "naive")
    assert naive[0].value == alone.value
    assert naive[0].low != alone.low
    assert found.power[0].n_members <= 300


def test_rows_have_the_intervals_of_groups(planted):
    """Three copies in one group: the interval of the false alarm rate is that of the groups, wider than samples'."""
    triple = np.repeat(np.arange(0, 1800, 3), 3)
    copies = replace(
        planted,
        outputs=planted.outputs[triple],
        label=planted.label[triple],
        predicted=planted.predicted[triple],
        is_member=planted.is_member[triple],
        features={},
        columns={},
    )
    plain = audited(copies).row("naive", samples="full").metrics
    found = audited(replace(copies, group=triple.astype(str))).row("naive", samples="full").metrics
    for name in ("false_alarm_rate", "balanced_accuracy", "auc", "precision.member"):
        assert found[name].value == plain[name].value
        ratio = (found[name].high - found[name].low) / (plain[name].high - plain[name].low)
        assert ratio == pytest.approx(3**0.5, abs=0.1)


def test_every_sample_its_own_group_changes_no_bound_of_rates(planted, audit):
    own = audited(replace(planted, group=planted.sample_id)).statistics
    for grouped, plain in zip(own.bounds, audit.statistics.bounds, strict=True):
        assert (grouped.value, grouped.n_members) == (plain.value, plain.n_members)
        assert (grouped.low, grouped.high) == pytest.approx((plain.low, plain.high), rel=1e-9)


def test_labels_alone_have_statistics(planted):
    black_box = replace(
        planted, outputs=np.empty((1800, 0), np.float32), outputs_kind="labels", features={}, columns={}
    )
    found = evaluate(
        black_box, train_attacks(black_box, TrainOptions(attacks=("naive",))), EvaluateOptions()
    ).statistics
    assert [row.samples for row in found.bounds] == ["audited"] * 4 + ["held-out"] * 4
    assert all(row.is_informative for row in found.bounds)
