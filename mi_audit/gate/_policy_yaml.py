"""YAML with nothing in it that could surprise: no aliases, no tags, no duplicate keys, no second document."""

from typing import Any

from mi_audit.errors import PolicyError

MAX_CHARACTERS = 64 << 10
MAX_DEPTH = 8


def plain_values(text: str) -> object:
    """Lists, dictionaries with keys that are strings, numbers, strings, booleans, dates and None.

    Raises:
        PolicyError: it is no YAML, or more than plain YAML; the message says where.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise PolicyError(f"expected a policy of at most {MAX_CHARACTERS:,} characters, got {len(text):,}")
    try:
        _check_events(text)
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            return None if node is None else _value(loader, node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise PolicyError(f"is not plain YAML: {_on_one_line(str(error))}") from error
    except (ValueError, OverflowError) as error:  # a date with a 13th month, a number of a million digits
        raise PolicyError(f"holds a value that makes no sense: {error}") from error


def _check_events(text: str) -> None:
    """Refuse what plain YAML has no need of, before anything is built from it."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        is_alias = isinstance(event, yaml.events.AliasEvent)
        if is_alias or getattr(event, "anchor", None):
            raise PolicyError(f"{_place(event)}: aliases and anchors (* and &) are not taken")
        if getattr(event, "tag", None):
            raise PolicyError(f"{_place(event)}: tags ({event.tag}) are not taken")
        depth += isinstance(event, yaml.events.CollectionStartEvent)
        depth -= isinstance(event, yaml.events.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise PolicyError(f"{_place(event)}: nested more than {MAX_DEPTH} levels deep")


def _value(loader: Any, node: Any) -> object:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[str, object] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise PolicyError(f"{_place(key_node)}: expected a name before the colon")
        if key_node.value in found:
            raise PolicyError(f"{_place(key_node)}: {key_node.value!r} is there twice")
        found[key_node.value] = _value(loader, value_node)
    return found


def _place(node: Any) -> str:
    return f"line {node.start_mark.line + 1}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())[:300]
