"""Which format goes where, and who may see samples."""

from dataclasses import replace
from pathlib import Path

import pytest

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.stages import report
from tests.reports import audits, verdicts

MD, XML, DAT = Path("a.md"), Path("b.XML"), Path("c.dat")


@pytest.mark.parametrize(
    ("formats", "paths", "pairs", "streamed"),
    [
        ((), (), [], "console"),
        (("json",), (), [], "json"),
        ((), (MD, XML), [("markdown", MD), ("junit", XML)], None),
        ((), (Path("c"),), [("console", Path("c"))], None),
        (("console",), (DAT,), [("console", DAT)], None),
        (("csv",), (MD,), [("csv", MD)], None),
        (("csv", "latex"), (MD, DAT), [("csv", MD), ("latex", DAT)], None),
        (("json",), (MD, XML), [("markdown", MD), ("junit", XML)], "json"),
        (("github",), (MD,), [("markdown", MD)], "github"),
        (("github", "csv"), (MD,), [("csv", MD)], "github"),
        (("github",), (), [], "github"),
    ],
)
def test_formats_find_their_files(formats, paths, pairs, streamed):
    assert report.assigned(formats, paths) == (pairs, streamed)


@pytest.mark.parametrize("formats", [("json", "csv"), ("github", "json"), ("jsonn",)])
def test_two_formats_on_stdout_and_unknown_ones_are_refused(formats):
    with pytest.raises(UsageError):
        report.assigned(formats, ())


@pytest.mark.parametrize(("formats", "paths"), [((), (DAT,)), (("json",), (MD, DAT))])
def test_a_suffix_of_no_format_is_refused_and_the_known_ones_named(formats, paths):
    with pytest.raises(UsageError, match=r"--out c\.dat: no report has the suffix \.dat") as caught:
        report.assigned(formats, paths)
    assert ".html" in caught.value.tip


def test_every_suffix_has_its_format():
    assert set(report.SUFFIXES.values()) <= set(plugins.names("reports"))


@pytest.mark.parametrize("name", sorted(set(plugins.names("reports")) - {"csv", "json"}))
def test_no_format_but_two_has_a_sample_list(name):
    with pytest.raises(UsageError, match="never shows samples"):
        report.render([replace(audits.normal(), samples=verdicts.samples())], name, per_sample=True)


@pytest.mark.parametrize("name", ["csv", "json"])
def test_the_sample_list_is_there_on_request_and_never_of_an_aggregate_only_audit(name):
    audit = replace(audits.normal(), samples=verdicts.samples())
    assert "train/1" in report.render([audit], name, per_sample=True)
    assert "train/1" not in report.render([audit], name)
    with pytest.raises(UsageError, match="aggregate-only"):
        report.render([audit, audits.normal()], name, per_sample=True)


@pytest.mark.parametrize("name", plugins.names("reports"))
def test_every_format_takes_a_series(name):
    made = [replace(audits.normal(), provenance=audits.PROVENANCE | {"series": {"epoch": n}}) for n in (1, 2)]
    assert report.render(made, name, by="epoch")


def test_one_audit_can_be_given_another_title_and_keeps_what_it_says_of_itself():
    (renamed,) = report.titled([audits.normal()], "  Triage <b>model</b> 2.1 ")
    assert renamed.title == "Triage <b>model</b> 2.1"
    assert renamed.provenance == audits.normal().provenance
    for name in ("html", "markdown", "checklist", "model-card", "console"):
        shown = report.render([renamed], name)
        assert "Triage" in shown
        assert "<b>model" not in shown or name == "console"
    assert report.titled([renamed], None) == [renamed]


@pytest.mark.parametrize(("n", "title"), [(2, "one name"), (1, " ")])
def test_a_title_is_for_one_audit_and_has_text(n, title):
    with pytest.raises(UsageError, match="--title"):
        report.titled([audits.normal()] * n, title)
