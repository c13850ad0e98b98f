"""``mi_audit.audit``: values as Python users give them, and what is no value at all."""

from pathlib import Path

import pytest
from torch import nn

import mi_audit
from mi_audit.errors import UsageError
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._python_values import typed
from mi_audit.stages._training_plan import TrainOptions


def test_a_network_in_memory_is_told_how_to_give_it():
    with pytest.raises(UsageError, match="expected model to be text or a path, got Linear") as caught:
        mi_audit.audit(nn.Linear(2, 2), "digits")
    assert "'python:FILE.py:function'" in caught.value.tip
    with pytest.raises(UsageError, match="expected data to be text or a path, got list"):
        mi_audit.audit("net.pt", ["digits"])


def test_values_are_taken_as_in_python_or_as_on_the_command_line():
    of_command_line = {"mean": ".49,.48,.45", "expect_accuracy": ".7", "members_index": "a.txt", "on": "outputs,all"}
    of_python = {
        "mean": [0.49, 0.48, 0.45],
        "expect_accuracy": 0.7,
        "members_index": Path("a.txt"),
        "on": ["outputs", "all"],
    }
    made = {
        "mean": (0.49, 0.48, 0.45),
        "expect_accuracy": (0.7,),
        "members_index": Path("a.txt"),
        "on": ("outputs", "all"),
    }
    assert typed(of_command_line) == typed(of_python) == made
    assert typed({"mean": None, "seed": 3}) == {"mean": None, "seed": 3}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"mean": "a"}, "expected mean to be numbers with commas, got 'a'"),
        ({"std": object()}, "expected std to be numbers, got <object"),
        ({"features": 3}, "expected features to be names, got 3"),
        ({"membership": 3}, "expected membership to be text or a path, got int"),
        ({"men": 3}, "unknown option 'men'"),
    ],
)
def test_values_that_make_no_sense_are_errors_of_usage(option, said):
    with pytest.raises(UsageError, match=said):
        mi_audit.audit("net.pt", "digits", **option)


def test_one_name_is_no_list_of_letters_and_paths_are_taken(demo_checkpoint, tmp_path):
    audit = mi_audit.audit(demo_checkpoint, "digits", attacks="naive", mean=0.3, std="0.4", cache_dir=tmp_path)
    assert audit.selected == "naive"
    assert audit.provenance["features"]["target"]["preprocessing"]["mean"] == [0.3]


def test_the_docstring_names_every_option():
    options = {*ExtractOptions.__dataclass_fields__, *TrainOptions.__dataclass_fields__}
    missing = [name for name in sorted(options) if name not in mi_audit.audit.__doc__]
    assert not missing
