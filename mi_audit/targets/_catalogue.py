"""The built-in networks: their names, and which of them a checkpoint's tensors may be of.

Nothing here imports torch, so that a list of the models is printed at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from mi_audit.targets._constants import (
    LENET,
    OPTION_A,
    OWN,
    PROJECTION,
    Constants,
    constants_candidates,
    identity,
    known_constants,
)
from mi_audit.targets.architectures._recognising import grouped, mobile, plain, rarer, residual, stems
from mi_audit.targets.architectures._recognising.family import Family, Option, Options, Outline
from mi_audit.targets.architectures._recognising.sizes import MILLIONS

__all__ = [
    "ARCHITECTURES",
    "LENET",
    "OPTION_A",
    "OWN",
    "PROJECTION",
    "Architecture",
    "Constants",
    "constants_candidates",
    "identity",
    "known_constants",
    "listed",
    "named",
    "recognised",
]

# No network has options of more.
_DIGITS = 5
_PACKAGE = "mi_audit.targets.architectures"
_FAMILIES = (*residual.FAMILIES, *plain.FAMILIES, *grouped.FAMILIES, *stems.FAMILIES, *mobile.FAMILIES, *rarer.FAMILIES)


@dataclass(frozen=True)
class Architecture:
    """A built-in network.

    Attributes:
        name: on the command line, ``--arch NAME``.
        module: that has its ``build(n_classes, shape, **options)``.
        options: of `build`, as (name, value).
        family: networks that the public trained alike.
        summary: one line for the list of models.
        own_size: (height, width) of the images that it was designed for.
        depends_on_size: whether its weights have other shapes for images of another size.
    """

    name: str
    module: str
    options: tuple[tuple[str, Option], ...]
    family: str
    summary: str
    own_size: tuple[int, int] = (32, 32)
    depends_on_size: bool = False


@cache
def listed() -> tuple[Architecture, ...]:
    """The networks that have a name of their own."""
    return tuple(
        _architecture(family, options, name) for family in _FAMILIES for name, options in family.listed.items()
    )


def named(name: str) -> Architecture | None:
    """The network of this name, listed or not; ``None`` where there is none.

    A network that is not listed is named by its family and its options, as `recognised` does:
    ``kuangliu_resnet,blocks=2-2-2-3,bottleneck=false,width=64``.
    """
    for architecture in listed():
        if architecture.name == name:
            return architecture
    begin, *parts = name.split(",")
    texts = {key: text for key, _, text in (part.partition("=") for part in parts)}
    for family in _FAMILIES:
        if family.name == begin and (options := _options(family, texts)):
            return _architecture(family, options)
    return None


def recognised(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Architecture, ...]:
    """The built-in networks whose tensors have these names and, as far as it tells networks apart, these shapes.

    Networks that no list names are among them: any depth and width of a family. Where networks share their names and
    shapes but compute differently, all are given, the most likely first.

    Args:
        shapes: of every tensor of a checkpoint, by name, without prefix.
    """
    outline = Outline(shapes)
    return tuple(_architecture(family, options) for family in _FAMILIES for options in family.options(outline))


def _architecture(family: Family, options: Options, name: str = "") -> Architecture:
    """The network with these options; under its own name if it is listed, else named by its options."""
    if not name:
        names = (key for key, known in family.listed.items() if dict(known) == dict(options))
        name = next(names, "") or ",".join([family.name, *(f"{key}={_text(one)}" for key, one in options.items())])
    return Architecture(
        name=name,
        module=f"{_PACKAGE}.{family.module}",
        options=tuple({**options, **family.fixed}.items()),
        family=family.trained_as,
        summary=_summary(family, options, name),
        own_size=family.own_size,
        depends_on_size=family.depends_on_size,
    )


def _summary(family: Family, options: Options, name: str) -> str:
    size = f", {MILLIONS[name]:.2f} M parameters" if name in MILLIONS else ""
    return family.title + (size or "".join(f", {key} {_text(one)}" for key, one in options.items()))


def _text(option: Option) -> str:
    if isinstance(option, tuple):
        return "-".join(map(str, option))
    return str(option).lower()


def _options(family: Family, texts: Mapping[str, str]) -> Options:
    """Options from their texts, read by the types that a listed network of the family has; empty if that is none."""
    for model in family.listed.values():
        if set(model) == set(texts):
            found = {key: _parsed(texts[key], one) for key, one in model.items()}
            return {key: one for key, one in found.items() if one is not None} if None not in found.values() else {}
    return {}


def _parsed(text: str, model: Option) -> Option | None:
    """An option of the type of another; ``None`` if the text is no such option."""
    if isinstance(model, bool):
        return {"true": True, "false": False}.get(text)
    if isinstance(model, str):
        return text
    numbers = text.split("-") if isinstance(model, tuple) else [text]
    if not all(number.isascii() and number.isdecimal() and len(number) <= _DIGITS for number in numbers):
        return None
    if isinstance(model, tuple):
        return tuple(map(int, numbers))
    return int(text) or None


ARCHITECTURES = listed()
