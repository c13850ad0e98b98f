import json

import numpy as np
import pytest

from mi_audit.schema.trained_attacks import TrainedAttacks
from tests.schema.examples import same, trained_attack, trained_attacks


def test_attacks_come_back_from_their_parts():
    record = trained_attacks()
    back = TrainedAttacks.from_parts(json.loads(json.dumps(record.header())), record.arrays())
    assert same(back, record)
    assert back.attacks == record.attacks
    assert back.findings == record.findings


def test_every_array_is_read_only():
    assert not any(values.flags.writeable for values in trained_attacks().arrays().values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacks": (trained_attack("naive"), trained_attack("naive"))}, "expected one payload per attack"),
        ({"payloads": {"naive": np.zeros(0, np.uint8)}}, "expected one payload per attack"),
        ({"selected": "xgboost"}, "expected the selected attack to be one of"),
        ({"payloads": {"naive": np.zeros(0, np.uint8), "threshold:entropy": np.zeros(2)}}, "expected payload of"),
        ({"known_id": np.array(["a", "a"])}, "unique"),
        ({"known_id": np.array([1, 2])}, "expected known_id of dtype kind 'U'"),
    ],
)
def test_invalid_attacks_cannot_exist(changes, message):
    with pytest.raises(ValueError, match=message):
        trained_attacks(**changes)
