"""Options from a file and from the environment: which wins, and what is refused."""

import json

import pytest
import typer

from mi_audit.cli import _config
from mi_audit.cli._app import app
from mi_audit.errors import InputError, MiAuditError, UsageError

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def values(tmp_path):
    """{command: {option: (value, origin)}} under a file and an environment."""

    def of(text: str = "", environment: dict[str, str] | None = None, file: str = "mi-audit.toml"):
        if text:
            (tmp_path / file).write_text(text, encoding="utf-8")
        found = _config.settings(COMMANDS, tmp_path, environment or {})
        return {command: {one.option: (one.value, one.origin) for one in own} for command, own in found.items()}

    return of


def test_without_anything_all_is_default(values):
    found = values()
    assert {origin for own in found.values() for _, origin in own.values()} == {"default"}
    assert found["evaluate"]["batch-size"] == ("auto", "default")
    assert "help" not in found["evaluate"]


def test_the_environment_is_over_the_file_and_a_command_over_all_commands(values):
    text = 'device = "cpu"\nseed = 3\n[extract]\nseed = 4\n'
    found = values(text, {"MI_AUDIT_DEVICE": "cuda", "HOME": "/"})
    assert found["evaluate"]["device"] == ("cuda", "MI_AUDIT_DEVICE")
    assert found["evaluate"]["seed"] == ("3", "mi-audit.toml")
    assert found["extract"]["seed"] == ("4", "mi-audit.toml")
    assert values(text, {"MI_AUDIT_SEED": "9"})["extract"]["seed"] == ("9", "MI_AUDIT_SEED")


def test_values_have_the_form_that_the_command_line_reads(values):
    text = 'mean = [0.5, 0.25]\nattack = "naive,mlp"\nratios = ["1:1", "1:9"]\nby_class = true\nknown-fraction = 0.4'
    found = values(text)["evaluate"]
    assert found["mean"][0] == "0.5,0.25"
    assert found["attack"][0] == ["naive,mlp"]
    assert found["ratios"][0] == ["1:1", "1:9"]
    assert found["by-class"][0] is True
    assert found["known-fraction"][0] == "0.4"
    assert values(environment={"MI_AUDIT_BY_CLASS": "0"})["evaluate"]["by-class"][0] is False


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_other_editors_are_read_alike(tmp_path, mark, end):
    (tmp_path / "mi-audit.toml").write_bytes(f'{mark}device = "cpu"{end}[extract]{end}seed = 4{end}'.encode())
    found = _config.settings(COMMANDS, tmp_path, {})
    own = {one.option: one.value for one in found["extract"]}
    assert (own["device"], own["seed"]) == ("cpu", "4")


@pytest.mark.parametrize("file", ["mi-audit.toml", "pyproject.toml"])
@pytest.mark.parametrize("table", ["", "extract"])
def test_no_file_of_a_folder_can_have_code_run(values, file, table):
    head = f"[tool.mi-audit{'.' * bool(table)}{table}]" if file == "pyproject.toml" else f"[{table}]" if table else ""
    with pytest.raises(UsageError, match="arch is not taken from a file, which may be a stranger's"):
        values(f'{head}\narch = "python:evil.py:f"\n', file=file)
    assert values(f'{head}\narch = "cifar_resnet56"\n', file=file)["extract"]["arch"][0] == "cifar_resnet56"
    assert values("", {"MI_AUDIT_ARCH": "python:own.py:f"})["extract"]["arch"][0] == "python:own.py:f"


def test_a_project_file_counts_where_there_is_no_file_of_our_own(values):
    project = '[project]\nname = "x"\n[tool.mi-audit]\ndevice = "cpu"\n[tool.mi-audit.report]\nby = "epoch"\n'
    found = values(project, file="pyproject.toml")
    assert found["evaluate"]["device"] == ("cpu", "pyproject.toml")
    assert found["report"]["by"] == ("epoch", "pyproject.toml")
    assert values('device = "cuda"')["evaluate"]["device"] == ("cuda", "mi-audit.toml")


def test_a_project_file_that_is_not_about_us_is_left_alone(values):
    assert values("this is [ no toml", file="pyproject.toml")["evaluate"]["device"] == ("auto", "default")


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ('devcie = "cpu"', "unknown option 'devcie'", "'device'"),
        ('[evalute]\ndevice = "cpu"', r"unknown command \[evalute\]", "'evaluate'"),
        ('[report]\ndevice = "cpu"', "unknown option 'device'", None),
        ('by-class = "maybe"', "expected mi-audit.toml: by-class to be true or false", None),
        ("device = true", "expected mi-audit.toml: device to be text", None),
        ("device = [[1]]", "expected mi-audit.toml: device to be text", None),
        ("seed = 2020-01-01", "expected mi-audit.toml: seed to be text", None),
        *((f'{name} = "x"', "is not taken from a file", f"type --{name}") for name in ("model", "out", "cache-dir")),
        ("download = true", "is not taken from a file", "MI_AUDIT_DOWNLOAD"),
        ("[evaluate]\nallow_outside = true", "is not taken from a file", None),
    ],
)
def test_what_makes_no_sense_is_an_error_with_the_nearest_name(values, text, message, tip):
    with pytest.raises(UsageError, match=message) as error:
        values(text)
    assert tip is None or tip in error.value.tip


@pytest.mark.parametrize("text", ["x = [", "a = 1\na = 2", '\ufeffx = "', "[" * 5000])
def test_what_is_no_toml_is_an_error_of_the_file(values, text):
    with pytest.raises(InputError, match=r"mi-audit\.toml"):
        values(text)


def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path):
    (tmp_path / "mi-audit.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        _config.settings(COMMANDS, tmp_path, {})
    (tmp_path / "mi-audit.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(InputError, match="small file"):
        _config.settings(COMMANDS, tmp_path, {})


def test_a_misspelt_variable_is_an_error_and_a_model_may_come_from_one(values):
    with pytest.raises(MiAuditError, match="MI_AUDIT_DEVCE") as error:
        values(environment={"MI_AUDIT_DEVCE": "cpu"})
    assert "MI_AUDIT_DEVICE" in error.value.tip
    assert values(environment={"MI_AUDIT_MODEL": "net.pt"})["evaluate"]["model"] == ("net.pt", "MI_AUDIT_MODEL")
    assert values(environment={"MI_AUDIT_TEST_ASSETS": "/x"})["evaluate"]["model"][1] == "default"


def test_flags_win_over_everything(command, tmp_path, monkeypatch):
    (tmp_path / "mi-audit.toml").write_text("[list]\nmodel-is-no-key = 1\n")
    assert command("list", "metrics").code == 2
    (tmp_path / "mi-audit.toml").write_text('format = "json"\n')
    monkeypatch.setenv("MI_AUDIT_FORMAT", "jsonn")
    from mi_audit import store
    from tests.reports import audits

    store.write(tmp_path / "a.npz", audits.normal())
    assert "jsonn" in command("report", "a.npz").stderr
    monkeypatch.delenv("MI_AUDIT_FORMAT")
    assert json.loads(command("report", "a.npz").stdout)
    assert command("report", "a.npz", "--format", "csv").stdout.startswith("audit,title")


def test_show_says_what_is_set_and_where(command, tmp_path, monkeypatch):
    assert "Nothing is set" in command("config", "show").stdout
    (tmp_path / "mi-audit.toml").write_text('device = "cpu\\u001b[31m"\n')
    monkeypatch.setenv("MI_AUDIT_SEED", "7")
    shown = command("config", "show").stdout
    assert [line.split() for line in shown.split("\n") if line.startswith("evaluate")] == [
        ["evaluate", "device", "cpu", "[31m", "mi-audit.toml"],
        ["evaluate", "seed", "7", "MI_AUDIT_SEED"],
    ]
    document = json.loads(command("config", "show", "evaluate", "--json").stdout)["evaluate"]
    assert document["seed"] == {"value": "7", "from": "MI_AUDIT_SEED"}
    assert document["protocol"] == {"value": "audit", "from": "default"}


@pytest.mark.parametrize("arguments", [("shwo",), ("show", "evalaute")])
def test_show_refuses_what_is_not_there(command, arguments):
    done = command("config", *arguments)
    assert done.code == 2
    assert "tip:" in done.stderr


def test_verbose_says_what_was_set_and_where_an_error_arose(command, tmp_path):
    (tmp_path / "mi-audit.toml").write_text("seed = 3\n")
    done = command("-v", "train-attack", "nothing.npz", "--out", "a.npz")
    assert done.code == 2
    assert "seed = 3 (mi-audit.toml)" in done.stderr
    assert "Traceback" in done.stderr
