"""Somebody else's tables: how people spell the columns and the flags in them, for every reader of one."""

from collections.abc import Iterable, Sequence

# {what a column means: its spellings, ours first}.
SPELLINGS = {
    "path": ("path", "filename", "file", "filepath", "file_path", "image", "image_path"),
    "label": ("label", "labels", "class", "target", "y_true", "y"),
    "is_member": ("is_member", "member", "membership", "split"),
    "sample_id": ("sample_id",),
    "group": ("group",),
}
_IN_WORDS = {
    **dict.fromkeys(("member", "members", "train", "training"), True),
    **dict.fromkeys(("non-member", "non-members", "non_member", "nonmember", "test", "held-out", "holdout"), False),
}
FLAGS = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), True),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), False),
    **_IN_WORDS,
}
# In a split, 0 and 1 number its parts, and which of them comes first nobody can know.
_SPLITS = {**_IN_WORDS, **dict.fromkeys(("val", "valid", "validation"), False)}
FLAGS_IN_WORDS = "1 or 0, true or false, yes or no, train or test"

_DELIMITERS = ",;\t"


def positions_of(meaning: str, header: Sequence[str]) -> list[int]:
    """Where the columns are that mean this, whatever their case.

    Our own spelling hides the others, so that a table may have a ``split`` beside its ``is_member``.

    >>> positions_of("label", ["File", "Class"]), positions_of("is_member", ["split", "is_member"])
    ([1], [1])
    """
    names = [name.strip().lower() for name in header]
    own, *others = SPELLINGS[meaning]
    return [at for at, name in enumerate(names) if name == own] or [
        at for at, name in enumerate(names) if name in others
    ]


def flag_of_split(text: str) -> str:
    """A part of a split as a flag; as what is no flag where it names no part.

    >>> flag_of_split("Train"), flag_of_split("val"), flag_of_split("1")
    ('true', 'false', 'split 1')
    """
    is_member = _SPLITS.get(text.strip().lower())
    return f"split {text}" if is_member is None else str(is_member).lower()


def also_read(meanings: Iterable[str]) -> str:
    """The other spellings in words, for a tip."""
    known = [(SPELLINGS[meaning][0], SPELLINGS[meaning][1:]) for meaning in meanings]
    return "; ".join(f"{own} may be called {', '.join(others)}" for own, others in known if others)


def delimiter_of(first_line: str) -> str:
    """What stands between the cells of a text file, by its first line: a comma, a semicolon or a tab."""
    return max(_DELIMITERS, key=first_line.count)
