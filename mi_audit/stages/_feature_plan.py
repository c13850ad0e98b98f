"""Which features were asked for: from ``--features`` and ``--set`` to plug-ins that are bound to the target."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.stages._settings import by_plugin

if TYPE_CHECKING:
    from mi_audit.features.interface import BoundFeature, Feature
    from mi_audit.target_model import TargetModel

OUTPUTS = "outputs"
# What ``--controls full`` stores.
EVIDENCE_FEATURES = ("thumbnail", "untrained-twin", "batch-of-one")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One plug-in, with all that was asked of it.

    Attributes:
        plugin: its name.
        feature: it, options set.
        identity: what its numbers depend on beside the target and the samples, as JSON values; two features of the
            same name and identity are the same.
    """

    plugin: str
    feature: "Feature"
    identity: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Planned:
    """A feature that was asked for, bound to the target.

    Attributes:
        plugin, identity: as in `Wanted`.
        bound: computes it.
    """

    plugin: str
    identity: Mapping[str, Any]
    bound: "BoundFeature"

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the cache."""
        return tuple(self.bound.columns)

    @property
    def is_free(self) -> bool:
        """Whether the pass that gives the outputs is enough."""
        return not self.bound.passes


def wanted(names: Sequence[str], settings: Iterable[str] = ()) -> tuple[Wanted, ...]:
    """The plug-ins behind the names that a user typed, those of one plug-in taken together, sorted by name.

    Args:
        names: ``"outputs"``, ``"NAME"`` or ``"NAME:VALUE"``.
        settings: ``"NAME.OPTION=VALUE"``, for features only.

    Raises:
        UsageError: an unknown name or option, a value that is not taken, a setting for a feature that was not asked
            for.
    """
    texts: dict[str, list[str]] = {}
    for text in names:
        if text != OUTPUTS:
            texts.setdefault(_plugin_of(text), []).append(text)
    options = by_plugin(settings)
    for name in options:
        if name not in texts:
            known = plugins.names("features")
            tip = f"add --features {name}" if name in known else plugins.did_you_mean(name, known)
            raise UsageError(f"--set {name}. ... is for no feature that was asked for", tip=tip)
    return tuple(_wanted(plugin, texts[plugin], options.get(plugin, {})) for plugin in sorted(texts))


def planned(asked: Iterable[Wanted], target: "TargetModel", shape: tuple[int, int, int]) -> tuple[Planned, ...]:
    """The features, bound to the target.

    Raises:
        UsageError: the target has nothing of the name that was asked for.
    """
    return tuple(Planned(one.plugin, one.identity, one.feature.bind(target, shape)) for one in asked)


def _plugin_of(text: str) -> str:
    plugin, known = text.partition(":")[0], plugins.names("features")
    if plugin not in known or plugin == OUTPUTS:
        raise UsageError(f"unknown feature {text!r}", tip=plugins.did_you_mean(plugin, (OUTPUTS, *known)))
    return plugin


def _wanted(plugin: str, texts: Sequence[str], settings: Mapping[str, str]) -> Wanted:
    cls: type[Feature] = plugins.plugin_class("features", plugin)
    argument = str(cls.argument)
    if argument in settings:
        raise UsageError(f"{plugin}.{argument} is no setting", tip=f"name them: --features {plugin}:VALUE")
    options: dict[str, object] = dict(settings)
    if cls.argument is not None:
        options[argument] = tuple(dict.fromkeys(value for text in texts for value in _values(text, cls, argument)))
    elif forms := [text for text in texts if ":" in text]:
        raise UsageError(f"{plugin!r} comes in one form only, got {forms[0]!r}", tip=f"--features {plugin}")
    feature: Feature = plugins.load("features", plugin, options)
    own = {field.name: getattr(feature, field.name) for field in dataclasses.fields(feature)}  # type: ignore[arg-type]
    own.pop(argument, None)
    identity = {"plug-in": plugin, "options": own, "version": cls.version}
    return Wanted(plugin, feature, json.loads(json.dumps(identity)))


def _values(text: str, cls: "type[Feature]", argument: str) -> tuple[str, ...]:
    """What follows the colon; of a bare name, the default."""
    plugin, colon, value = text.partition(":")
    if colon and not value:
        raise UsageError(f"expected a value after {text!r}", tip=f"--features {plugin} alone takes what is usual")
    if colon:
        return (value,)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return cast("tuple[str, ...]", fields[argument].default)
