"""The target model: the network under audit, with the preprocessing that belongs to it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import nn

# The shares of red, green and blue in grey (ITU-R 601-2), in the whole numbers of Pillow.
_LUMA, _LUMA_ONE = (19595, 38470, 7471), 1 << 16


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


class Tap(NamedTuple):
    """A place in the network: what goes into a module first, or what comes out of it first."""

    module: str
    side: Literal["input", "output"]


@dataclass(frozen=True)
class Batch:
    """Some samples as the target saw them, all on its device.

    Attributes:
        images: (n, height, width, channels) uint8; never modified.
        label: (n,) int64, the true classes.
        logits: (n, n_classes) float32, what the target returned.
        activations: what the taps saw in the pass that gave `logits`, (n, ...) each.
    """

    images: torch.Tensor
    label: torch.Tensor
    logits: torch.Tensor
    activations: Mapping[Tap, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)


@dataclass
class Layout:
    """How the network takes its pixels, found out by the first pass; copies of a target share it.

    Attributes:
        memory_format: channels last, which is quicker, unless the network refuses it (`Tensor.view` does).
    """

    memory_format: torch.memory_format = torch.channels_last


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
        doubts: those assumptions that weaken the audit.
        is_guessed: whether nothing at all speaks for how images are normalised, so that no verdict can rest on it.
        layout: of the pixels in memory.
    """

    module: nn.Module
    preprocessing: Preprocessing
    n_classes: int
    name: str
    source: str
    weights_digest: str
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    is_guessed: bool = False
    layout: Layout = field(default_factory=Layout, compare=False, repr=False)

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

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        """Network input from pixels (n, channels, height, width) in [0, 1] of any floating type, differentiably.

        The same as `normalise`, which works in place and on uint8; but that grey made of colour is not rounded here.
        """
        channels = len(self.preprocessing.mean)
        if channels == 1 and pixels.shape[1] == 3:
            luma = pixels.new_tensor(_LUMA).view(1, 3, 1, 1) / _LUMA_ONE
            pixels = (pixels * luma).sum(dim=1, keepdim=True)
        if pixels.shape[1] == 1 and channels > 1:
            pixels = pixels.expand(-1, channels, -1, -1)
        mean, std = pixels.new_tensor((self.preprocessing.mean, self.preprocessing.std)).view(2, -1, 1, 1)
        prepared: torch.Tensor = (self._resized(pixels) - mean) / std
        return prepared

    def batch(self, images: torch.Tensor, label: torch.Tensor, taps: Sequence[Tap] = ()) -> Batch:
        """One pass without gradients: the logits, and what goes into or comes out of some modules.

        A module that is called more than once shows its last call.

        Args:
            images: (n, height, width, channels) uint8, on the device.
            label: (n,) true classes.
            taps: what to keep of the pass.

        Raises:
            ValueError: at a tap there was no tensor with a row per sample.
        """
        seen: dict[Tap, torch.Tensor] = {}

        def keep(tap: Tap, values: object) -> None:
            first = next(iter(values), None) if isinstance(values, tuple | list) else values
            if isinstance(first, torch.Tensor) and first.ndim and len(first) == len(images):
                seen[tap] = first.detach()

        hooks = []
        for tap in taps:
            module = self.module.get_submodule(tap.module)
            if tap.side == "input":
                hooks.append(
                    module.register_forward_pre_hook(
                        lambda _, inputs, named, tap=tap: keep(tap, inputs or [*named.values()]), with_kwargs=True
                    )
                )
            else:
                hooks.append(module.register_forward_hook(lambda _, _inputs, output, tap=tap: keep(tap, output)))
        try:
            with torch.no_grad():
                logits = self(images)
        finally:
            for hook in hooks:
                hook.remove()
        if missing := [tap for tap in taps if tap not in seen]:
            place = f"the {missing[0].side} of module {missing[0].module!r}"
            raise ValueError(f"expected {place} to be a tensor with a row per sample, but it is not")
        return Batch(images, label, logits, seen)

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
        pixels = self.normalise(images)
        if self.layout.memory_format is torch.contiguous_format:
            return two_classes(self.module(channels_first(pixels)))
        try:
            return two_classes(self.module(pixels))
        except RuntimeError as error:
            if _REFUSAL not in str(error):
                raise
        self.layout.memory_format = torch.contiguous_format
        for weights in self.module.parameters():
            weights.data = channels_first(weights.data)
        return self(images)


def channels_first(pixels: torch.Tensor) -> torch.Tensor:
    """The same pixels in the usual order; of one channel too, whose strides `contiguous` would leave as they are."""
    return pixels.clone(memory_format=torch.contiguous_format)


# What a network says that flattens a map by `view` and gets it channels last.
_REFUSAL = "view size is not compatible"


def can_be_shown(n_channels: int, n_expected: int) -> bool:
    """Whether a network that expects so many channels can be shown images of `n_channels`, as `normalise` does it."""
    return n_channels in (1, n_expected) or (n_channels, n_expected) == (3, 1)


def grey(images: torch.Tensor) -> torch.Tensor:
    """Luma (n, height, width, 1) uint8 of colour images (n, height, width, 3) uint8, in the whole numbers of Pillow.

    A grey image that was stored in three equal channels comes back as it was.
    """
    channels = images.to(torch.int32).unbind(dim=3)
    red, green, blue = (channel * share for channel, share in zip(channels, _LUMA, strict=True))
    luma = (red + green + blue + _LUMA_ONE // 2) // _LUMA_ONE
    return luma.to(torch.uint8).unsqueeze(3)


def two_classes(logits: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Logits as `dtype`; a one-logit (sigmoid) head z becomes logits (0, z) of two classes, with the same softmax."""
    logits = logits.to(dtype)
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
