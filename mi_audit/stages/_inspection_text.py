"""An inspected checkpoint as text: a table of two columns that fits the terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields

from mi_audit.stages.inspect import Inspection
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, WeightsInFile
from mi_audit.targets._checkpoint.refusals import listing, plain

_LABEL_WIDTH = 15
_MOST_KEYS = 8


def rendered(inspection: Inspection, width: int = 80) -> str:
    """The text, its lines at most `width` long as far as names allow it."""
    lines: list[str] = []
    for label, value in _rows(inspection):
        wrapped = textwrap.wrap(
            value, max(40, width) - _LABEL_WIDTH, break_long_words=False, break_on_hyphens=False
        ) or [""]
        lines.append(f"{label:<{_LABEL_WIDTH}}{wrapped[0]}".rstrip())
        lines += [" " * _LABEL_WIDTH + line for line in wrapped[1:]]
    return "\n".join(lines) + "\n"


def _rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    opened = inspection.checkpoint
    yield "file", plain(str(inspection.path), longest=500)
    yield "what it is", f"{opened.kind} ({opened.file_format} format)"
    if opened.class_name is not None:
        yield "class", opened.class_name
    yield "weights", _weights(opened)
    yield from _several("prefix removed", opened.prefixes)
    if opened.other_keys:
        yield "also in it", listing(list(opened.other_keys), _MOST_KEYS)
    yield "tensors", f"{len(opened.state_dict):,}"
    yield "parameters", f"{inspection.n_parameters:,}"
    yield "classes", f"{inspection.n_classes:,}" if inspection.n_classes else "not known"
    yield "SHA-256", opened.file_digest
    yield from _several("it says", _claims(opened.hints))
    yield from _networks(inspection)
    yield from _several("note", opened.notes)
    yield from _several("an audit needs", inspection.needed)


def _weights(opened: OpenedCheckpoint) -> str:
    where = f"under {opened.wrapper!r}" if opened.wrapper else "in the file itself"
    kind = "averaged (EMA or SWA)" if opened.weights == "ema" else "plain"
    others = [_other(found) for found in opened.found if found.weights != opened.weights]
    return f"{kind}, {where}" + (f"; also {', '.join(others)}" if others else "")


def _other(found: WeightsInFile) -> str:
    where = ".".join(part.rstrip(".") for part in (found.wrapper, found.attribute) if part)
    return f"{found.weights} ones under {plain(where)!r} (--weights {found.weights})"


def _claims(hints: Hints) -> Iterator[str]:
    for field in fields(Hints):
        value = getattr(hints, field.name)
        if value is not None and value != {} and field.name != "source":
            shown = ", ".join(f"{key}={entry}" for key, entry in value.items()) if isinstance(value, dict) else value
            yield f"{field.name.replace('_', ' ')}: {shown}"
    if hints.source:
        yield f"(from {hints.source})"


def _networks(inspection: Inspection) -> Iterator[tuple[str, str]]:
    if inspection.other_task is not None:
        yield "network", f"{inspection.other_task}, not an image classifier"
    elif not inspection.candidates:
        yield "network", "not recognised from its weights"
    for number, candidate in enumerate(inspection.candidates):
        yield "" if number else "network", f"{candidate.name}: {candidate.why}"
        if candidate.normalisation:
            yield "", candidate.normalisation


def _several(label: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """One row each, labelled once."""
    for number, value in enumerate(values):
        yield "" if number else label, value
