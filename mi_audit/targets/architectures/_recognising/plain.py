"""Recognising networks without shortcuts: LeNets, AlexNet, VGG."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline

_VGG = {
    11: (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0),
    13: (64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0),
    16: (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0),
    19: (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0),
}
_LENETS = {
    # First and last convolution, layers by name with what they end in; -1 depends on the image or on the classes.
    "paper": {"conv1": (6, -1, 3, 3), "conv2": (16, 6, 3, 3), "fc1": (120, -1), "fc2": (84, 120), "fc3": (-1, 84)},
    "wide": {"conv1": (32, -1, 3, 3), "conv2": (64, 32, 3, 3), "linear1": (200, -1), "linear2": (-1, 200)},
    "classic": {"conv1": (6, -1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, -1), "fc2": (84, 120), "fc3": (-1, 84)},
    "example": {"conv1": (32, -1, 3, 3), "conv2": (64, 32, 3, 3), "fc1": (128, -1), "fc2": (-1, 128)},
    "example-2017": {"conv1": (10, -1, 5, 5), "conv2": (20, 10, 5, 5), "fc1": (50, -1), "fc2": (-1, 50)},
    "example-2018": {"conv1": (20, -1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, -1), "fc2": (-1, 500)},
}


def _lenet(name: str, variant: str, trained_as: str, title: str, own_size: tuple[int, int] = (28, 28)) -> Family:
    layers = _LENETS[variant]

    def read(outline: Outline) -> Iterable[Options]:
        if outline.fits({f"{layer}.weight": shape for layer, shape in layers.items()}):
            yield {}

    return Family(
        name=name,
        module="lenet",
        trained_as=trained_as,
        title=title,
        marks=tuple(f"{layer}.bias" for layer in layers),
        keys=rf"({'|'.join(layers)})\.{BOTH}",
        read=read,
        fixed={"variant": variant},
        listed={name: {}},
        own_size=own_size,
        depends_on_size=True,
    )


def _vgg_layers(outline: Outline) -> Options:
    """The convolutions and the poolings between them, which show as gaps in the numbers of the layers."""
    batch_norm = "features.1.running_mean" in outline.shapes
    found: list[int] = []
    expected, n_in = 0, outline.size("features.0.weight", 1)
    numbers = sorted({int(name.split(".")[1]) for name in outline.shapes if name.startswith("features.")})
    for number in numbers:
        shape = outline.shape(f"features.{number}.weight")
        if len(shape) == 1:
            continue
        n_pools = number - expected
        if n_pools not in (0, 1) or shape[1:] != (n_in, 3, 3):
            return {}
        found += [0] * n_pools + [shape[0]]
        n_in, expected = shape[0], number + (3 if batch_norm else 2)
    return {"layers": (*found, 0), "batch_norm": batch_norm}


def _vgg(outline: Outline) -> Iterable[Options]:
    found = _vgg_layers(outline)
    layers = found.get("layers")
    if not isinstance(layers, tuple):
        return
    width = layers[-2]
    if outline.fits({"classifier.weight": (-1, width)}):
        yield found
    hidden = outline.size("classifier.0.weight")
    for last, number in ((True, 6), (False, 5)):
        first = {"classifier.0.weight": (hidden, width), "classifier.3.weight": (hidden, hidden)}
        if hidden and outline.fits({**first, f"classifier.{number}.weight": (-1, hidden)}):
            yield {**found, "hidden": hidden, "last_dropout": last}


def _vggs(end: str, more: Options) -> dict[str, Options]:
    return {
        f"cifar_vgg{depth}{'_bn' if batch_norm else ''}{end}": {"layers": layers, "batch_norm": batch_norm, **more}
        for depth, layers in _VGG.items()
        for batch_norm in (True, False)
    }


def _vgg_family(name: str, trained_as: str, title: str, head: str, listed: dict[str, Options]) -> Family:
    return Family(
        name=name,
        module="vgg",
        trained_as=trained_as,
        title=title,
        marks=("features.0.bias", f"classifier.{head}weight"),
        keys=rf"features\.\d+\.{NORM}|classifier\.(\d\.)?{BOTH}",
        read=lambda outline: [one for one in _vgg(outline) if _is_of(one, name)],
        listed=listed,
    )


def _is_of(options: Options, name: str) -> bool:
    """Which heads belong to which family: 512 hidden units are chenyaofo's, others of three layers weiaicunzai's."""
    hidden = options.get("hidden", 0)
    return name == {0: "cifar_vgg", 512: "chenyaofo_vgg"}.get(int(str(hidden)), "cifar_vgg_4096")


_SMALL = {"hidden": 512, "last_dropout": True}
_LARGE = {"hidden": 4096, "last_dropout": True}

FAMILIES = (
    _lenet(
        "lenet",
        "paper",
        "lenet",
        "LeNet of the founding paper: conv 6 and 16, average pooling, fully connected 120 and 84",
    ),
    _lenet(
        "lenet_32_64_200",
        "wide",
        "lenet",
        "wider LeNet (advertorch): conv 32 and 64, maximum pooling, fully connected 200",
    ),
    _lenet(
        "lenet5",
        "classic",
        "lenet-5",
        "LeNet-5 (kuangliu, CIFAR tutorial of PyTorch): 5 x 5 conv 6 and 16, fully connected 120 and 84",
        (32, 32),
    ),
    _lenet(
        "lenet_32_64_128", "example", "mnist-example", "PyTorch's MNIST example: conv 32 and 64, fully connected 128"
    ),
    _lenet(
        "lenet_10_20_50",
        "example-2017",
        "mnist-example",
        "PyTorch's first MNIST example: conv 10 and 20, fully connected 50",
    ),
    _lenet(
        "lenet_20_50_500",
        "example-2018",
        "mnist-example",
        "PyTorch's MNIST example of 2018: conv 20 and 50, fully connected 500",
    ),
    Family(
        name="cifar_alexnet",
        module="alexnet",
        trained_as="bearpaw",
        title="AlexNet for 32 x 32 images (bearpaw)",
        marks=("features.0.weight", "features.10.bias", "classifier.weight"),
        keys=rf"features\.(0|3|6|8|10)\.{BOTH}|classifier\.{BOTH}",
        read=lambda outline: (
            [{}] if outline.fits({"features.0.weight": (64, -1, 11, 11), "classifier.weight": (-1, 256)}) else []
        ),
        listed={"cifar_alexnet": {}},
    ),
    _vgg_family("cifar_vgg", "bearpaw", "VGG, head of one layer (bearpaw, kuangliu)", "", _vggs("", {})),
    _vgg_family("chenyaofo_vgg", "chenyaofo", "VGG, 512 hidden units (chenyaofo)", "3.", _vggs("_512", _SMALL)),
    _vgg_family(
        "cifar_vgg_4096",
        "huyvnphan",
        "VGG, 4096 hidden units (weiaicunzai, huyvnphan)",
        "3.",
        {
            **_vggs("_4096", _LARGE),
            "cifar_vgg16_bn_4096_5": {**_vggs("", _LARGE)["cifar_vgg16_bn"], "last_dropout": False},
        },
    ),
)
