"""What a checkpoint file, its folder or a sidecar says about its network, read as hostile text: checked, never run."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hints:
    """Claims about a network that lie beside its weights; each is ``None`` where nobody makes it.

    Attributes:
        arch: name of the network, without pretrained tag, as its library knows it: ``"resnet50"``. Names that ask for a
            download (``hf-hub:...``) never come here.
        library: ``"timm"`` or ``"torchvision"``, where the kind of file tells whose name it is.
        n_classes, n_channels: of the network.
        size: (height, width) of its input in pixels.
        mean, std: normalisation constants for pixels in [0, 1].
        resize: length of the shorter side before the centre is cropped to `size`.
        interpolation: ``"bilinear"`` or ``"bicubic"``.
        builder_options: further arguments of the library's builder, numbers, strings and booleans only.
        source: where the claims stand, in words: ``"config.json"``, ``"args in the file"``.
    """

    arch: str | None = None
    library: str | None = None
    n_classes: int | None = None
    n_channels: int | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: int | None = None
    interpolation: str | None = None
    builder_options: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    source: str = ""
