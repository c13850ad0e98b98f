"""The state dict of a whole network that was pickled, read off the stand-ins for its modules."""

from mi_audit.targets._checkpoint.stand_ins import StandIn, attributes

# A network deeper or larger than this holds itself.
_MOST_LEVELS = 60
_MOST_ENTRIES = 200_000


def is_module(value: object) -> bool:
    """Whether an object of a foreign class is a module of torch, by what it holds."""
    held = attributes(value) if isinstance(value, StandIn) else None
    return held is not None and "_modules" in held and "_parameters" in held


def state_of(module: object) -> dict[str, object] | None:
    """Parameters and persistent buffers by their full names, as ``state_dict()`` would give them.

    ``None`` where the modules hold one another.
    """
    entries: dict[str, object] = {}
    waiting: list[tuple[str, object, int]] = [("", module, 0)]
    n_seen = 0
    while waiting:
        prefix, current, level = waiting.pop()
        held = attributes(current) or {}
        n_seen += 1
        if level > _MOST_LEVELS or n_seen + len(entries) > _MOST_ENTRIES:
            return None
        entries |= {prefix + name: value for name, value in _own(held).items() if value is not None}
        children = attributes(held.get("_modules")) or {}
        waiting += [(f"{prefix}{name}.", child, level + 1) for name, child in reversed(children.items())]
    return entries


def _own(held: dict[str, object]) -> dict[str, object]:
    """What one module keeps, but for the buffers that it does not save."""
    unsaved = held.get("_non_persistent_buffers_set")
    buffers = attributes(held.get("_buffers")) or {}
    own = attributes(held.get("_parameters")) or {}
    is_unsaved = unsaved.__contains__ if isinstance(unsaved, set) else (lambda _: False)
    return own | {name: value for name, value in buffers.items() if not is_unsaved(name)}
