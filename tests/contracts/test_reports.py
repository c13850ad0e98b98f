"""What every report format promises, for every plug-in in the room."""

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from mi_audit import plugins
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit, SampleScores
from tests.reports import audits, verdicts

FORMATS = plugins.names("reports")
ALL = audits.ALL | verdicts.ALL
SETS = {name: (name,) for name in ALL} | {
    "several": ("normal", "paper", "undefined", "paper"),
    "all": tuple(ALL),
}
CONTROL = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U0001ffff]"
)
PROMISES = re.compile(r"\b(safe|safely|safety|private|privacy|secure|anonymous)\b", re.IGNORECASE)


def load(name: str) -> Report:
    report = plugins.load("reports", name)
    assert isinstance(report, Report)
    return report


def made(name: str) -> list[Audit]:
    return [ALL[part]() for part in SETS[name]]


@pytest.fixture(params=FORMATS)
def report(request: pytest.FixtureRequest) -> Report:
    return load(request.param)


def test_the_formats_are_there() -> None:
    wanted = {"checklist", "console", "csv", "github", "json", "junit", "latex", "markdown", "model-card"}
    assert wanted <= set(FORMATS)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"console"}))
@pytest.mark.parametrize("text", audits.HOSTILE)
def test_no_text_of_a_stranger_adds_or_ends_a_line(name: str, text: str) -> None:
    """In every format but the console, which wraps, a text stands on one line wherever it is."""

    def named(text: str) -> Audit:
        audit = verdicts.judged()
        assert audit.verdict is not None
        rules = tuple(dataclasses.replace(rule, rule=text, message=text or "-") for rule in audit.verdict.rules)
        return dataclasses.replace(
            audit,
            title=text,
            class_names=(text,) * 100,
            verdict=dataclasses.replace(audit.verdict, sentence=text, reasons=(text,), rules=rules),
            controls=tuple(dataclasses.replace(one, message=text or "-") for one in audit.controls),
            findings=tuple(dataclasses.replace(one, message=text or "-") for one in audit.findings),
        )

    assert load(name).render([named(text)]).count("\n") == load(name).render([named("plain")]).count("\n")


@pytest.mark.parametrize("name", SETS)
def test_text_ends_in_one_newline_and_holds_nothing_that_a_terminal_obeys(report: Report, name: str) -> None:
    text = report.render(made(name))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert CONTROL.findall(text) == []
    text.encode("utf-8")


@pytest.mark.parametrize("name", ["normal", "hostile", "hostile_verdict", "per_class", "several"])
def test_same_audits_give_the_same_bytes(report: Report, name: str) -> None:
    assert report.render(made(name)) == report.render(made(name))


@pytest.mark.parametrize("name", ALL)
def test_an_audit_that_was_written_and_read_gives_the_same_bytes(report: Report, name: str) -> None:
    audit = ALL[name]()
    header = json.loads(json.dumps(audit.header(), sort_keys=True))
    assert report.render([Audit.from_parts(header, {})]) == report.render([audit])


@pytest.mark.parametrize("width", [40, 200])
@pytest.mark.parametrize("name", ["empty_subset", "hostile", "several"])
def test_any_width_is_fine(report: Report, name: str, width: int) -> None:
    assert report.render(made(name), width=width).endswith("\n")


@pytest.mark.parametrize("name", sorted(set(ALL) - {"hostile", "hostile_verdict"}))
def test_no_report_calls_a_model_safe(report: Report, name: str) -> None:
    text = report.render(made(name)).replace('"privacy":', "")  # the name of a field, in JSON, promises nothing
    assert PROMISES.findall(text) == []


@pytest.mark.parametrize("name", ["undefined", "empty_subset"])
def test_an_empty_side_is_said_with_its_reason(report: Report, name: str) -> None:
    assert "0 members" in report.render(made(name))


def test_no_sample_is_ever_shown(report: Report) -> None:
    n = 3
    scores = SampleScores(
        sample_id=np.array(["train/secret-1", "train/secret-2", "test/secret-3"]),
        is_member=np.array([True, True, False]),
        is_correct=np.ones(n, dtype=bool),
        is_held_out=np.ones(n, dtype=bool),
        label=np.zeros(n, dtype=np.int64),
        score={"xgboost": np.array([0.123454321, 0.2, 0.3])},
    )
    text = report.render([dataclasses.replace(audits.normal(), samples=scores)])
    assert text == report.render([audits.normal()])
    assert "secret" not in text


def test_the_audit_is_left_as_it_was(report: Report) -> None:
    audit = audits.hostile()
    report.render([audit])
    assert audit == audits.hostile()


@pytest.mark.parametrize("name", FORMATS)
def test_importing_a_format_needs_no_torch_and_only_the_console_needs_rich(name: str) -> None:
    code = (
        f"import sys, mi_audit.reports.{name.replace('-', '_')}; print('torch' in sys.modules, 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(name == "console")]
