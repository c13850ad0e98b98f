"""Claims from several places as one: each from the first place that makes it."""

from collections.abc import Sequence
from dataclasses import fields, replace

from mi_audit.targets._checkpoint.hints import Hints

# Claims that mean something together only.
_TOGETHER = (("arch", "library", "builder_options"), ("mean", "std"), ("size", "resize", "interpolation"))


def merged(sources: Sequence[Hints]) -> Hints:
    """One set of claims; what belongs together comes from one place."""
    found = Hints()
    used = []
    leading = {names[0]: names for names in _TOGETHER}
    following = {name for names in _TOGETHER for name in names[1:]}
    for source in sources:
        taken = [
            field.name
            for field in fields(Hints)
            if field.name not in (*following, "source")
            and getattr(found, field.name) is None
            and getattr(source, field.name) is not None
        ]
        names = [name for first in taken for name in leading.get(first, (first,))]
        found = replace(found, **{name: getattr(source, name) for name in names})
        used += [source.source] if names else []
    return replace(found, source=" and ".join(dict.fromkeys(used)))
