"""Telling the epochs of a series."""

from dataclasses import replace

import pytest

from mi_audit.errors import UsageError
from mi_audit.stages._epochs import by_epoch, numbers
from tests.reports import audits


def audit(source: str = "", epoch: object = None):
    target = {"source": source} if source else {}
    series = {} if epoch is None else {"series": {"epoch": epoch}}
    return replace(audits.normal(), provenance={"features": {"target": target}} | series)


def found(made, names):
    return [one.provenance["series"]["epoch"] for one in by_epoch(made, names)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["epoch-1.pt", "epoch-12.pt"], [1, 12]),
        (["net10_Epoch_3.best.pth", "net10_epoch=4.best.pth"], [3, 4]),
        (["resnet56_010.pt", "resnet56_002.pt"], [10, 2]),
        (["a/epoch-1/net.pt", "b/epoch-2/net.pt"], [None, None]),
        (["epoch1", "2"], [1, 2]),
        (["x.pt"], [None]),
        (["step 5.pt", "iter.7.pt"], [5, 7]),
        (["epoch-" + "9" * 40 + ".pt"], [None]),
    ],
)
def test_numbers_in_names(names, expected):
    assert numbers(names) == expected


def test_the_record_is_asked_first_then_the_checkpoint_then_the_file():
    names = ["epoch-30.npz", "epoch-20.npz"]
    assert found([audit("epoch-9.pt", 7), audit("epoch-8.pt", 5)], names) == [5, 7]
    assert found([audit("epoch-9.pt"), audit("epoch-8.pt")], names) == [8, 9]
    assert found([audit("net.pt"), audit("net.pt")], names) == [20, 30]


def test_a_number_that_all_share_is_no_epoch():
    made = [audit("resnet56.pt"), audit("resnet56.pt")]
    assert found(made, ["a1.npz", "a2.npz"]) == [1, 2]
    with pytest.raises(UsageError, match="different epochs"):
        by_epoch(made, ["a.npz", "b.npz"])


@pytest.mark.parametrize("wrong", ["7", True, 1.5, [1]])
def test_what_a_file_calls_an_epoch_is_checked(wrong):
    assert found([audit("epoch-3.pt", wrong), audit("epoch-2.pt", wrong)], ["a", "b"]) == [2, 3]


def test_nothing_else_of_an_audit_changes():
    given = audit("epoch-3.pt")
    (stamped,) = by_epoch([given], ["a.npz"])
    assert replace(stamped, provenance=given.provenance) == given
    assert {name: stamped.provenance[name] for name in given.provenance} == given.provenance
