import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mi_audit.schema import _json


@dataclass(frozen=True)
class Inner:
    ratio: float
    note: str | None = None

    def __post_init__(self) -> None:
        if self.ratio < 0:
            raise ValueError("expected a ratio from 0 on")


@dataclass(frozen=True)
class Outer:
    count: int
    flag: bool
    side: Literal["member", "non-member"]
    pair: tuple[int, str]
    inner: tuple[Inner, ...]
    table: dict[str, Inner]
    free: Mapping[str, Any]


OUTER = Outer(
    count=3,
    flag=True,
    side="member",
    pair=(1, "a"),
    inner=(Inner(0.5), Inner(1.0, "x")),
    table={"k": Inner(0.0)},
    free={"any": [1, None, {"b": 2}]},
)


def test_a_dataclass_comes_back_through_json():
    assert _json.decode(Outer, json.loads(json.dumps(_json.encode(OUTER)))) == OUTER


def test_a_whole_number_is_a_float_where_one_is_expected_and_stays_exact():
    value = _json.decode(Inner, {"ratio": 2})
    assert value == Inner(2.0)
    assert type(value.ratio) is float


def broken(**changes: Any) -> dict[str, Any]:
    return {**_json.encode(OUTER), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": "3"}, "header.count: expected int, got str"),
        ({"count": 3.0}, "header.count: expected int, got float"),
        ({"count": True}, "header.count: expected int, got bool"),
        ({"count": None}, "header.count: expected int, got NoneType"),
        ({"count": 10**400}, "header.count: expected a number of 64 bits"),
        ({"flag": 1}, "header.flag: expected bool, got int"),
        ({"side": "both"}, "header.side: expected"),
        ({"side": ["member"]}, "header.side: expected"),
        ({"pair": [1]}, "header.pair: expected tuple"),
        ({"pair": {"0": 1}}, "header.pair: expected tuple"),
        ({"pair": [1, 2]}, r"header.pair\[1\]: expected str"),
        ({"inner": "ab"}, "header.inner: expected tuple"),
        ({"inner": [{"ratio": True}]}, r"header.inner\[0\].ratio: expected float, got bool"),
        ({"inner": [{"ratio": 10**400}]}, r"header.inner\[0\].ratio: expected a number of 64 bits"),
        ({"inner": [{"ratio": float("nan")}]}, r"header.inner\[0\].ratio: expected float"),
        ({"inner": [{"ratio": float("inf")}]}, r"header.inner\[0\].ratio: expected float"),
        ({"inner": [{"ratio": -1}]}, "expected a ratio from 0 on"),
        ({"inner": [{}]}, "ratio"),
        ({"inner": [{"ratio": 1, "note": 5}]}, r"header.inner\[0\].note: expected str, got int"),
        ({"inner": [{"ratio": 1, "__class__": "x"}]}, "unknown entry '__class__'"),
        ({"table": []}, "header.table: expected dict"),
        ({"table": {"k": 3}}, "header.table.k: expected Inner, got int"),
        ({"free": "text"}, "header.free: expected Mapping"),
        ({"extra": 1}, "unknown entry 'extra'"),
    ],
)
def test_a_header_that_says_something_else_is_refused_with_the_place(changes, message):
    with pytest.raises(ValueError, match=message):
        _json.decode(Outer, broken(**changes))


def test_a_missing_entry_is_refused_by_its_name():
    header = broken()
    del header["flag"]
    with pytest.raises(ValueError, match="flag"):
        _json.decode(Outer, header)


@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_what_is_no_object_makes_no_dataclass(value):
    with pytest.raises(ValueError, match="expected Outer"):
        _json.decode(Outer, value)


@pytest.mark.parametrize("nested", [lambda value: [value], lambda value: {"k": value}])
def test_free_values_are_nested_only_so_deep(nested):
    value: Any = 0
    for _ in range(49):
        value = nested(value)
    assert _json.decode(dict[str, Any], {"k": value}) == {"k": value}
    for _ in range(2):
        value = nested(value)
    with pytest.raises(ValueError, match=r"header\.k: expected at most 50 levels"):
        _json.decode(dict[str, Any], {"k": value})
