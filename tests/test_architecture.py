"""The floors of the house: who may import whom, and which parts start without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mi_audit"
ROOMS = ("targets", "datasets", "features", "attacks", "metrics", "controls", "gate", "reports")
FLOORS = {
    **dict.fromkeys(("_version", "errors", "schema"), 0),
    **dict.fromkeys(("npz_arrays", "plugins", "store", "table_columns", "target_model"), 1),
    **dict.fromkeys(ROOMS, 2),
    "stages": 3,
    **dict.fromkeys(("cli", "__init__"), 4),
    "__main__": 5,
}
WITHOUT_TORCH = (
    "schema",
    "store",
    "metrics",
    "controls",
    "gate",
    "reports",
    "attacks",
    "npz_arrays",
    "table_columns",
    "plugins",
    "errors",
    "cli",
)
MODULES = sorted(PACKAGE.rglob("*.py"))


def part(module: str) -> str:
    """``mi_audit.attacks.mlp`` -> ``attacks``; the two files of the container's format belong to the store."""
    name = module.split(".")[1] if "." in module else "__init__"
    return {"container": "store", "zip_members": "store"}.get(name, name)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    """Every module of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == "mi_audit"}


def allowed(importer: str, imported: str) -> bool:
    """A module imports its own part and lower floors; from floor 2 up also metrics, which knows floor 0 only."""
    here, there = part(importer), part(imported)
    if here == there:
        return True
    if here == "metrics":
        return FLOORS[there] == 0
    if there == "metrics" and FLOORS[here] >= 2:
        return True
    return FLOORS[there] < FLOORS[here]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_imports_lower_floors_only(path):
    wrong = [imported for imported in imports(path) if not allowed(name_of(path), imported)]
    assert not wrong


def test_the_rule_notices_a_room_that_imports_another_and_a_stage_that_imports_the_command_line():
    assert not allowed("mi_audit.attacks.mlp", "mi_audit.reports.console")
    assert not allowed("mi_audit.stages.extract", "mi_audit.cli._edge")
    assert not allowed("mi_audit.metrics.ranking", "mi_audit.store")
    assert allowed("mi_audit.attacks.threshold", "mi_audit.metrics.ranking")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 300


def test_torch_load_stands_in_one_place():
    users = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "load"
        and getattr(node.value, "id", "") in ("torch", "pickle", "joblib")
    }
    assert all(user.startswith("mi_audit.targets._checkpoint.") for user in users)
    assert len(users) == 1


def test_what_needs_no_torch_imports_none():
    modules = [name_of(path) for path in MODULES if part(name_of(path)) in WITHOUT_TORCH and path.name != "__init__.py"]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_starting_imports_no_heavy_library():
    heavy = ("torch", "sklearn", "scipy", "xgboost", "timm", "numpy")
    code = f"import sys, mi_audit.cli._app\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
