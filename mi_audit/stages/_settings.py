"""Texts that hold several values: ``--set NAME.OPTION=VALUE`` for a feature or an attack, and numbers with commas."""

from collections.abc import Iterable

from mi_audit import plugins
from mi_audit.errors import UsageError


def by_plugin(texts: Iterable[str], example: str = "boundary-distance.step=angle") -> dict[str, dict[str, str]]:
    """{name of a plug-in: {option: value}}, the values as they were typed.

    Raises:
        UsageError: a text of another form; its tip shows the `example`.
    """
    settings: dict[str, dict[str, str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        name, dot, option = key.partition(".")
        if not (name and dot and option and equals):
            message = f"expected --set NAME.OPTION=VALUE, got {text!r}"
            raise UsageError(message, tip=f"for example --set {example}")
        settings.setdefault(name, {})[option] = value
    return settings


def of_features_and_attacks(texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The settings of features, and those of attacks, of a command that runs both.

    Raises:
        UsageError: a text of another form, or the name of neither.
    """
    texts = tuple(texts)
    features, attacks = plugins.names("features"), plugins.names("attacks")
    for name in by_plugin(texts):
        if name not in (*features, *attacks):
            tip = plugins.did_you_mean(name, (*features, *attacks))
            raise UsageError(f"--set {name}. ... is for no feature and no attack", tip=tip)
    is_of_feature = [text.partition(".")[0] in features for text in texts]
    split = tuple(zip(texts, is_of_feature, strict=True))
    return tuple(text for text, it_is in split if it_is), tuple(text for text, it_is in split if not it_is)


def numbers_in(text: str, option: str, example: str = ".49,.48,.45") -> tuple[float, ...]:
    """The numbers of a text with commas between them.

    Raises:
        UsageError: one is none; the tip shows the `example`.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        tip = f"for example {option} {example}"
        raise UsageError(f"expected {option} to be numbers with commas, got {text!r}", tip=tip) from None
