import json

import numpy as np
import pytest

from mi_audit.schema.audit import Audit
from tests.schema.examples import audit, same, sample_scores


@pytest.mark.parametrize("changes", [{}, {"samples": None}], ids=["whole", "aggregate only"])
def test_an_audit_comes_back_from_its_parts(changes):
    record = audit(**changes)
    back = Audit.from_parts(json.loads(json.dumps(record.header())), record.arrays())
    assert same(back, record)
    assert back.rows == record.rows
    assert back.limits == record.limits
    assert back.class_averages == record.class_averages


def test_an_aggregate_only_audit_has_no_array():
    assert audit(samples=None).arrays() == {}


def test_a_row_is_found_by_attack_subset_and_samples_over_all_classes():
    record = audit()
    assert record.row("threshold:entropy") is record.rows[0]
    with pytest.raises(KeyError, match="no row for threshold:entropy on correct, held-out"):
        record.row("threshold:entropy", "correct")


def test_the_selected_attack_is_one_of_the_attacks():
    with pytest.raises(ValueError, match="expected the selected attack"):
        audit(selected="naive")


def test_every_array_is_read_only():
    assert not any(values.flags.writeable for values in audit().arrays().values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_member": np.ones(3, bool)}, "expected is_member of shape"),
        ({"label": np.zeros(4)}, "expected label of dtype kind 'i'"),
        ({"score": {"naive": np.zeros(3)}}, "expected score of naive of shape"),
        ({"score": {"naive": np.zeros(4, bool)}}, "expected score of naive of dtype kind 'f'"),
    ],
)
def test_scores_fit_the_samples(changes, message):
    with pytest.raises(ValueError, match=message):
        sample_scores(**changes)


def test_an_audit_with_an_array_of_no_meaning_is_refused():
    record = audit()
    with pytest.raises(TypeError, match="surprise"):
        Audit.from_parts(record.header(), record.arrays() | {"surprise": np.zeros(4)})


def test_an_audit_of_an_earlier_version_is_read_without_what_it_did_not_have():
    header = json.loads(json.dumps(audit(samples=None).header()))
    del header["features"]
    for attack in header["attacks"]:
        del attack["on"], attack["per_subset"], attack["has_fixed_score"]
    for row in header["class_averages"]:
        del row["naive"]
    back = Audit.from_parts(header, {})
    assert (back.features, back.attacks[0].on, back.class_averages[0].naive) == ((), ("outputs",), {})
    del header["rows"]
    with pytest.raises(KeyError, match="rows"):
        Audit.from_parts(header, {})
