"""The AlexNet for 32 x 32 images of bearpaw/pytorch-classification, with its names."""

from torch import nn

from mi_audit.targets.architectures._containers import chain

_SMALLEST = 29


def build(n_classes: int, shape: tuple[int, int, int]) -> nn.Module:
    """An AlexNet with random weights; five convolutions and one fully connected layer.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images.

    Raises:
        ValueError: the images are so small that three poolings leave nothing.
    """
    if min(shape[:2]) < _SMALLEST:
        raise ValueError(f"expected images of at least {_SMALLEST} x {_SMALLEST} pixels, got {shape[0]} x {shape[1]}")
    features = nn.Sequential(
        nn.Conv2d(shape[2], 64, 11, stride=4, padding=5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    return chain(
        features=features,
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(256, n_classes),
    )
