"""What every control promises, for every plug-in in the room."""

import dataclasses
import json

import numpy as np
import pytest

from mi_audit import plugins
from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.stages._controls import decided
from tests.controls.evidence import FLAWED, evidence

NAMES = plugins.names("controls")
MAY_NOT_APPLY = {"expected-accuracy"}  # nobody said what to expect


@pytest.fixture(params=NAMES)
def control(request: pytest.FixtureRequest) -> Control:
    return plugins.load("controls", request.param)


def outcome_of(control: Control, seen: Evidence) -> ControlResult:
    """As the stage decides it where there is this control only."""
    return decided([control.check(seen)])[0]


def test_every_control_has_evidence_with_its_flaw() -> None:
    assert set(FLAWED) == set(NAMES)


def test_the_slug_is_the_name_of_the_plug_in(control: Control) -> None:
    assert control.slug in NAMES
    assert control.check(evidence()).slug == control.slug


def test_a_control_holds_where_nothing_is_wrong(control: Control) -> None:
    result = outcome_of(control, evidence())
    assert result.outcome == ("not applicable" if control.slug in MAY_NOT_APPLY else "held"), result.message


def test_a_control_finds_what_it_is_for(control: Control) -> None:
    result = outcome_of(control, FLAWED[control.slug]())
    assert result.outcome == "failed", result.message


def test_only_tests_give_p_values_and_leave_the_decision_to_the_stage(control: Control) -> None:
    for seen in (evidence(), FLAWED[control.slug]()):
        result = control.check(seen)
        assert (result.p_value is None) or control.is_test
        if result.p_value is not None:
            assert 0 <= result.p_value <= 1
            assert result.outcome == "held"


def test_missing_evidence_is_said_and_how_to_get_it(control: Control) -> None:
    result = control.check(evidence(with_features=False))
    if control.evidence:
        assert result.outcome == "no evidence"
        assert "--controls full" in result.message
    else:
        assert result.outcome in ("held", "not applicable")


def test_the_same_evidence_gives_the_same_result_and_stays_as_it_was(control: Control) -> None:
    seen = evidence()
    before = {name: values.copy() for name, values in seen.cache.arrays().items()}
    scores = {label: values.copy() for label, values in seen.scores.items()}
    assert control.check(seen) == control.check(evidence())
    for name, values in seen.cache.arrays().items():
        assert np.array_equal(values, before[name], equal_nan=values.dtype.kind == "f")
    for label, values in seen.scores.items():
        assert np.array_equal(values, scores[label])


def test_a_result_is_a_sentence_that_json_takes(control: Control) -> None:
    for seen in (evidence(), FLAWED[control.slug]()):
        result = control.check(seen)
        json.dumps(dataclasses.asdict(result), allow_nan=False)
        assert "nan" not in result.message.split()
        assert "\n" not in result.message


def test_tiny_audits_and_label_only_targets_are_no_crash(control: Control) -> None:
    few = evidence(n_side=2)
    assert control.check(few).message
    labels = dataclasses.replace(few.cache, outputs=np.empty((4, 0), np.float32), outputs_kind="labels")
    assert control.check(dataclasses.replace(few, cache=labels, refit=None)).message
