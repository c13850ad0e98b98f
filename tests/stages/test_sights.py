"""What attacks look at: outputs, a feature, or everything; each says so, and none sees more than it says."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit.errors import DataSetError, MismatchError, UsageError
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache

SEVEN = ("l1", "l2", "min", "max", "mean", "skewness", "kurtosis")


def featured(shift: float = 2.0, seed: int = 0, kind: str = "null", n_side: int = 600) -> FeatureCache:
    """Outputs that tell nothing, and features: gradients smaller for members, a null one, a wide one, one missing."""
    made = cache(kind, n_side=n_side)
    rng = np.random.default_rng(seed)
    n, k = len(made.label), len(SEVEN)
    sizes = 10 ** (rng.normal(0, 3, (n, k)) - shift * made.is_member[:, None] * 1.5)
    distance = rng.normal(5, 1, (n, 1)) + shift * made.is_member[:, None]
    distance[rng.random(n) < 0.05] = np.nan
    features = {
        "gradient-norm:w": sizes,
        "gradient-norm:x": 10 ** rng.normal(0, 3, (n, k)),
        "boundary-distance": distance,
        "layer:-1": rng.normal(size=(n, 20)),
        "constant": np.full((n, 2), np.nan),
    }
    columns = {
        "gradient-norm:w": SEVEN,
        "gradient-norm:x": SEVEN,
        "boundary-distance": ("distance",),
        "layer:-1": tuple(f"unit-{number}" for number in range(20)),
        "constant": ("a", "b"),
    }
    return replace(made, features={name: v.astype(np.float32) for name, v in features.items()}, columns=columns)


@pytest.fixture(scope="module")
def whole() -> FeatureCache:
    return featured()


def labels(
    cache: FeatureCache, *on: str, attacks: tuple[str, ...] = ("naive", "logistic-regression"), **more
) -> list[str]:
    trained = train_attacks(cache, TrainOptions(attacks=attacks, on=on, **more))
    return [attack.label for attack in trained.attacks]


def test_every_attack_says_what_it_looks_at_and_the_naive_one_stands_once(whole):
    assert labels(whole, "outputs", "gradient-norm:w", "all") == [
        "naive",
        "logistic-regression",
        "logistic-regression on gradient-norm:w",
        "logistic-regression on all",
    ]


def test_a_name_without_its_part_means_all_its_parts_and_repeats_count_once(whole):
    assert labels(whole, "gradient-norm", "gradient-norm:x", attacks=("logistic-regression",)) == [
        "logistic-regression on gradient-norm:w",
        "logistic-regression on gradient-norm:x",
    ]


def test_outputs_alone_are_the_default_and_give_the_same_bytes_whatever_features_there_are(whole):
    with_features = train_attacks(whole, TrainOptions(attacks=("logistic-regression",)))
    without = train_attacks(cache("null"), TrainOptions(attacks=("logistic-regression",)))
    assert with_features.attacks == without.attacks
    np.testing.assert_array_equal(
        with_features.payloads["logistic-regression"], without.payloads["logistic-regression"]
    )
    assert with_features.fitted_on == without.fitted_on


@pytest.mark.parametrize("attack", ["logistic-regression", "random-forest", "xgboost", "mlp", "threshold:l2"])
def test_a_leak_in_a_feature_is_found_with_members_scoring_larger(whole, attack):
    options = TrainOptions(attacks=(attack,), on=("gradient-norm:w",))
    audit = evaluate(whole, train_attacks(whole, options), EvaluateOptions())
    row = audit.row(f"{attack} on gradient-norm:w")
    assert row.metrics["auc"].value > 0.7
    assert row.metrics["balanced_accuracy"].value > 0.65


@pytest.mark.parametrize("attack", ["logistic-regression", "random-forest", "xgboost", "mlp", "threshold:l2"])
def test_a_feature_that_tells_nothing_stays_inside_the_binomial_band(attack):
    null = featured(n_side=1500)
    options = TrainOptions(attacks=(attack,), on=("gradient-norm:x",))
    row = evaluate(null, train_attacks(null, options), EvaluateOptions()).row(f"{attack} on gradient-norm:x")
    band = 3.9 * np.sqrt(0.25 / row.n_members + 0.25 / row.n_non_members) / 2
    assert abs(row.metrics["balanced_accuracy"].value - 0.5) < band


def test_a_threshold_finds_out_on_which_side_of_a_column_members_are(whole):
    options = TrainOptions(attacks=("threshold",), on=("boundary-distance", "gradient-norm:w"))
    audit = evaluate(whole, train_attacks(whole, options), EvaluateOptions())
    assert [attack.label for attack in audit.attacks] == [
        "threshold:distance on boundary-distance",
        *(f"threshold:{column} on gradient-norm:w" for column in SEVEN),
    ]
    for attack in audit.attacks:
        assert audit.row(attack.label).metrics["auc"].value > 0.65


def test_the_joint_attack_does_at_least_as_well_as_the_best_feature(whole):
    options = TrainOptions(attacks=("logistic-regression",), on=("gradient-norm:w", "boundary-distance", "all"))
    audit = evaluate(whole, train_attacks(whole, options), EvaluateOptions())
    found = {a.label: audit.row(a.label).metrics["auc"].value for a in audit.attacks}
    assert found["logistic-regression on all"] == max(found.values())
    assert audit.attacks[-1].on == ("outputs", "boundary-distance", "gradient-norm:w", "gradient-norm:x", "layer:-1")


def test_samples_without_a_value_are_scored(whole):
    options = TrainOptions(attacks=("threshold", "logistic-regression"), on=("boundary-distance",))
    audit = evaluate(whole, train_attacks(whole, options), EvaluateOptions())
    missing = np.isnan(whole.features["boundary-distance"][:, 0]) & audit.samples.is_held_out
    assert missing.sum() > 10
    for label, score in audit.samples.score.items():
        assert np.isfinite(score[missing]).all(), label
        assert len(np.unique(score[missing])) == 1


def test_a_leak_that_is_nothing_but_missing_values_is_found():
    made = featured(shift=0.0)
    distance = np.full((len(made.label), 1), 2.0, np.float32)
    distance[np.random.default_rng(0).random(len(distance)) < np.where(made.is_member, 0.1, 0.7)] = np.nan
    made = replace(made, features=made.features | {"boundary-distance": distance})
    options = TrainOptions(attacks=("logistic-regression",), on=("boundary-distance",))
    audit = evaluate(made, train_attacks(made, options), EvaluateOptions())
    assert audit.row(audit.selected).metrics["balanced_accuracy"].value > 0.75


def test_attacks_are_bound_to_the_features_that_they_look_at_and_to_no_others(whole):
    trained = train_attacks(whole, TrainOptions(attacks=("logistic-regression",), on=("gradient-norm:w",)))
    assert set(trained.fitted_on) == {
        *("outputs", "is_member", "is_audited", "label", "predicted", "sample_id"),
        "features/gradient-norm:w",
    }
    more = replace(
        whole,
        features=whole.features | {"layer:-2": whole.features["layer:-1"]},
        columns=whole.columns | {"layer:-2": whole.columns["layer:-1"]},
    )
    assert evaluate(more, trained, EvaluateOptions()).rows == evaluate(whole, trained, EvaluateOptions()).rows
    other = replace(whole, features=whole.features | {"gradient-norm:w": whole.features["gradient-norm:w"] + 1})
    with pytest.raises(MismatchError, match=r"its features/gradient-norm:w differ"):
        evaluate(other, trained, EvaluateOptions())
    with pytest.raises(MismatchError, match="look at gradient-norm:w") as caught:
        evaluate(cache("null"), trained, EvaluateOptions())
    assert "--features gradient-norm:w" in caught.value.tip


def test_an_unknown_feature_is_an_error_that_says_what_there_is_and_how_to_add_it(whole):
    with pytest.raises(UsageError, match="holds no 'gradient-nrom:w'") as caught:
        labels(whole, "gradient-nrom:w")
    assert "did you mean 'gradient-norm:w'" in caught.value.tip
    assert "extract ... --features gradient-nrom:w" in caught.value.tip
    with pytest.raises(UsageError, match="holds outputs only"):
        labels(cache("null"), "all")


def test_a_feature_that_tells_nothing_apart_is_left_out_with_a_warning_or_refused(whole):
    trained = train_attacks(whole, TrainOptions(attacks=("naive",), on=("outputs", "constant")))
    assert [(finding.slug, finding.severity) for finding in trained.findings] == [("feature-uninformative", "warning")]
    with pytest.raises(DataSetError, match="constant is the same for all known samples, or missing for all"):
        labels(whole, "constant")


def test_a_wide_feature_is_cut_only_where_its_column_is_named(whole):
    assert labels(whole, "layer:-1", attacks=("threshold:unit-3",)) == ["threshold:unit-3 on layer:-1"]
    with pytest.raises(UsageError, match="one column at a time, got 20"):
        labels(whole, "layer:-1", attacks=("threshold",))
    with pytest.raises(UsageError, match="no such column") as caught:
        labels(whole, "gradient-norm:w", attacks=("threshold:l3",))
    assert "did you mean" in caught.value.tip
    default = train_attacks(whole, TrainOptions(on=("layer:-1",), settings=("mlp.epochs=1",)))
    assert "threshold" not in {attack.name for attack in default.attacks}
    assert "--attack threshold:unit-0" in default.findings[0].message


def test_a_column_and_a_signal_can_be_cut_side_by_side(whole):
    shown = labels(whole, "outputs", "gradient-norm:w", attacks=("threshold:l2", "threshold:loss"))
    assert shown == ["threshold:loss", "threshold:l2 on gradient-norm:w"]


def test_settings_reach_attacks_on_features(whole):
    options = TrainOptions(
        attacks=("logistic-regression",), on=("gradient-norm:w",), settings=("logistic-regression.c=3",)
    )
    assert train_attacks(whole, options).attacks[0].options == {"c": 3.0}
    with pytest.raises(UsageError, match="does not run"):
        train_attacks(whole, replace(options, settings=("xgboost.max_depth=3",)))


def test_apart_by_subset_an_attack_finds_what_the_accuracy_gap_hides():
    """Members are right more often; within what is right and within what is wrong the feature tells the sides apart."""
    made = featured(n_side=2000)
    rng = np.random.default_rng(1)
    right = rng.random(len(made.label)) < np.where(made.is_member, 0.9, 0.6)
    predicted = np.where(right, made.label, (made.label + 1) % 4)
    # The other way round in both subsets, so that one attack for both cannot be right.
    values = rng.normal(size=(len(right), 1)) + 1.5 * np.where(right, 1, -1)[:, None] * made.is_member[:, None]
    made = replace(
        made,
        predicted=predicted,
        features={"boundary-distance": values.astype(np.float32)},
        columns={"boundary-distance": ("distance",)},
    )
    options = TrainOptions(attacks=("logistic-regression",), on=("boundary-distance",), per_subset=True)
    trained = train_attacks(made, options)
    assert trained.attacks[0].per_subset
    assert trained.attacks[0].threshold == 0
    audit = evaluate(made, trained, EvaluateOptions())
    for subset in ("correct", "misclassified"):
        assert audit.row(audit.selected, subset).metrics["balanced_accuracy"].value > 0.7
    together = train_attacks(made, replace(options, per_subset=False))
    row = evaluate(made, together, EvaluateOptions()).row(together.selected, "misclassified")
    assert row.metrics["balanced_accuracy"].value < 0.5


@pytest.mark.parametrize("balance", ["weights", "oversample"])
def test_a_subset_with_too_few_of_a_side_gets_no_attack_and_its_samples_no_score(balance):
    made = featured()
    wrong = ~made.is_member & (np.arange(len(made.label)) % 3 == 0)
    wrong[:4] = True  # four members: too few, however often they are repeated
    made = replace(made, predicted=np.where(wrong, (made.label + 1) % 4, made.label))
    options = TrainOptions(
        attacks=("logistic-regression",),
        on=("gradient-norm:w",),
        per_subset=True,
        per_class=True,
        balance=balance,
    )
    audit = evaluate(made, train_attacks(made, options), EvaluateOptions())
    score = audit.samples.score[audit.selected]
    held_out = audit.samples.is_held_out
    assert np.isnan(score[held_out & wrong]).all()
    assert np.isfinite(score[held_out & ~wrong]).all()
    assert "whose class or subset has no attack" in audit.findings[-1].message
    assert audit.row(audit.selected, "misclassified").metrics["balanced_accuracy"].reason == "0 samples"


def test_the_papers_protocol_takes_its_attack_on_each_feature(whole):
    trained = train_attacks(
        whole, TrainOptions(protocol="paper", on=("gradient-norm:w", "boundary-distance"), search=0)
    )
    assert [(attack.label, attack.per_class, attack.per_subset) for attack in trained.attacks] == [
        ("naive", False, False),
        ("logistic-regression on gradient-norm:w", True, True),
        ("logistic-regression on boundary-distance", True, True),
    ]


def test_an_audit_holds_what_the_features_look_like(whole):
    trained = train_attacks(whole, TrainOptions(attacks=("logistic-regression",), on=("boundary-distance", "layer:-1")))
    audit = evaluate(whole, trained, EvaluateOptions(by_class=True))
    assert [(row.feature, row.column) for row in audit.features[::3]] == [
        ("boundary-distance", "distance"),
        ("layer:-1", None),
    ]
    values = whole.features["boundary-distance"][:, 0].astype(np.float64)
    for row in audit.features[:3]:
        mask = {"all": True, "correct": whole.is_correct, "misclassified": ~whole.is_correct}[row.subset]
        own = values[mask & whole.is_member]
        assert row.member.mean == pytest.approx(np.nanmean(own))
        assert row.member.sd == pytest.approx(np.nanstd(own))
        assert (row.member.n, row.n_missing_members) == (np.isfinite(own).sum(), np.isnan(own).sum())
    message = next(finding.message for finding in audit.findings if finding.slug == "feature-missing")
    n_missing = int(np.isnan(values[whole.is_member]).sum())
    assert message.startswith(f"boundary-distance is missing for {n_missing} of 600 members and ")


def test_class_averages_have_the_naive_attack_on_the_same_samples(whole):
    trained = train_attacks(whole, TrainOptions(attacks=("logistic-regression",), on=("gradient-norm:w",)))
    audit = evaluate(whole, trained, EvaluateOptions(by_class=True))
    average = next(row for row in audit.class_averages if row.subset == "all")
    values = [
        row.naive["balanced_accuracy"].value
        for row in audit.rows
        if row.image_class is not None and row.subset == "all"
    ]
    assert average.naive["balanced_accuracy"].mean == pytest.approx(np.mean(values))
