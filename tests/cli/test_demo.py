"""``mi-audit demo`` through the real console script: the four commands, each shown as it can be typed again."""

import json
import shlex

from tests.cli.conftest import run_script


def test_it_runs_and_ends_with_the_table(demo):
    _, done = demo
    assert done.code == 0, done.stderr
    assert "balanced accuracy" in done.stdout.lower()
    assert "false alarm" in done.stdout.lower()
    assert "Traceback" not in done.stderr


def test_every_command_is_shown_and_gives_the_same_bytes_when_it_is_typed_again(demo):
    folder, done = demo
    shown = [line.removeprefix("$ mi-audit ") for line in done.stderr.splitlines() if line.startswith("$ mi-audit ")]
    assert [shlex.split(line)[0] for line in shown] == ["extract", "train-attack", "evaluate", "report"]
    files = {path: path.read_bytes() for path in folder.iterdir()}
    for line in shown:
        arguments, _, target = line.partition(" > ")
        again = run_script(*shlex.split(arguments), cwd=folder.parent)
        assert again.code == 0, again.stderr
        if target:
            assert again.stdout.encode() == (folder.parent / target).read_bytes()
        elif arguments.startswith("report"):
            assert again.stdout == done.stdout
    assert {path: path.read_bytes() for path in folder.iterdir()} == files


def test_its_json_is_one_document(demo):
    folder, _ = demo
    assert isinstance(json.loads((folder / "audit.json").read_text()), dict)


def test_its_members_are_those_of_the_digits(demo):
    import mi_audit

    cache = mi_audit.read(demo[0] / "features.npz")
    assert cache.is_member.sum() == 898
    assert cache.is_correct[cache.is_member].mean() == 1.0
