import importlib
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

import mi_audit
from mi_audit import plugins
from mi_audit.errors import MissingLibraryError, UsageError

INTERFACE = """
import abc
from collections.abc import Mapping, Sequence

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
"""
CIRCLE = '''
"""A round shape, πr².

Second paragraph, which no list shows.
"""
from dataclasses import dataclass
from typing import ClassVar, Literal
from mi_audit.rooms.interface import Shape

@dataclass(frozen=True)
class FittedCircle(Shape):
    def area(self): return 1

@dataclass(frozen=True)
class Helper:
    x: int = 0

@dataclass(frozen=True)
class Circle(Shape):
    sides: ClassVar[int] = 0
    radius: float = 1.0
    count: int = 1
    line_style: Literal["solid", "dotted"] = "solid"
    layers: Literal[1, 2] = 1
    filled: bool = False
    colour: str = "red"
    limit: int | None = 5
    mood: Literal["calm", "wild"] | None = None

    def __post_init__(self):
        if self.radius < 0:
            raise ValueError(f"expected a radius from 0 on, got {self.radius}")

    def area(self): return 3
'''


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A room of our own, `mi_audit.rooms`, with one plug-in."""
    folder = tmp_path / "rooms"
    folder.mkdir()
    files = {"__init__": "", "interface": INTERFACE, "_private": "raise RuntimeError", "round_circle": CIRCLE}
    for name, code in files.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    (folder / "notes.txt").touch()
    monkeypatch.setattr(mi_audit, "__path__", [*mi_audit.__path__, str(tmp_path)])
    monkeypatch.setattr(plugins.importlib.resources, "files", lambda _: tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("mi_audit.rooms")]:
        del sys.modules[name]


def test_names_are_those_of_the_files_and_nothing_is_imported(room):
    (room / "broken.py").write_text("raise RuntimeError", encoding="utf-8")
    assert plugins.names("rooms") == ["broken", "round-circle"]
    assert plugins.summary("rooms", "round-circle") == "A round shape, πr²."
    assert plugins.summary("rooms", "broken") == ""
    assert plugins.summary("rooms", "elsewhere") == ""
    assert not [name for name in sys.modules if name.startswith("mi_audit.rooms")]


@pytest.mark.usefixtures("room")
def test_a_plug_in_is_the_one_class_that_fills_the_interface():
    assert plugins.plugin_class("rooms", "round-circle").__name__ == "Circle"


@pytest.mark.parametrize("name", ["round_circle", "interface", "_private", "../rooms/round-circle", ""])
@pytest.mark.usefixtures("room")
def test_only_what_is_listed_is_loaded(name):
    with pytest.raises(UsageError, match="unknown name"):
        plugins.load("rooms", name)


def test_a_module_that_states_names_is_listed_under_these(room):
    code = (room / "round_circle.py").read_text(encoding="utf-8").replace("class Circle", "class Ellipse")
    stated = 'NAMES = {"egg": "nearly round", "flat-egg": "less so"}'
    (room / "ovals.py").write_text(code.replace("@dataclass", f"{stated}\n\n@dataclass", 1), encoding="utf-8")
    (room / "ovals.py").write_text(
        (room / "ovals.py").read_text(encoding="utf-8").replace("    radius:", '    name: str = ""\n    radius:', 1),
        encoding="utf-8",
    )
    assert plugins.names("rooms") == ["egg", "flat-egg", "round-circle"]
    assert plugins.summary("rooms", "flat-egg") == "less so"
    assert not [name for name in sys.modules if name.startswith("mi_audit.rooms")]
    assert plugins.load("rooms", "flat-egg").name == "flat-egg"
    with pytest.raises(UsageError, match="unknown name 'ovals'"):
        plugins.load("rooms", "ovals")


@pytest.mark.usefixtures("room")
def test_an_unknown_name_comes_with_the_nearest_one():
    with pytest.raises(UsageError, match="unknown name 'rund-circle' in rooms") as error:
        plugins.load("rooms", "rund-circle")
    assert error.value.tip == "did you mean 'round-circle'? there is: round-circle"


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("radius", "2.5", 2.5),
        ("radius", "1e-3", 0.001),
        ("count", "-7", -7),
        ("line-style", "dotted", "dotted"),
        ("line_style", "dotted", "dotted"),
        ("layers", "2", 2),
        ("filled", "True", True),
        ("filled", "false", False),
        ("colour", "none", "none"),
        ("limit", "None", None),
        ("limit", "3", 3),
        ("mood", "wild", "wild"),
        ("mood", "none", None),
    ],
)
@pytest.mark.usefixtures("room")
def test_text_is_read_by_the_type_of_the_field(option, text, value):
    loaded = getattr(plugins.load("rooms", "round-circle", {option: text}), option.replace("-", "_"))
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.usefixtures("room")
def test_what_is_no_text_is_taken_as_it_is():
    assert plugins.load("rooms", "round-circle", {"limit": None, "radius": 2.0}).limit is None


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("radius", "wide", "expected round-circle.radius to be a number, got 'wide'"),
        ("radius", "nan", "expected round-circle.radius to be a number, got 'nan'"),
        ("radius", "inf", "expected round-circle.radius to be a number, got 'inf'"),
        ("count", "2.5", "expected round-circle.count to be a whole number, got '2.5'"),
        ("limit", "9" * 400, f"expected round-circle.limit to be a whole number, got {'9' * 400!r}"),
        ("limit", "many", "expected round-circle.limit to be a whole number, got 'many'"),
        ("line-style", "dashed", "expected round-circle.line-style to be one of solid, dotted, got 'dashed'"),
        ("layers", "3", "expected round-circle.layers to be one of 1, 2, got '3'"),
        ("mood", "sad", "expected round-circle.mood to be one of calm, wild, got 'sad'"),
        ("filled", "yes", "expected round-circle.filled to be true or false, got 'yes'"),
        ("radius", "-1", "round-circle: expected a radius from 0 on, got -1.0"),
        ("radios", "1", "'round-circle' has no option 'radios'"),
        ("sides", "1", "'round-circle' has no option 'sides'"),
    ],
)
@pytest.mark.usefixtures("room")
def test_a_value_that_the_option_does_not_take_is_refused(option, text, message):
    with pytest.raises(UsageError) as error:
        plugins.load("rooms", "round-circle", {option: text})
    assert str(error.value) == message


@pytest.mark.usefixtures("room")
def test_an_unknown_option_comes_with_the_nearest_one():
    with pytest.raises(UsageError) as error:
        plugins.load("rooms", "round-circle", {"radios": "1"})
    assert error.value.tip.startswith("did you mean 'radius'? there is: colour, count, ")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("", "[]"),
        ("from mi_audit.rooms.round_circle import Circle", "[]"),
        ("class Square(Shape):\n    def area(self): return 4", "[]"),
        ("@dataclass\nclass _Square(Shape):\n    def area(self): return 4", "[]"),
        ("@dataclass\nclass Square:\n    def area(self): return 4", "[]"),
        ("@dataclass\nclass Square(Shape):\n    pass", "[]"),
        (
            "@dataclass\nclass Empty(Sequence):\n    __len__ = __getitem__ = lambda self, *_: 0",
            "[]",
        ),
        (
            "@dataclass\nclass A(Shape):\n    def area(self): return 4\n@dataclass\nclass B(A):\n    pass",
            "['A', 'B']",
        ),
    ],
    ids=["empty", "imported", "no dataclass", "private", "no subclass", "abstract", "another's abstract class", "two"],
)
def test_a_module_without_exactly_one_plug_in_is_a_bug(room, code, found):
    imports = "from dataclasses import dataclass\nfrom mi_audit.rooms.interface import Shape, Sequence\n"
    (room / "square.py").write_text(imports + code, encoding="utf-8")
    with pytest.raises(TypeError, match=re.escape(f"exactly one plug-in in mi_audit.rooms.square, got {found}")):
        plugins.plugin_class("rooms", "square")


def test_a_missing_library_is_named_with_how_to_install_it(room):
    (room / "heavy.py").write_text("import no_such_library.part", encoding="utf-8")
    with pytest.raises(MissingLibraryError, match="'heavy' in rooms needs the library 'no_such_library'") as error:
        plugins.load("rooms", "heavy")
    assert error.value.tip == "pip install no_such_library"


def test_a_missing_module_of_ours_is_a_bug(room):
    (room / "heavy.py").write_text("import mi_audit.no_such_module", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError):
        plugins.load("rooms", "heavy")


@pytest.mark.usefixtures("room")
def test_packages_outside_add_plug_ins(monkeypatch):
    point = importlib.metadata.EntryPoint("outer", "fractions:Fraction", "mi_audit.rooms")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == "mi_audit.rooms" else [])
    assert plugins.names("rooms") == ["outer", "round-circle"]
    assert plugins.plugin_class("rooms", "outer").__name__ == "Fraction"


@pytest.mark.parametrize(
    ("name", "known", "tip"),
    [
        ("xgbost", ["xgboost", "mlp"], "did you mean 'xgboost'? there is: mlp, xgboost"),
        ("zzz", ["xgboost", "mlp"], "there is: mlp, xgboost"),
        ("x", [], "there is none"),
        ("net56", ["net50", "cifar_net56"], "did you mean 'cifar_net56'? there is: cifar_net56, net50"),
        ("n7x", [f"n{number}" for number in range(31)], "did you mean 'n7'? there is: 31 names, see `mi-audit list`"),
    ],
)
def test_did_you_mean(name, known, tip):
    assert plugins.did_you_mean(name, known) == tip


@pytest.mark.parametrize("room_name", ["attacks", "datasets", "reports"])
def test_every_plug_in_of_ours_loads_with_its_defaults_and_says_what_it_is(room_name):
    found = plugins.names(room_name)
    assert found
    for name in found:
        assert plugins.load(room_name, name)
        assert len(plugins.summary(room_name, name)) > 20
