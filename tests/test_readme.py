"""Every command of the README parses; those whose data is there run, in the order of the README."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from mi_audit.cli._app import app
from tests.cli.conftest import run_script

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ mi-audit (.+)$", README, flags=re.MULTILINE)
NEEDS_ASSETS = "cifar100_resnet56.pt"


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line):
    name, *arguments = shlex.split(line)
    command = typer.main.get_command(app).commands[name]
    while hasattr(command, "commands"):  # a group, such as policy
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)


def test_every_command_runs_where_its_data_is_there(tmp_path):
    for line in COMMANDS:
        if NEEDS_ASSETS not in line:
            done = run_script(*shlex.split(line), cwd=tmp_path)
            # A verdict is no failure of the command: 1 is FAIL, 3 is no verdict.
            done_codes = (0, 1, 3) if line.startswith("evaluate") else (0,)
            assert done.code in done_codes, f"{line}\n{done.stderr}"
    assert all((tmp_path / name).exists() for name in ("audit.md", "report.html", "junit.xml", "policy.yaml"))


def test_the_first_command_runs_on_the_public_checkpoint(assets, tmp_path):
    line = next(line for line in COMMANDS if NEEDS_ASSETS in line)
    (tmp_path / "data").symlink_to(assets / "data")
    (tmp_path / NEEDS_ASSETS).symlink_to(assets / "checkpoints" / NEEDS_ASSETS)
    done = run_script(*shlex.split(line), "--max-members", 500, "--max-non-members", 500, cwd=tmp_path)
    assert done.code == 1, done.stderr
    assert done.stdout.startswith("FAIL")
    assert "cifar100_resnet56.pt on cifar100" in done.stdout


def test_the_python_of_the_readme_is_the_library(demo_checkpoint, tmp_path, monkeypatch, capsys):
    code = re.search(r"```python\n(.+?)```", README, flags=re.DOTALL)[1]
    code = code.replace('"net.pt", "cifar100"', f'"{demo_checkpoint}", "digits"')
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - the README's own lines
    assert "Estimate(value=" in capsys.readouterr().out


def test_its_install_lines_are_there_for_ci():
    lines = re.findall(r"^\$ (python3 -m venv .+)$", README, flags=re.MULTILINE)
    assert [line.rsplit(" && ", 1)[1] for line in lines] == ["mi-audit demo", "pytest"]


def test_what_it_names_is_there():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (root / path).exists()
