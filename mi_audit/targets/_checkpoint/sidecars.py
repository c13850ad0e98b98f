"""Files beside the weights that say what network they are: ``config.json``, or JSON or YAML of the same name."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from mi_audit.targets._checkpoint.hint_reading import hints_from, is_empty
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.refusals import plain

_MOST_JSON, _MOST_YAML = 64 * 1024, 16 * 1024
CONFIG = "config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
# Opening brackets in YAML, whose reader takes a minute for ten thousand of them.
_MOST_BRACKETS = 200
_DAMAGE = (ValueError, RecursionError, OSError, TypeError, KeyError, AttributeError)


class UnusableSidecarError(ValueError):
    """A file beside the weights that cannot be read; the message is to be read after its name."""


def beside(path: Path) -> tuple[tuple[Hints, ...], tuple[str, ...]]:
    """The claims in files beside the weights, the nearest first, and a note on each that cannot be read."""
    found, notes = [], []
    for sidecar in _candidates(path):
        try:
            hints = _read(sidecar)
        except UnusableSidecarError as error:
            notes.append(f"{plain(sidecar.name)} beside the weights was not used: {error}")
            continue
        if not is_empty(hints):
            found.append(hints)
    return tuple(found), tuple(notes)


def _candidates(path: Path) -> Iterator[Path]:
    names = [f"{base}{suffix}" for base in (path.name, path.stem) for suffix in (".json", ".yaml", ".yml")]
    if path.name in WEIGHT_FILES:
        names.append(CONFIG)
    for name in dict.fromkeys(names):
        candidate = path.with_name(name)
        if name != path.name and candidate.is_file():
            yield candidate


def _read(path: Path) -> Hints:
    is_json = path.suffix == ".json"
    text = _text(path, _MOST_JSON if is_json else _MOST_YAML)
    content = _json(text) if is_json else _yaml(text)
    if not isinstance(content, dict):
        # A list of losses, say: nothing that could be meant.
        return Hints()
    claims = {key: entry for key, entry in content.items() if isinstance(key, str)}
    settings = claims.get("pretrained_cfg")
    is_timm = isinstance(settings, dict) and "architecture" in claims
    return hints_from(_flat(claims, settings), plain(path.name), "timm" if is_timm else None)


def _flat(claims: dict[str, object], settings: object) -> Mapping[str, object]:
    """The entries of timm's ``config.json`` in one dict; what is said outside of ``pretrained_cfg`` goes first."""
    if not isinstance(settings, dict):
        return claims
    inner = {key: entry for key, entry in settings.items() if isinstance(key, str) and entry is not None}
    return {**inner, **{key: entry for key, entry in claims.items() if entry is not None}}


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UnusableSidecarError(f"it cannot be read ({error.strerror})") from error
    if len(content) > most:
        raise UnusableSidecarError(f"it is longer than {most} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableSidecarError("it is no text in UTF-8") from error


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except _DAMAGE as error:
        raise UnusableSidecarError("it is no JSON") from error


def _yaml(text: str) -> object:
    import yaml

    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise UnusableSidecarError(f"it has more than {_MOST_BRACKETS} brackets")
    try:
        if any(isinstance(event, yaml.events.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise UnusableSidecarError("it has aliases, which can stand for more than memory holds")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise UnusableSidecarError("it is no YAML") from error
