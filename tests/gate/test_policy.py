"""Policies: what they say, and that nothing misspelt or out of range is ever a silent default."""

import math
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mi_audit.errors import PolicyError
from mi_audit.gate._policy_reading import of_values, parse
from mi_audit.gate._policy_text import commented, named
from mi_audit.gate.policy import Policy, Rule, Waiver, mu_of_auc, mu_of_base_rate, preset
from mi_audit.metrics.tolerance import PRESETS, limit

CONTROLS = ("blind-baseline", "duplicates", "placebo", "untrained-twin")
BASE = "schema_version: 1\npreset: standard\n"
RULES = BASE + "rules:\n  - {name: gap, metric: advantage, max: 0.1, severity: warning}\n"


def read(text: str) -> Policy:
    return parse(text, CONTROLS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_in_a_file_is_the_preset(name):
    assert read(f"schema_version: 1\npreset: {name}\n") == preset(name)


def test_only_strict_lets_the_tail_decide():
    assert {name: preset(name).tail for name in PRESETS} == {
        "strict": "decide",
        "standard": "advice",
        "lenient": "advice",
    }


WHOLE = """
schema_version: 1
tolerance: {auc: 0.65}
alpha: 0.01
tail: decide
tier: T1
minimum: {members: 500, non_members: 1000}
controls: {required: [duplicates, placebo]}
rules:
  - {name: misses, metric: fpr, attack: any, subset: misclassified, max: 0.2, compare: point}
  - {name: floor, metric: recall.non_member, min: 0.4}
waivers:
  - {rule: misses, reason: known, approver: a@b, expires: 2027-01-31}
"""


def test_every_part_is_read():
    policy = read(WHOLE)
    assert policy.preset is None
    assert policy.mu == pytest.approx(math.sqrt(2) * norm.ppf(0.65))
    assert (policy.alpha, policy.tail, policy.tier) == (0.01, "decide", "T1")
    assert (policy.minimum_members, policy.minimum_non_members) == (500, 1000)
    assert policy.required_controls == ("duplicates", "placebo")
    assert policy.rules[0] == Rule("misses", "false_alarm_rate", "max", 0.2, "any", "misclassified", "point", "error")
    assert policy.rules[1].compare == "lower"
    assert policy.waivers == (Waiver("misses", "known", "a@b", "2027-01-31"),)


@pytest.mark.parametrize("text", [WHOLE, RULES, *(f"schema_version: 1\npreset: {name}" for name in PRESETS)])
def test_what_a_policy_says_of_itself_is_a_policy_file_that_reads_back(text):
    policy = read(text)
    again = parse(yaml.safe_dump(policy.as_values()), CONTROLS)
    assert again == policy
    assert again.digest() == policy.digest()


@pytest.mark.parametrize("name", PRESETS)
def test_the_tolerance_of_a_draft_can_be_edited_at_once(name):
    draft = commented(preset(name), is_draft=True)
    assert replace(read(draft), preset=name) == preset(name)
    edited = read(draft.replace(f"mu: {PRESETS[name]}", "mu: 0.7"))
    assert edited == replace(preset(name), preset=None, mu=0.7)
    assert read(commented(edited)) == edited


def test_a_policy_is_named_by_its_preset_or_the_nearest_one():
    assert named(preset("strict")) == "policy strict, tolerance 0.200"
    assert named(Policy(None, 0.742)) == "custom policy, tolerance 0.742 (nearest preset: lenient, 0.764)"


def test_the_digest_does_not_depend_on_order_or_comments_but_on_every_limit():
    one, other = read("schema_version: 1\nalpha: 0.05 # default\npreset: standard\n"), read(BASE)
    assert one.digest() == other.digest()
    assert read(BASE + "alpha: 0.04").digest() != other.digest()


BAD = {
    "a misspelt key": (BASE + "minimun: {members: 3}", "did you mean 'minimum'"),
    "a misspelt key inside": (BASE + "minimum: {member: 3}", "did you mean 'members'"),
    "a misspelt preset": ("schema_version: 1\npreset: standart", "did you mean 'standard'"),
    "a misspelt metric": (BASE + "rules: [{name: a, metric: balanced_acuracy, max: .5}]", "balanced_accuracy"),
    "a misspelt control": (BASE + "controls: {required: [duplicate]}", "did you mean 'duplicates'"),
    "a misspelt rule of a waiver": (
        BASE + "waivers: [{rule: tolerance/acu, reason: r, approver: a, expires: 2027-01-01}]",
        "did you mean 'tolerance/auc'",
    ),
    "a number as text": (BASE + "alpha: '0.05'", "the text"),
    "an exponent, which YAML takes for text": (BASE + "alpha: 1e-3", "1e-3 is text to YAML"),
    "a boolean as number": (BASE + "alpha: yes", "true or false True"),
    "a boolean as count": (BASE + "minimum: {members: true}", "true or false"),
    "NaN": (BASE + "alpha: .nan", "from 0.0001 to 0.5"),
    "infinity": ("schema_version: 1\ntolerance: {mu: .inf}", "from 0.001"),
    "a limit above its range": (BASE + "rules: [{name: a, metric: auc, max: 65}]", "from 0 to 1"),
    "an AUC no better than guessing": ("schema_version: 1\ntolerance: {auc: 0.5}", "from 0.5005"),
    "a negative count": (BASE + "minimum: {members: -1}", "from 0"),
    "a fraction of a sample": (BASE + "minimum: {members: 1.5}", "whole number"),
    "no tolerance": ("schema_version: 1\n", "got none"),
    "two tolerances": ("schema_version: 1\ntolerance: {mu: 1}\nbase_rate: {prior: .1, max_ppv: .5}", "got both"),
    "mu and auc": ("schema_version: 1\ntolerance: {mu: 1, auc: .7}", "one of them"),
    "a preset with another tolerance": (BASE + "tolerance: {mu: 0.7}", "contradicts preset 'standard'"),
    "the same, and what to delete": (BASE + "tolerance: {mu: 0.7}", "delete the line `preset: standard`"),
    "no version": ("preset: standard", "schema_version: expected 1"),
    "a newer version": ("schema_version: 2\npreset: standard", "schema_version: expected 1, got the number 2"),
    "max and min": (BASE + "rules: [{name: a, metric: auc, max: .6, min: .4}]", "max or min"),
    "neither": (BASE + "rules: [{name: a, metric: auc}]", "max or min"),
    "a rule without a name": (BASE + "rules: [{metric: auc, max: .6}]", "rules[1].name"),
    "two rules of one name": (
        BASE + "rules: [{name: a, metric: auc, max: .6}, {name: a, metric: auc, max: .7}]",
        "'a' is taken",
    ),
    "a rule named like a fixed one": (BASE + "rules: [{name: tolerance/auc, metric: auc, max: 1}]", "is taken"),
    "an alias": ("schema_version: 1\npreset: &a standard\ntail: *a", "aliases and anchors"),
    "a tag": ("schema_version: 1\npreset: !!str standard", "tags"),
    "a tag of python": ("!!python/object/apply:os.system ['true']", "tags"),
    "a key that is there twice": (BASE + "preset: strict", "'preset' is there twice"),
    "two documents": (BASE + "---\npreset: strict", "plain YAML"),
    "broken YAML": ("schema_version: [1", "plain YAML"),
    "a list": ("- 1", "policy: expected"),
    "nothing": ("", "policy: expected"),
    "a deep nest": ("[" * 30 + "]" * 30, "levels deep"),
    "far too long": ("#" * 70_000, "at most"),
    "a waiver without a day": (
        BASE + "waivers: [{rule: tier, reason: r, approver: a, expires: soon}]",
        "YYYY-MM-DD",
    ),
    "a day that does not exist": (
        BASE + "waivers: [{rule: tier, reason: r, approver: a, expires: 2027-02-30}]",
        "",
    ),
    "a waiver without an approver": (BASE + "waivers: [{rule: tier, reason: r, expires: 2027-01-01}]", "approver"),
    "an odds that guessing reaches": ("schema_version: 1\nbase_rate: {prior: .5, max_ppv: .5}", "above the prior"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named(text, told):
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert told in f"{caught.value} {caught.value.tip}"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["schema_version", "preset", "rules", "waivers", "tolerance", "minimum", "alpha", "mu", "name"]
                ),
                inner,
            )
        ),
    )
)
def test_any_values_make_a_policy_or_an_error_of_ours(values):
    try:
        policy = of_values(values, CONTROLS)
    except PolicyError:
        return
    assert of_values(policy.as_values(), CONTROLS) == policy


@given(st.text())
def test_any_text_makes_a_policy_or_an_error_of_ours(text):
    with pytest.raises(PolicyError):
        read(text)


def test_base_rates_give_the_likelihood_ratios_of_their_formula():
    for prior, max_ppv, ratio in ((0.5, 0.9, 9.0), (0.1, 0.5, 9.0), (0.01, 0.09, 9.79)):
        mu = mu_of_base_rate(prior, max_ppv)
        assert limit("tpr_at_fpr.0.001", mu) / 0.001 == pytest.approx(ratio, rel=1e-3)


def test_an_auc_is_its_own_limit():
    assert limit("auc", mu_of_auc(0.6)) == pytest.approx(0.6)
