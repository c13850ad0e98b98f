"""``report`` and ``evaluate`` of a series, as a user meets them."""

import csv
import html
import io
import json
import re
import shlex
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import mi_audit

QUICK = (
    *("--attack", "naive,threshold:loss", "--max-members", 200, "--max-non-members", 200),
    *("--policy", "none"),  # so few samples decide nothing
)


@pytest.fixture
def audit(demo, tmp_path):
    shutil.copy(demo[0] / "audit.npz", tmp_path / "audit.npz")
    return "audit.npz"


@pytest.fixture
def checkpoints(demo_checkpoint, tmp_path):
    content = torch.load(demo_checkpoint, weights_only=True)
    for epoch, factor in ((1, 0.3), (10, 1.0)):
        scaled = {name: values * factor for name, values in content["state_dict"].items()}
        torch.save({"state_dict": scaled}, tmp_path / f"epoch-{epoch}.pt")


def test_several_files_at_once_each_by_its_suffix_and_one_format_on_stdout(audit, command, tmp_path):
    outs = [f"r{suffix}" for suffix in (".md", ".xml", ".tex", ".csv", ".json", ".txt")]
    arguments = [part for out in outs for part in ("-o", out)]
    done = command("report", audit, *arguments, "--format", "github")
    assert done.code == 0, done.stderr
    assert all(line.startswith("::") for line in done.stdout.rstrip("\n").split("\n"))
    texts = {out: (tmp_path / out).read_text(encoding="utf-8") for out in outs}
    assert ElementTree.fromstring(texts["r.xml"]).tag == "testsuites"
    assert json.loads(texts["r.json"])["audits"]
    assert texts["r.md"].startswith("# mi-audit")
    assert r"\begin{tabular}" in texts["r.tex"]
    assert next(csv.DictReader(io.StringIO(texts["r.csv"])))["record"] == "attack"
    for out in outs:
        name = {"r.tex": "latex", "r.xml": "junit", "r.md": "markdown", "r.txt": "console"}.get(out, out[2:])
        assert command("report", audit, "--format", name).stdout == texts[out]


def test_a_title_of_ones_own_heads_the_pages(audit, command, tmp_path):
    done = command("report", audit, "--title", "Digits <1.0>", "-o", "a.html", "-o", "a.md", "--format", "checklist")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("# Release checklist: Digits &lt;1.0&gt;")
    assert "<h1>Digits &lt;1.0&gt;</h1>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Digits &lt;1.0&gt;\n" in (tmp_path / "a.md").read_text(encoding="utf-8")
    refused = command("report", audit, audit, "--title", "Digits")
    assert refused.code == 2
    assert "--title names one audit, got 2" in refused.stderr


def test_formats_in_order_where_there_are_as_many_as_files(audit, command, tmp_path):
    assert command("report", audit, "--format", "checklist,model-card", "-o", "a", "-o", "b").code == 0
    assert (tmp_path / "a").read_text(encoding="utf-8").startswith("# Release checklist")
    assert (tmp_path / "b").read_text(encoding="utf-8").startswith("---\nmodel-index:")


def test_what_was_written_is_said_unless_quiet(audit, command):
    assert command("report", audit, "-o", "a.md", "-o", "b.html").stderr == "wrote a.md\nwrote b.html\n"
    assert command("report", audit, "-o", "a.md", "--quiet").stderr == ""


@pytest.mark.parametrize("name", ["report", "r.pdf"])
def test_a_file_without_a_known_suffix_takes_the_format_that_is_said(audit, command, tmp_path, name):
    assert command("report", audit, "--format", "markdown", "-o", name).code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("# mi-audit")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "json,csv"), "expected one format for stdout"),
        (("--format", "junitt"), "did you mean 'junit'"),
        (("-o", "a.md", "-o", "./a.md"), "is given twice"),
        (("-o", "a.md", "-o", "audit.npz"), "would be overwritten"),
        (("--by", "epcoh"), "expected --by audit or epoch"),
        (("--per-sample",), "console never shows samples"),
        (("--format", ""), "expected values with commas"),
        (("--by", "epoch"), None),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(audit, command, tmp_path, arguments, said):
    done = command("report", audit, *arguments)
    if said is None:
        audits = (audit, shutil.copy(tmp_path / audit, tmp_path / "again.npz"))
        done, said = command("report", *audits, *arguments), "expected audits of different epochs"
    assert done.code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.md").exists()


def test_a_sample_list_is_for_its_owner_and_says_so(audit, command, tmp_path):
    done = command("report", audit, "--per-sample", "-o", "samples.csv", "-o", "samples.json")
    assert done.code == 0, done.stderr
    assert "who was a member" in done.stderr
    assert (tmp_path / "samples.csv").stat().st_mode & 0o777 == 0o600
    lines = list(csv.DictReader(io.StringIO((tmp_path / "samples.csv").read_text(encoding="utf-8"))))
    assert len(lines) == len(mi_audit.read(tmp_path / audit).samples.sample_id)
    assert len(json.loads((tmp_path / "samples.json").read_text())["audits"][0]["samples"]["label"]) == len(lines)


@pytest.mark.usefixtures("checkpoints")
def test_a_series_is_audited_in_one_run(command, tmp_path):
    done = command("evaluate", "--model", "epoch-*.pt", "--data", "digits", *QUICK, "--out", "audits")
    assert done.code == 0, done.stderr
    assert "Over the epochs" in done.stdout
    assert [path.name for path in sorted((tmp_path / "audits").iterdir())] == ["epoch-1.npz", "epoch-10.npz"]
    again = command("report", "audits/epoch-10.npz", "audits/epoch-1.npz", "--by", "epoch")
    assert again.stdout == done.stdout
    alone = command("evaluate", "--model", "epoch-10.pt", "--data", "digits", *QUICK, "--out", "alone.npz")
    assert alone.code == 0
    assert mi_audit.read(tmp_path / "alone.npz").rows == mi_audit.read(tmp_path / "audits/epoch-10.npz").rows


@pytest.mark.usefixtures("checkpoints")
def test_the_exit_code_of_a_series_is_the_worst(command):
    arguments = ("evaluate", "--model", "epoch-*.pt", "--data", "digits", *QUICK, "--quiet", "--json")
    made = json.loads(command(*arguments).stdout)["audits"]
    rows = [
        next(row for row in one["rows"] if (row["attack"], row["samples"]) == ("naive", "held-out")) for one in made
    ]
    accuracies = [row["metrics"]["balanced_accuracy"]["value"] for row in rows]
    assert len(accuracies) == 2
    between = sum(accuracies) / 2
    assert min(accuracies) < max(accuracies)
    limit = f"naive/all/balanced_accuracy={between}"
    assert command(*arguments, "--fail-above", limit).code == 1
    assert command(*arguments, "--fail-above", "balanced_accuracy=0.999").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "epoch-*.pt", "--out", "a.npz"), "a series is written to a folder"),
        (("--model", "nothing-*.pt"), "no file matches"),
    ],
)
@pytest.mark.usefixtures("checkpoints")
def test_a_series_that_cannot_be_is_refused(command, arguments, said):
    done = command("evaluate", "--data", "digits", *QUICK, *arguments)
    assert done.code == 2
    assert said in done.stderr


@pytest.mark.usefixtures("checkpoints")
def test_a_file_whose_name_looks_like_a_pattern_is_that_file(command, tmp_path):
    (tmp_path / "epoch-1.pt").rename(tmp_path / "net[1].pt")
    done = command("evaluate", "--model", "net[1].pt", "--data", "digits", *QUICK, "--out", "a.npz")
    assert done.code == 0, done.stderr
    assert (tmp_path / "a.npz").is_file()


def test_predictions_whose_name_looks_like_a_pattern_are_that_file(command, tmp_path):
    rng = np.random.default_rng(0)
    label, is_member = np.arange(200) % 2, np.arange(200) < 100
    np.savez(tmp_path / "p[1].npz", logits=rng.normal(size=(200, 2)), label=label, is_member=is_member)
    done = command("evaluate", "--model", "predictions:p[1].npz", "--attack", "naive", "--policy", "none")
    assert done.code == 0, done.stderr
    assert "p[1].npz" in done.stdout


@pytest.mark.usefixtures("checkpoints")
def test_without_progress_there_are_remarks_only(command):
    arguments = ("evaluate", "--model", "epoch-10.pt", "--data", "digits", *QUICK, "--no-progress")
    command(*arguments)
    again = command(*arguments)
    assert "using .mi-audit/" in again.stderr
    assert "scoring" not in again.stderr
    assert "using" not in command(*arguments, "--quiet").stderr


def test_completion_is_there(command):
    assert "--install-completion" in command("--help").stdout


def test_the_page_names_the_commands_that_make_the_same_audit_again(demo_checkpoint, command, tmp_path, monkeypatch):
    own = ("--mean", "0.5", "--std", "0.6", "--declare", "sides-prepared-differently", "--ratios", "2:1,1:1")
    typed = ("evaluate", "--model", demo_checkpoint, "--data", "digits", *QUICK, *own)
    assert command(*typed, "--out", "audit.npz").code == 0
    assert command("report", "audit.npz", "--out", "report.html").code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    lines = html.unescape(re.findall(r"<pre[^>]*><code>(.*?)</code>", page, re.DOTALL)[0]).split("\n")
    assert [line.split()[:2] for line in lines] == [
        ["pip", "install"],
        ["mi-audit", "evaluate"],
        ["mi-audit", "report"],
    ]
    again = tmp_path / "again"
    again.mkdir()
    monkeypatch.chdir(again)
    for line in lines[1:]:
        assert command(*shlex.split(line)[1:]).code == 0
    for name in ("audit.npz", "report.html"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
