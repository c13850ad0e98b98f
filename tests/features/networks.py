"""Small targets of every kind of layer, and the plain float64 gradient of one sample to compare with."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit.target_model import Batch, Preprocessing, TargetModel

N_CLASSES = 5
SHAPE = (8, 8, 3)


def target_of(module: nn.Module, channels: int = 3, n_classes: int = N_CLASSES) -> TargetModel:
    """A target with random normalisation statistics, in eval mode."""
    generator = torch.Generator().manual_seed(1)
    for each in module.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.running_mean is not None:
            each.running_mean.copy_(torch.randn(each.running_mean.shape, generator=generator) * 0.3)
            each.running_var.copy_(torch.rand(each.running_var.shape, generator=generator) + 0.5)
    preprocessing = Preprocessing((0.4, 0.5, 0.6)[:channels], (0.2, 0.3, 0.25)[:channels])
    return TargetModel(module.eval(), preprocessing, n_classes, "small", "", "")


def batch_of(target: TargetModel, n: int = 4, shape: tuple[int, int, int] = SHAPE) -> Batch:
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=generator)
    label = torch.randint(0, target.n_classes, (n,), generator=generator)
    return target.batch(images, label)


def seven(values: np.ndarray) -> np.ndarray:
    """The statistics by numpy and scipy."""
    sizes = np.abs(values)
    plain = [sizes.sum(), np.sqrt((values**2).sum()), sizes.min(), sizes.max(), values.mean()]
    return np.array([*plain, stats.skew(values), stats.kurtosis(values)])


def plain(target: TargetModel, batch: Batch, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Seven statistics of one sample's gradient by all trainable parameters and by its pixels, float64."""
    module = copy.deepcopy(target.module).eval().double()
    preprocessing = target.preprocessing
    pixels = (batch.images[row : row + 1].double() / 255).permute(0, 3, 1, 2).requires_grad_()
    mean, std = (
        torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in (preprocessing.mean, preprocessing.std)
    )
    logits = module((pixels - mean) / std)
    if logits.shape[-1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    parameters = [each for each in module.parameters() if each.requires_grad]
    loss = F.cross_entropy(logits, batch.label[row : row + 1])
    found = torch.autograd.grad(loss, [pixels, *parameters], allow_unused=True)
    flat = [torch.zeros_like(p) if g is None else g for g, p in zip(found, [pixels, *parameters], strict=True)]
    weights = torch.cat([each.flatten() for each in flat[1:]])
    return seven(weights.numpy()), seven(flat[0].flatten().numpy())


class TwoPaths(nn.Module):
    """A module that is called twice, at different sizes of its map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.shared, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, N_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.shared(self.stem(x).relu())
        x = self.shared(F.avg_pool2d(x.tanh(), 2))
        return self.head(x.relu().mean((2, 3)))


class Tied(nn.Module):
    """Two layers with one weight, and a third that uses it transposed and without a module."""

    def __init__(self, *, transposed: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * 64, 12), nn.Linear(12, 12)
        self.third, self.head = nn.Linear(12, 12), nn.Linear(12, N_CLASSES)
        self.third.weight = self.second.weight
        self.transposed = transposed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.third(self.second(self.first(x.flatten(1)).tanh()).tanh())
        if self.transposed:
            x = F.linear(x.tanh(), self.second.weight.T)
        return self.head(x)


class Tokens(nn.Module):
    """Patches, a class token, positions, attention, layer scale: a transformer in small."""

    def __init__(self, attention: nn.Module | None = None, *, is_scaled: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8) * 0.1)
        self.positions = nn.Parameter(torch.randn(1, 5, 8) * 0.1)
        self.attention = attention or nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.scale = nn.LayerNorm(8), nn.Parameter(torch.full((8,), 0.5)) if is_scaled else 2.0
        self.up, self.head = nn.Linear(8, 16), nn.Linear(16, N_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.positions
        y = self.norm(x)
        if self.attention.batch_first:
            x = x + self.attention(y, y, y, need_weights=False)[0] * self.scale
        else:
            y = y.transpose(0, 1)
            x = x + self.attention(y, y, y)[0].transpose(0, 1)
        return self.head(self.up(x)[:, 0].tanh())


class TokensFirst(nn.Module):
    """Rows that are not those of samples: tokens first, samples second."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mixed, self.head = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 8), nn.Linear(8, N_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).permute(2, 0, 1)
        return self.head(self.mixed(x).tanh().mean(0))


class Windows(nn.Module):
    """Several rows of each sample: four windows of an image, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.norm, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(4, N_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = len(x)
        x = x.reshape(n, 3, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(n * 4, 3, 4, 4)
        x = self.norm(self.inside(x)).relu().mean((2, 3))
        return self.head(x.reshape(n, 4, 4).mean(1))


class InPlace(nn.Module):
    """Activations, an addition and a scale that write over what they got."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)
        self.act, self.gain, self.head = nn.ReLU(inplace=True), Gain(), nn.Linear(4, N_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.one(x)))
        y = self.two(x)
        y += x
        y = self.gain(self.act(y))
        return self.head(y.mul_(0.5).mean((2, 3)))


class Gain(nn.Module):
    """A layer without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([0.5, 2.0, -1.0, 1.5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor.view(1, -1, 1, 1)


class Unused(nn.Module):
    """Of its parameters one layer takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(3 * 64, N_CLASSES), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x.flatten(1))


class Sized(nn.Module):
    """A weight that is computed, a parameter that depends on no image, and outputs in a mapping inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.maker, self.head = Named(), nn.Linear(2, 6), nn.Linear(6, N_CLASSES)
        self.register_buffer("where", torch.tensor([0.3, -0.7]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head((self.inner(x)["hidden"] + self.maker(self.where)).tanh())


class Named(nn.Module):
    """A layer with a weight of its own and children, and an output that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.norm = nn.Parameter(torch.randn(6, 3) * 0.3), nn.GroupNorm(3, 6)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor | int]:
        return {"size": 6, "hidden": self.norm(F.linear(x.mean((2, 3)), self.weight))}


def _convolutional(*layers: nn.Module, width: int) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, N_CLASSES))


def _timm(layer: str, **options: object) -> nn.Module:
    import timm.layers as layers

    module = getattr(layers, layer)(6, **options)
    for each in module.parameters():
        each.data = torch.randn_like(each)
    return _convolutional(nn.Conv2d(3, 6, 3), module, width=6)


WITH_RULES: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 9), nn.Tanh(), nn.Linear(9, N_CLASSES)),
    "convolution": lambda: _convolutional(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3), width=6),
    "stride and dilation": lambda: _convolutional(
        nn.Conv2d(3, 4, 3, stride=2, padding=2, dilation=2), nn.ReLU(), nn.Conv2d(4, 6, (1, 2)), width=6
    ),
    "grouped": lambda: _convolutional(nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Conv2d(6, 4, 3, groups=2), width=4),
    "depthwise": lambda: _convolutional(nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), width=6),
    "batch norm": lambda: _convolutional(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), width=4),
    "batch norm of vectors": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 64, 7), nn.BatchNorm1d(7), nn.Linear(7, N_CLASSES)
    ),
    "group norm": lambda: _convolutional(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), width=6),
    "layer norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 64, 7), nn.LayerNorm(7), nn.Tanh(), nn.Linear(7, N_CLASSES)
    ),
    "layer norm of maps": lambda: _convolutional(nn.Conv2d(3, 4, 3), nn.LayerNorm([4, 6, 6]), nn.ReLU(), width=4),
    "timm norm and act": lambda: _timm("BatchNormAct2d"),
    "timm group norm and act": lambda: _timm("GroupNormAct", num_groups=2),
    "timm layer norm 2d": lambda: _timm("LayerNorm2d"),
    "timm layer norm 2d and act": lambda: _timm("LayerNormAct2d"),
    "timm layer scale": lambda: _timm("LayerScale2d"),
    "twice": TwoPaths,
    "tied": lambda: Tied(transposed=False),
    "windows": Windows,
    "attention": lambda: Tokens(is_scaled=False),
    "attention, tokens first": lambda: Tokens(nn.MultiheadAttention(8, 4, bias=False), is_scaled=False),
    "unused": Unused,
    "one logit": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4), nn.Tanh(), nn.Linear(4, 1)),
}
WITHOUT_RULES: dict[str, Callable[[], nn.Module]] = {
    "prelu": lambda: _convolutional(nn.Conv2d(3, 4, 3), nn.PReLU(4), width=4),
    "instance norm": lambda: _convolutional(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.ReLU(), width=4),
    "transposed convolution": lambda: _convolutional(nn.ConvTranspose2d(3, 4, 2), nn.ReLU(), width=4),
    "reflecting": lambda: _convolutional(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), width=4),
    "weight norm": lambda: _convolutional(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU(), width=4
    ),
    "tied and transposed": lambda: Tied(transposed=True),
    "tokens": Tokens,
    "attention with extra keys": lambda: Tokens(nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True)),
    "tokens first": TokensFirst,
    "in place": InPlace,
    "sized": Sized,
}
