"""The target model: the network under audit, with the preprocessing that belongs to it."""

import hashlib
import json
from dataclasses import asdict, dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Preprocessing:
    """What happens to uint8 pixels before the network sees them; part of the target, never of the data set.

    Attributes:
        mean, std: one number per channel, for pixels in [0, 1]: ``(x / 255 - mean) / std``.
        size: (height, width) that the network needs, or ``None`` for images as they are.
        resize: length of the shorter side before the centre is cropped to `size`; ``None`` resizes straight to `size`.
        interpolation: ``"bilinear"`` or ``"bicubic"``, always with antialiasing.
        source: where the constants come from, in words for the report: ``"--mean/--std"``.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None
    resize: int | None = None
    interpolation: str = "bilinear"
    source: str = "--mean/--std"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"expected one mean and one std per channel, got {self.mean} and {self.std}")
        if not all(number > 0 for number in self.std):
            raise ValueError(f"expected every std above 0, got {self.std}")

    def digest(self) -> str:
        """SHA-256 of everything but `source`, which does not change a number."""
        fields = asdict(self)
        del fields["source"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class TargetModel:
    """A classifier under audit: uint8 images in, logits out.

    Attributes:
        module: the network; the stage that uses it puts it in eval mode and on its device.
        preprocessing: resizing and normalisation, applied on the device.
        n_classes: how many logits it returns (2 for a one-logit head, which is read as two classes).
        name: architecture as the user may type it, ``"cifar_resnet56"``.
        source: the spec that opened it, ``"timm:resnet18"`` or a file name.
        weights_digest: SHA-256 over names, shapes, dtypes and bytes of all parameters and buffers.
        notes: what was assumed when it was opened, in words.
    """

    module: nn.Module
    preprocessing: Preprocessing
    n_classes: int
    name: str
    source: str
    weights_digest: str
    notes: tuple[str, ...] = ()

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Network input (n, channels, height, width) float32 from uint8 images (n, height, width, channels).

        The result is laid out channels-last, which costs nothing, since that is how the pixels arrive. Grey images are
        repeated for a network that expects three channels, and colour is turned to grey for one that expects one.

        Raises:
            ValueError: the number of channels does not fit.
        """
        channels = len(self.preprocessing.mean)
        if channels == 1 and images.shape[3] == 3:
            images = grey(images)
        pixels = images.permute(0, 3, 1, 2)
        if pixels.shape[1] == 1 and channels > 1:
            pixels = pixels.expand(-1, channels, -1, -1).contiguous(memory_format=torch.channels_last)
        if pixels.shape[1] != channels:
            raise ValueError(f"expected images of {channels} channels, got {pixels.shape[1]}")
        pixels = self._resized(pixels.to(torch.float32).div_(255))
        # Each constant as one whole image in the layout of the pixels: with three numbers to broadcast over the
        # innermost dimension the loops would not vectorise (3 times slower on a CPU), with the same bits.
        constants = pixels.new_tensor((self.preprocessing.mean, self.preprocessing.std)).view(2, -1, 1, 1)
        whole = constants.expand(-1, -1, *pixels.shape[2:]).contiguous(memory_format=torch.channels_last)
        return pixels.sub_(whole[0]).div_(whole[1])

    def _resized(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels in [0, 1] at the size that the network needs: shorter side to `resize`, then the centre."""
        size = self.preprocessing.size
        if size is None or tuple(pixels.shape[2:]) == size:
            return pixels
        height, width = pixels.shape[2:]
        scaled = size
        if self.preprocessing.resize is not None:
            # The longer side is rounded down and the crop's offset to the nearest, as torchvision does it.
            longer = [self.preprocessing.resize * side // min(height, width) for side in (height, width)]
            scaled = (max(size[0], longer[0]), max(size[1], longer[1]))
        mode = self.preprocessing.interpolation
        pixels = nn.functional.interpolate(pixels, scaled, mode=mode, align_corners=False, antialias=True)
        top, left = round((scaled[0] - size[0]) / 2), round((scaled[1] - size[1]) / 2)
        return pixels[:, :, top : top + size[0], left : left + size[1]].clamp(0, 1)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) float32 of uint8 images (n, height, width, channels)."""
        return two_classes(self.module(self.normalise(images)))


def can_be_shown(n_channels: int, n_expected: int) -> bool:
    """Whether a network that expects so many channels can be shown images of `n_channels`, as `normalise` does it."""
    return n_channels in (1, n_expected) or (n_channels, n_expected) == (3, 1)


def grey(images: torch.Tensor) -> torch.Tensor:
    """Luma (n, height, width, 1) uint8 of colour images (n, height, width, 3) uint8, in the whole numbers of Pillow.

    A grey image that was stored in three equal channels comes back as it was.
    """
    red, green, blue = images.to(torch.int32).unbind(dim=3)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.to(torch.uint8).unsqueeze(3)


def two_classes(logits: torch.Tensor) -> torch.Tensor:
    """Logits as float32; a one-logit (sigmoid) head z becomes logits (0, z) of two classes, with the same softmax."""
    logits = logits.to(torch.float32)
    if logits.ndim == 1:
        logits = logits.unsqueeze(1)
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of all parameters and buffers, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(values.shape)}|{values.dtype}|".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
