"""Claims about a network, taken out of hostile text: each by a known name, of the right type, in a sensible range."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mi_audit.targets._checkpoint.hints import Hints

Plain = int | float | str | bool
T = TypeVar("T")

_ARCH = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,80}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_MOST_CLASSES, _MOST_CHANNELS, _MOST_PIXELS, _MOST_LAYERS, _MOST_WIDTH = 1_000_000, 16, 4096, 512, 16_384
# How savers call the same thing.
_ARCH_NAMES = ("arch", "architecture", "model", "model_name", "model_arch", "backbone")
_CLASS_NAMES = ("num_classes", "n_classes", "nb_classes", "num_class", "nclass", "nclasses")
_CHANNEL_NAMES = ("in_chans", "in_channels", "n_channels", "num_channels")
_SIZE_NAMES = ("input_size", "val_crop_size", "img_size", "image_size", "crop_size")
# Arguments of builders that are a number, a word or a flag, and the largest number that makes sense for them.
_COUNTS = {
    **dict.fromkeys(("depth", "num_heads", "window_size", "output_stride", "reg_tokens", "cardinality"), _MOST_LAYERS),
    **dict.fromkeys(("patch_size", "img_size"), _MOST_PIXELS),
    **dict.fromkeys(("embed_dim", "base_width", "stem_width", "num_features", "head_hidden_size"), _MOST_WIDTH),
}
_FRACTIONS = ("bn_eps", "bn_momentum", "init_values", "mlp_ratio", "drop_rate", "drop_path_rate")
_WORDS = ("global_pool", "act_layer", "pos_embed", "stem_type")
_FLAGS = ("class_token", "no_embed_class", "qkv_bias", "fc_norm", "pre_norm", "dynamic_img_size")


def hints_from(claims: Mapping[str, object], source: str, library: str | None = None) -> Hints:
    """What some claims say; each that is of another type, out of range or not known is passed over.

    Args:
        claims: by the names that savers use.
        source: where they stand, in words.
        library: whose name of a network it is, where the kind of file tells.
    """
    size = _first(claims, _SIZE_NAMES, _as_size)
    mean, std = (_first(claims, (name,), _as_constants) for name in ("mean", "std"))
    if mean is None or std is None or len(mean) != len(std) or not all(value > 0 for value in std):
        mean, std = None, None
    arch = _first(claims, _ARCH_NAMES, _as_arch)
    return Hints(
        arch=arch,
        library=library if arch is not None else None,
        n_classes=_first(claims, _CLASS_NAMES, _as_count(_MOST_CLASSES)),
        n_channels=_first(claims, _CHANNEL_NAMES, _as_count(_MOST_CHANNELS))
        or (_channels_of(claims) if size else None),
        size=size,
        mean=mean,
        std=std,
        resize=_resize(claims, size),
        interpolation=_first(claims, ("interpolation",), _as_interpolation),
        builder_options=builder_options(claims) if arch is not None else {},
        source=source,
    )


def builder_options(claims: Mapping[str, object]) -> dict[str, Plain]:
    """The arguments of a builder among some claims and in their ``model_args`` or ``model_kwargs``."""
    options: dict[str, Plain] = {}
    for inside in (claims.get("model_kwargs"), claims.get("model_args"), {"global_pool": claims.get("gp")}, claims):
        if isinstance(inside, dict):
            options |= {key: value for key in _COUNTS if (value := _as_count(_COUNTS[key])(inside.get(key)))}
            options |= {key: number for key in _FRACTIONS if (number := _as_fraction(inside.get(key))) is not None}
            options |= {key: word for key in _WORDS if (word := _as_word(inside.get(key))) is not None}
            options |= {key: inside[key] for key in _FLAGS if type(inside.get(key)) is bool}
    if claims.get("img_size") is not None and not _is_inside(claims, "img_size"):
        # Beside the builder's arguments it is the size of the images, which most networks are not told.
        options.pop("img_size", None)
    return options


def is_empty(hints: Hints) -> bool:
    """Whether nothing is claimed."""
    return hints == Hints(source=hints.source)


def _is_inside(claims: Mapping[str, object], name: str) -> bool:
    inner = (claims.get("model_kwargs"), claims.get("model_args"))
    return any(isinstance(options, dict) and name in options for options in inner)


def _first(claims: Mapping[str, object], names: Sequence[str], read: Callable[[object], T | None]) -> T | None:
    return next((value for name in names if (value := read(claims.get(name))) is not None), None)


def _as_arch(value: object) -> str | None:
    """A name without its pretrained tag; none that asks for a download or names a folder."""
    if type(value) is not str:
        return None
    name = value.removeprefix("timm/").partition(".")[0]
    return name if _ARCH.fullmatch(name) else None


def _as_word(value: object) -> str | None:
    return value if type(value) is str and _WORD.fullmatch(value) else None


def _as_interpolation(value: object) -> str | None:
    return value if value in ("bilinear", "bicubic") and isinstance(value, str) else None


def _as_count(most: int) -> Callable[[object], int | None]:
    def read(value: object) -> int | None:
        return value if type(value) is int and 0 < value <= most else None

    return read


def _as_fraction(value: object) -> float | None:
    number = float(value) if type(value) in (int, float) and isinstance(value, int | float) else math.nan
    return number if 0 <= number <= _MOST_CHANNELS else None


def _as_size(value: object) -> tuple[int, int] | None:
    """(height, width) of a side, of both, or of (channels, height, width)."""
    sides = list(value) if isinstance(value, list | tuple) else [value, value]
    read = [_as_count(_MOST_PIXELS)(side) for side in (sides * 2 if len(sides) == 1 else sides)[-2:]]
    return (read[0], read[1]) if len(sides) in (1, 2, 3) and read[0] and read[1] else None


def _channels_of(claims: Mapping[str, object]) -> int | None:
    """The first of three numbers in ``input_size``."""
    size = claims.get("input_size")
    is_triple = isinstance(size, list | tuple) and len(size) == 3
    return _as_count(_MOST_CHANNELS)(size[0]) if is_triple and isinstance(size, list | tuple) else None


def _as_constants(value: object) -> tuple[float, ...] | None:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_CHANNELS:
        return None
    numbers = [float(number) for number in value if type(number) in (int, float)]
    is_sound = len(numbers) == len(value) and all(0 <= number <= 1 for number in numbers)
    return tuple(numbers) if is_sound else None


def _resize(claims: Mapping[str, object], size: tuple[int, int] | None) -> int | None:
    """The shorter side before the crop: given, or from the share that the crop takes."""
    given = _first(claims, ("val_resize_size", "resize_size", "resize"), _as_count(_MOST_PIXELS))
    share = _as_fraction(claims.get("crop_pct"))
    is_squashed = claims.get("crop_mode") == "squash" and share == 1
    if given is not None or size is None or share is None or is_squashed or not 0.1 < share <= 1:
        return given
    return math.floor(min(size) / share)
