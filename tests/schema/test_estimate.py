import math

import pytest

from mi_audit.schema.estimate import Estimate


def test_an_undefined_number_has_a_reason_and_may_have_bounds():
    assert Estimate.undefined("0 members") == Estimate(None, None, None, "0 members")
    assert Estimate(None, 0.0, 0.2, "too few").high == 0.2


@pytest.mark.parametrize(
    "fields",
    [
        (None,),
        (0.5, None, None, "but why"),
        (0.5, 0.4, None),
        (0.5, None, 0.6),
        (math.nan,),
        (math.inf,),
        (0.5, -math.inf, 0.6),
        (0.5, 0.4, math.nan),
    ],
)
def test_a_number_without_meaning_cannot_exist(fields):
    with pytest.raises(ValueError, match="expected"):
        Estimate(*fields)
