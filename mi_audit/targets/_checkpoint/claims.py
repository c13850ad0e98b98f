"""What the entries of a checkpoint say about its network, by what wrote it."""

from collections.abc import Mapping

from mi_audit.targets._checkpoint.hint_reading import hints_from, is_empty
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.kinds import Saver
from mi_audit.targets._checkpoint.stand_ins import attributes

# Where trainers keep their settings.
_SETTINGS = ("args", "hyper_parameters", "hparams", "config", "cfg", "opt")
# The evaluation of torchvision's reference scripts normalises with these, which are no argument of theirs.
_REFERENCE = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def hints_in(named: Mapping[str, object], saver: Saver, metadata: Mapping[str, str]) -> Hints:
    """The claims in a checkpoint.

    Args:
        named: the entries of its outermost dict.
        saver: what wrote it.
        metadata: texts in the header of a safetensors file.
    """
    if saver is Saver.SAFETENSORS:
        numbers = {key: int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text
                   for key, text in metadata.items()}  # fmt: skip
        return hints_from(numbers, "metadata of the file")
    if saver is Saver.WHOLE_NETWORK:
        return _of_network(named)
    key = next((key for key in _SETTINGS if attributes(named.get(key))), None)
    settings = _flat(attributes(named.get(key)) or {}) if key is not None else {}
    source = f"{key} in the file" if key is not None else "entries of the file"
    if saver is Saver.TORCHVISION:
        return hints_from(_REFERENCE | settings, source, "torchvision")
    if saver is Saver.TIMM:
        # Without the arguments of the training, arch is the class of the network in small letters, and no name.
        return hints_from(settings, source, "timm") if key == "args" else Hints()
    if saver is Saver.IMAGENET_EXAMPLE:
        return hints_from({**_beside(named), **settings}, "arch in the file", "torchvision")
    found = hints_from({**_beside(named), **settings}, source)
    return Hints() if is_empty(found) else found


def _of_network(named: Mapping[str, object]) -> Hints:
    """What timm keeps on a network itself: its settings, and the number of classes it has now."""
    for value in (named, *map(attributes, named.values())):
        if value and "_modules" in value:
            inner = (attributes(value["_modules"]) or {}).get("module")
            network = attributes(inner) or value if "pretrained_cfg" not in value else value
            settings = attributes(network.get("pretrained_cfg"))
            if settings and "architecture" in settings:
                claims = {**settings, "num_classes": network.get("num_classes")}
                return hints_from(claims, "pretrained_cfg of the network", "timm")
    return Hints()


def _flat(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings with the dicts in them as dicts, whatever class they were of."""
    return {
        key: entry if isinstance(entry, list | tuple) else (attributes(entry) or entry)
        for key, entry in settings.items()
    }


def _beside(named: Mapping[str, object]) -> dict[str, object]:
    """The entries that are plain words and numbers, not weights."""
    return {key: entry for key, entry in named.items() if isinstance(entry, str | int | float | list | tuple)}
