"""Where the files of named data sets lie, and which reader of torchvision opens each split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Split:
    """One official split.

    Attributes:
        arguments: of torchvision's reader.
        folder: of the image files, below the data folder; ids are paths from there. Empty for arrays.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True)
class Layout:
    """How a data set is opened.

    Attributes:
        reader: class in ``torchvision.datasets``; ``None`` for folders of classes, which are walked here.
        splits: by official name, those with labels only.
        default: members and non-members; ``None`` without an official split.
        samples: attribute with pairs of file and label, or else the one with the images or files...
        labels: ...and the one with their labels.
        folder: of all its files, below the data folder.
        files: that have to be there, below the data folder; a reader that knows its own names the rest.
        n_classes: where the reader has no names for them.
        leave_out: folders that are no class.
    """

    reader: str | None
    splits: Mapping[str, Split]
    default: tuple[str, str] | None = ("train", "test")
    samples: str = ""
    images: str = "_image_files"
    labels: str = "_labels"
    folder: str = ""
    files: tuple[str, ...] = ()
    n_classes: int | None = None
    leave_out: tuple[str, ...] = ()


def _by_flag(**arguments: Any) -> dict[str, Split]:
    return {"train": Split({"train": True, **arguments}), "test": Split({"train": False, **arguments})}


def _by_word(*names: str, folder: str = "", word: str = "split", **arguments: Any) -> dict[str, Split]:
    """Splits named as the reader's argument; ``{}`` in `folder` is the name."""
    return {name: Split({word: name, **arguments}, folder.format(name)) for name in names}


def _arrays(reader: str, splits: Mapping[str, Split], labels: str = "targets", **more: Any) -> Layout:
    return Layout(reader, splits, images="data", labels=labels, **more)


def _emnist(split: str) -> Layout:
    return _arrays("EMNIST", _by_flag(split=split), folder="EMNIST/raw")


def _imagenette(folder: str, size: str) -> Layout:
    splits = _by_word("train", "val", folder=f"{folder}/{{}}", size=size)
    return Layout("Imagenette", splits, ("train", "val"), samples="_samples", folder=folder)


def _places(size: str, *, small: bool) -> Layout:
    splits = {
        f"train-{kind}": Split({"split": f"train-{kind}", "small": small}, f"data_{size}_{kind}")
        for kind in ("standard", "challenge")
    }
    splits["val"] = Split({"split": "val", "small": small}, f"val_{size}")
    files = ("categories_places365.txt", "places365_train_standard.txt", "places365_val.txt")
    return Layout("Places365", splits, ("train-standard", "val"), samples="imgs", files=files)


def _one_pool(folder: str, leave_out: tuple[str, ...] = ()) -> Layout:
    return Layout(None, {"all": Split(folder=folder)}, None, folder=folder, leave_out=leave_out)


LAYOUTS = {
    "caltech101": _one_pool("caltech101/101_ObjectCategories", ("BACKGROUND_Google",)),
    "caltech256": _one_pool("caltech256/256_ObjectCategories"),
    "cifar10": _arrays("CIFAR10", _by_flag(), folder="cifar-10-batches-py"),
    "cifar100": _arrays("CIFAR100", _by_flag(), folder="cifar-100-python"),
    "clevr": Layout(
        "CLEVRClassification",
        _by_word("train", "val", folder="clevr/CLEVR_v1.0/images/{}"),
        ("train", "val"),
        folder="clevr/CLEVR_v1.0",
        n_classes=11,
    ),
    "country211": Layout(
        "Country211",
        _by_word("train", "valid", "test", folder="country211/{}"),
        samples="samples",
        folder="country211",
    ),
    "dtd": Layout("DTD", _by_word("train", "val", "test", folder="dtd/dtd/images"), folder="dtd/dtd"),
    **{f"emnist-{each}": _emnist(each) for each in ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")},
    "eurosat": Layout("EuroSAT", {"all": Split(folder="eurosat/2750")}, None, samples="samples", folder="eurosat/2750"),
    "fashion-mnist": _arrays("FashionMNIST", _by_flag(), folder="FashionMNIST/raw"),
    "fer2013": Layout("FER2013", _by_word("train", "test"), samples="_samples", folder="fer2013", n_classes=7),
    "fgvc-aircraft": Layout(
        "FGVCAircraft",
        _by_word("train", "val", "trainval", "test", folder="fgvc-aircraft-2013b/data/images"),
        folder="fgvc-aircraft-2013b",
    ),
    "flowers102": Layout(
        "Flowers102",
        _by_word("train", "val", "test", folder="flowers-102/jpg"),
        folder="flowers-102",
        files=("flowers-102/jpg", "flowers-102/setid.mat", "flowers-102/imagelabels.mat"),
    ),
    "food101": Layout("Food101", _by_word("train", "test", folder="food-101/images"), folder="food-101"),
    "gtsrb": Layout(
        "GTSRB",
        {
            "train": Split({"split": "train"}, "gtsrb/GTSRB/Training"),
            "test": Split({"split": "test"}, "gtsrb/GTSRB/Final_Test/Images"),
        },
        samples="_samples",
        folder="gtsrb",
        n_classes=43,
    ),
    "imagenet": Layout(
        None,
        {"train": Split(folder="imagenet/train"), "val": Split(folder="imagenet/val")},
        ("train", "val"),
        folder="imagenet",
    ),
    "imagenette": _imagenette("imagenette2", "full"),
    "imagenette-160": _imagenette("imagenette2-160", "160px"),
    "imagenette-320": _imagenette("imagenette2-320", "320px"),
    "inaturalist": Layout(
        None,
        {name: Split(folder=f"2021_{name.replace('-', '_')}") for name in ("train", "train-mini", "valid")},
        ("train", "valid"),
    ),
    "kmnist": _arrays("KMNIST", _by_flag(), folder="KMNIST/raw"),
    "mnist": _arrays("MNIST", _by_flag(), folder="MNIST/raw"),
    "oxford-iiit-pet": Layout(
        "OxfordIIITPet",
        _by_word("trainval", "test", folder="oxford-iiit-pet/images"),
        ("trainval", "test"),
        images="_images",
        folder="oxford-iiit-pet",
    ),
    "places365": _places("large", small=False),
    "places365-small": _places("256", small=True),
    "qmnist": _arrays(
        "QMNIST", _by_word("train", "test", "test10k", "test50k", "nist", word="what"), folder="QMNIST/raw"
    ),
    "rendered-sst2": Layout(
        "RenderedSST2",
        {
            name: Split({"split": name}, f"rendered-sst2/{'valid' if name == 'val' else name}")
            for name in ("train", "val", "test")
        },
        samples="_samples",
        folder="rendered-sst2",
    ),
    "semeion": _arrays("SEMEION", {"all": Split()}, "labels", default=None, n_classes=10),
    "stanford-cars": Layout(
        "StanfordCars",
        {name: Split({"split": name}, f"stanford_cars/cars_{name}") for name in ("train", "test")},
        samples="_samples",
        folder="stanford_cars",
    ),
    "stl10": _arrays("STL10", _by_word("train", "test"), "labels", folder="stl10_binary"),
    "sun397": Layout("SUN397", {"all": Split(folder="SUN397")}, None, folder="SUN397"),
    "svhn": _arrays("SVHN", _by_word("train", "test", "extra"), "labels", n_classes=10),
    "usps": _arrays("USPS", _by_flag(), n_classes=10),
}
