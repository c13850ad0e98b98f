"""Attacks learn from known samples only, are chosen there, and do not depend on each other."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as reference

from mi_audit.errors import DataSetError, MismatchError, UsageError
from mi_audit.stages import _split
from mi_audit.stages._trainer import Validation
from mi_audit.stages._training_plan import PLANS, TrainOptions, attacks_of, planned
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.progress import Silence
from mi_audit.stages.train_attack import _selected, fitted_on, train_attacks
from tests.stages.caches import cache

QUICK = ("naive", "threshold", "logistic-regression")


def test_the_known_samples_are_the_share_of_every_cell():
    trained = train_attacks(cache("null"), TrainOptions(attacks=("naive",), known_fraction=0.25))
    assert len(trained.known_id) == 4 * 2 * int(150 * 0.25)


def test_what_happens_to_held_out_samples_changes_nothing():
    whole = cache("planted")
    trained = train_attacks(whole, TrainOptions(attacks=QUICK))
    held_out = ~np.isin(whole.sample_id, trained.known_id)
    outputs, predicted = whole.outputs.copy(), whole.predicted.copy()
    outputs[held_out] = np.random.default_rng(1).normal(size=outputs[held_out].shape)
    predicted[held_out] = outputs[held_out].argmax(axis=1)
    other = train_attacks(replace(whole, outputs=outputs, predicted=predicted), TrainOptions(attacks=QUICK))
    assert other.attacks == trained.attacks
    for label, payload in trained.payloads.items():
        assert np.array_equal(payload, other.payloads[label])


def options_of_everything() -> TrainOptions:
    return TrainOptions(
        attacks=("naive", "threshold", "class-conditional", "logistic-regression", "random-forest"),
        search=1,
        settings=("random-forest.n_estimators=10",),
    )


@pytest.mark.parametrize("kind", ["null", "planted"])
def test_permuted_or_planted_membership_of_held_out_samples_changes_no_byte(kind):
    """Orientation, threshold, settings and choice: none of them may depend on who is a member among the held-out."""
    whole, chosen = cache(kind, n_side=300), planned(options_of_everything())
    is_known = _split.known_samples(whole.sample_id, whole.label, whole.is_member, 0.5, 0)
    held_out = np.flatnonzero(~is_known)
    permuted, planted = whole.is_member.copy(), whole.is_member.copy()
    permuted[held_out] = np.random.default_rng(1).permutation(permuted[held_out])
    planted[held_out] = whole.outputs[held_out, 0] < 0
    assert (permuted != whole.is_member).sum() > 50
    first, *others = (
        fitted_on(replace(whole, is_member=is_member), is_known, chosen, Silence(), is_chosen=True)
        for is_member in (whole.is_member, permuted, planted)
    )
    for other in others:
        assert (other.attacks, other.selected, other.findings) == (first.attacks, first.selected, first.findings)
        for label, fitted in first.fitted.items():
            assert fitted.to_bytes() == other.fitted[label].to_bytes()


def test_the_same_test_would_see_a_known_sample_whose_membership_changed():
    whole, chosen = cache("planted", n_side=300), planned(options_of_everything())
    is_known = _split.known_samples(whole.sample_id, whole.label, whole.is_member, 0.5, 0)
    known = np.flatnonzero(is_known)
    permuted = whole.is_member.copy()
    permuted[known] = np.random.default_rng(1).permutation(permuted[known])
    first, other = (
        fitted_on(replace(whole, is_member=is_member), is_known, chosen, Silence(), is_chosen=True)
        for is_member in (whole.is_member, permuted)
    )
    assert first.attacks != other.attacks


def test_groups_stay_together_and_bind_the_attacks():
    whole = cache("planted")
    group = np.array([f"{name.partition('/')[0]} {int(name.partition('/')[2]) // 6}" for name in whole.sample_id])
    made = replace(whole, group=group)
    trained = train_attacks(made, TrainOptions(attacks=QUICK))
    is_known = np.isin(made.sample_id, trained.known_id)
    assert set(group[is_known]).isdisjoint(group[~is_known])
    assert is_known.mean() == pytest.approx(0.5, abs=0.02)
    assert "group" in trained.fitted_on
    assert "group" not in train_attacks(whole, TrainOptions(attacks=("naive",))).fitted_on
    regrouped = replace(made, group=np.char.add(group, "x"))
    with pytest.raises(MismatchError, match="its group differ"):
        evaluate(regrouped, trained, EvaluateOptions())


def test_a_leak_by_person_is_not_taken_for_one_of_membership():
    """Each person has a signature and nothing tells members: told about other images of all persons, attacks "win"."""
    whole = cache("null", n_side=800)
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(160), 10)
    signature = rng.normal(size=(160, 4))[person] * 6
    label = np.zeros(len(person), np.int64)
    outputs = (signature + 0.1 * rng.normal(size=signature.shape)).astype(np.float32)
    made = replace(whole, outputs=outputs, label=label, predicted=outputs.argmax(axis=1))
    grouped = replace(made, group=np.array([f"person {number}" for number in person]))
    options = TrainOptions(attacks=("random-forest",), settings=("random-forest.n_estimators=30",))
    naive, honest = (
        evaluate(one, train_attacks(one, options), EvaluateOptions()).row("random-forest").metrics["auc"].value
        for one in (made, grouped)
    )
    assert naive > 0.8
    assert abs(honest - 0.5) < 0.2  # 40 held-out persons a side


def test_another_attack_beside_it_changes_nothing():
    alone = train_attacks(cache("planted"), TrainOptions(attacks=("logistic-regression",)))
    among = train_attacks(cache("planted"), TrainOptions(attacks=("xgboost", "logistic-regression")))
    assert np.array_equal(alone.payloads["logistic-regression"], among.payloads["logistic-regression"])


def test_a_planted_leak_is_chosen_over_the_naive_attack():
    trained = train_attacks(cache("planted"), TrainOptions(attacks=QUICK))
    scores = {attack.label: attack.balanced_accuracy for attack in trained.attacks}
    assert trained.selected != "naive"
    assert scores[trained.selected] == max(scores.values()) > scores["naive"] + 0.1


def test_a_gap_alone_makes_the_naive_score_one_half_plus_half_the_gap_on_the_known_samples():
    known = cache("gap")
    trained = train_attacks(known, TrainOptions(attacks=("naive",)))
    rows = np.isin(known.sample_id, trained.known_id)
    members, non_members = known.is_correct[rows & known.is_member], known.is_correct[rows & ~known.is_member]
    assert trained.attacks[0].balanced_accuracy == pytest.approx(0.5 + (members.mean() - non_members.mean()) / 2)


def test_the_best_is_selected_and_auc_decides_between_those_that_cannot_be_told_apart():
    far_better = {"a": Validation(0.60, 0.01, 0.9), "b": Validation(0.70, 0.01, 0.7)}
    assert _selected(far_better) == "b"
    close = {"a": Validation(0.70, 0.01, 0.70), "b": Validation(0.695, 0.01, 0.76), "c": Validation(0.68, 0.01, 0.9)}
    assert _selected(close) == "b"
    assert _selected({"a": Validation(0.5, 0.01, 0.5), "b": Validation(0.5, 0.01, 0.5)}) == "a"
    assert _selected({"a": Validation(None, 0.0, None), "b": Validation(0.4, 0.1, 0.4)}) == "b"
    assert _selected({"a": Validation(None, 0.0, None)}) == "a"


def test_a_validation_is_balanced_accuracy_its_standard_error_and_auc():
    score = np.array([1.0, 2.0, -1.0, 0.5, -2.0, -3.0, np.nan])
    is_member = np.array([True, True, True, False, False, False, True])
    validation = Validation.of(score, is_member)
    assert validation.balanced_accuracy == pytest.approx(
        reference.balanced_accuracy_score(is_member[:6], score[:6] > 0)
    )
    assert validation.auc == pytest.approx(reference.roc_auc_score(is_member[:6], score[:6]))
    assert validation.standard_error == pytest.approx(np.sqrt(2 * (2 / 3) * (1 / 3) / 3) / 2)
    assert Validation.of(score[:3], is_member[:3]).balanced_accuracy is None


def test_repeats_of_a_few_samples_do_not_make_a_class_large():
    whole = cache("planted", n_side=240)
    few_non_members = ~((whole.label == 3) & ~whole.is_member & (np.arange(480) % 40 != 3))
    arrays = {name: values[few_non_members] for name, values in whole.arrays().items()}
    options = TrainOptions(attacks=("threshold:loss",), per_class=True, balance="oversample")
    trained = train_attacks(replace(whole, **arrays), options)
    assert trained.attacks[0].n_classes_skipped == 1


def test_samples_that_left_the_audit_are_not_known():
    whole = cache("null")
    is_audited = np.arange(len(whole.label)) % 3 > 0
    trained = train_attacks(replace(whole, is_audited=is_audited), TrainOptions(attacks=("naive",)))
    assert not np.isin(whole.sample_id[~is_audited], trained.known_id).any()


@pytest.mark.parametrize("balance", ["weights", "undersample", "oversample", "none"])
def test_every_way_of_balancing_finds_the_leak(balance):
    trained = train_attacks(cache("planted"), TrainOptions(attacks=("logistic-regression",), balance=balance))
    assert trained.attacks[0].balanced_accuracy > 0.65


def test_without_balancing_five_to_one_calls_almost_everybody_a_member():
    whole = cache("null", n_side=1200)
    few = whole.is_member | (np.arange(len(whole.label)) % 5 == 0)
    arrays = {name: values[few] for name, values in whole.arrays().items()}
    five_to_one = replace(whole, **arrays)
    unbalanced = train_attacks(five_to_one, TrainOptions(attacks=("logistic-regression",), balance="none"))
    assert unbalanced.attacks[0].balanced_accuracy == pytest.approx(0.5, abs=0.02)


def test_a_search_compares_settings_without_repeats_and_keeps_what_the_user_set():
    options = TrainOptions(attacks=("random-forest",), search=3, settings=("random-forest.n_estimators=5",))
    trained = train_attacks(cache("planted", n_side=200), options)
    assert trained.attacks[0].n_draws == 4
    assert trained.attacks[0].options["n_estimators"] == 5


def test_an_attack_per_class_skips_small_classes_and_says_so():
    whole = cache("planted", n_side=240)
    label = np.where(whole.label == 3, np.where(np.arange(480) % 40 == 3, 3, 0), whole.label)
    options = TrainOptions(attacks=("threshold:loss",), per_class=True)
    trained = train_attacks(replace(whole, label=label), options)
    assert trained.attacks[0].n_classes_skipped == 1
    assert trained.attacks[0].threshold == 0.0
    assert [finding.slug for finding in trained.findings] == ["classes-skipped"]


def test_no_class_with_enough_samples_is_an_error():
    with pytest.raises(UsageError, match="at least 15"):
        train_attacks(cache("null", n_side=40), TrainOptions(attacks=("threshold:loss",), per_class=True))


def test_nothing_known_on_a_side_is_an_error():
    with pytest.raises(DataSetError, match="expected known members and known non-members"):
        train_attacks(cache("null", n_side=4), TrainOptions(attacks=("naive",)))


def test_probabilities_do_as_well_as_logits():
    options = TrainOptions(attacks=("threshold:loss",))
    logits, probabilities = (
        train_attacks(cache("planted", outputs_kind=kind), options) for kind in ("logits", "probabilities")
    )
    assert logits.attacks[0].balanced_accuracy == probabilities.attacks[0].balanced_accuracy


def test_the_protocol_sets_defaults_and_flags_win():
    assert planned(TrainOptions(protocol="paper")) == PLANS["paper"]
    own = planned(TrainOptions(protocol="paper", known_fraction=0.5, per_class=False, balance="weights"))
    assert (own.known_fraction, own.per_class, own.balance, own.view) == (0.5, False, "weights", "confidences")


def test_a_bare_name_stands_for_all_its_forms():
    labels = list(attacks_of(planned(TrainOptions(attacks=("threshold",)))))
    assert labels == ["threshold:loss", "threshold:max-confidence", "threshold:entropy", "threshold:modified-entropy"]


def test_a_setting_picks_the_form_of_an_attack():
    options = TrainOptions(attacks=("threshold",), settings=("threshold.signal=entropy",))
    assert list(attacks_of(planned(options))) == ["threshold:entropy"]


def test_a_setting_of_an_attack_that_does_not_run_is_an_error():
    with pytest.raises(UsageError, match="does not run"):
        attacks_of(planned(TrainOptions(attacks=("naive",), settings=("xgboost.max_depth=3",))))


@pytest.mark.parametrize("text", ["xgboost", "xgboost.max_depth", "=3", "max_depth=3"])
def test_a_setting_that_cannot_be_read_is_an_error(text):
    with pytest.raises(UsageError, match="expected --set"):
        planned(TrainOptions(settings=(text,)))
