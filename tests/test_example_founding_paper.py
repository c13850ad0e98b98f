"""The worked comparison with the founding paper: its arithmetic, and a run on a real network."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "founding_paper.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("founding_paper", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def printed(assets, tmp_path_factory) -> str:
    """What it prints for three classes of CIFAR-100, its own assertions held."""
    arguments = [assets / "checkpoints" / "cifar100_resnet20.pth", assets / "data", "--data", "cifar100"]
    some = ["--limit-classes", "3", "--max-members", "450", "--max-non-members", "300", "--search", "0"]
    command = [sys.executable, SCRIPT, *map(str, arguments), *some]
    folder = tmp_path_factory.mktemp("founding-paper")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text: str, title: str) -> dict[str, list[str]]:
    """The lines of a table by their first cells."""
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines[2:]}


def test_published_numbers_stand_beside_those_of_the_checkpoint(printed):
    table = rows(printed, "Target and attack")
    assert table["train accuracy"][0] == "95.80"
    assert table["attack, balanced accuracy"][0] == "61.70 ± 6.55"
    assert table["attack, FAR"][0] == "64.45 ± 14.81"
    assert table["attack, F1"][0] == "87.45"
    assert rows(printed, "Subsets")["misclassified"][0] == "54.37 ± 16.00"
    attacks = rows(printed, "Attacks of the paper's suite")
    assert [name for name in attacks if name.endswith("(chosen)")] == [
        f"{max((cells[0], name) for name, cells in attacks.items() if name != 'naive')[1]}"
    ]
    assert {"paper", "audit"} == {name.partition(":")[0] for name in rows(printed, "What changes")}


def test_our_naive_row_is_the_closed_form_of_the_accuracies(printed):
    table = rows(printed, "Target and attack")
    train, test = (float(table[f"{side} accuracy"][1]) for side in ("train", "test"))
    naive = float(table["naive, all samples"][1])
    assert naive == pytest.approx(50 + (train - test) / 2, abs=0.011)  # all three are rounded to 0.01
    assert naive == pytest.approx(float(table["naive, closed form (train + 100 - test) / 2"][1]), abs=0.011)


def test_the_differences_are_explained_with_numbers(printed):
    reasons = re.findall(r"^\d\. \*\*(.+?)\.\*\* .+", printed, re.MULTILINE)
    expected = ["Another network", "Naive", "Choice", "Empty subsets", "FAR of Tables 6 and 7", "Averages over classes"]
    assert reasons == [*expected, "Honest splits"]


def test_the_closed_form_of_naive_contradicts_three_printed_numbers_only(example):
    apart = {
        key for key, (train, test, _, naive) in example.TABLE_3.items() if abs((train + 100 - test) / 2 - naive) > 0.6
    }
    assert apart == {"cifar100 alexnet", "cifar100 resnet", "cifar100 densenet"}
    assert example.naive_closed_form(95.8, 74.14) == pytest.approx(60.83)


def test_a_false_alarm_rate_is_recovered_from_the_missed_members(example):
    """By counting: of 1000 members 80 are missed, of 1000 non-members 530 are called members."""
    accuracy, missed, far = (92.0 + 47.0) / 2, 8.0, 53.0
    assert example.corrected_far(accuracy, missed) == pytest.approx(far)
    assert example.corrected_far(69.7, 8.03) == pytest.approx(52.57)  # CIFAR-100 DenseNet, gradient by w


def test_every_published_cell_is_a_percentage_and_every_target_is_in_each_table(example):
    assert set(example.TABLE_3) == set(example.TABLE_4) == set(example.TABLES_6_7)
    assert set(example.TABLE_1) == {key for key in example.TABLE_3 if key.startswith("cifar100 ")}
    for key, subsets in example.TABLE_4.items():
        assert len(subsets) == 3
        assert subsets[0][0] == example.TABLE_3[key][2]  # both tables print the attack on all samples
        assert all(0 <= value <= 100 for cells in (*subsets, *example.TABLES_6_7[key]) for value in cells)


def test_the_printed_example_is_what_the_script_prints_today(example):
    """Its published cells, and the titles of its tables: what needs no run of an hour."""
    text = (EXAMPLES / "founding_paper.md").read_text(encoding="utf-8")
    parts = text.split("\n# ")[1:]
    assert len(parts) == text.count("python examples/founding_paper.py") > 0  # a target for each command
    for part in parts:
        assert example._inverted("cifar100 resnet") in part
        table = rows(part, "Target and attack")
        train, test, naive = (float(table[row][1]) for row in ("train accuracy", "test accuracy", "naive, all samples"))
        assert naive == pytest.approx(50 + (train - test) / 2, abs=0.011)
