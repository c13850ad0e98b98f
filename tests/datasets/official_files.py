"""Small files in the official format of every named data set; the MD5 that torchvision knows become theirs."""

import bz2
import csv
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from tests.conftest import write_idx

N = 6
RNG = np.random.default_rng(0)
Writer = Callable[[Path, pytest.MonkeyPatch], None]
WRITERS: dict[str, Writer] = {}


def writer(*names: str) -> Callable[[Writer], Writer]:
    def registered(function: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(names, function))
        return function

    return registered


def fake_md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(6, 5, 3)).save(file)


def text(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def classes_of_pictures(folder: Path, names: tuple[str, ...], suffix: str = ".jpg", start: str = "") -> None:
    """Three pictures in each of these classes."""
    for name in names:
        for number in range(3):
            picture(folder / name / f"{start}{number}{suffix}")


@writer("kmnist")
def kmnist(root: Path, _: pytest.MonkeyPatch) -> None:
    raw = root / "KMNIST/raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        write_idx(raw / f"{split}-images-idx3-ubyte", pixels(N, 28, 28))
        write_idx(raw / f"{split}-labels-idx1-ubyte", np.arange(N, dtype=np.uint8))


@writer(*(f"emnist-{kind}" for kind in datasets.EMNIST.splits))
def emnist(root: Path, _: pytest.MonkeyPatch) -> None:
    raw = root / "EMNIST/raw"
    raw.mkdir(parents=True)
    for kind in datasets.EMNIST.splits:
        for split in ("train", "test"):
            write_idx(raw / f"emnist-{kind}-{split}-images-idx3-ubyte", pixels(N, 28, 28))
            write_idx(raw / f"emnist-{kind}-{split}-labels-idx1-ubyte", np.arange(N, dtype=np.uint8) + 1)


@writer("qmnist")
def qmnist(root: Path, _: pytest.MonkeyPatch) -> None:
    raw = root / "QMNIST/raw"
    raw.mkdir(parents=True)
    for name in ("qmnist-train", "qmnist-test", "xnist"):
        write_idx(raw / f"{name}-images-idx3-ubyte", pixels(N, 28, 28))
        labels = np.stack([np.arange(N)] + [np.full(N, 99)] * 7, axis=1).astype(">i4")
        header = struct.pack(">HBB2I", 0, 12, 2, *labels.shape)
        (raw / f"{name}-labels-idx2-int").write_bytes(header + labels.tobytes())


@writer("svhn")
def svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {}
    for split, (url, file, _) in datasets.SVHN.split_list.items():
        savemat(root / file, {"X": pixels(32, 32, 3, N), "y": np.array([[10], [1], [2], [3], [4], [9]])})
        listed[split] = [url, file, fake_md5(root / file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)


@writer("stl10")
def stl10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "stl10_binary"
    folder.mkdir()
    for attribute in ("train_list", "test_list"):
        listed = []
        for file, _ in getattr(datasets.STL10, attribute):
            content = pixels(N, 3, 96, 96) if file.endswith("X.bin") else np.arange(1, N + 1, dtype=np.uint8)
            content.tofile(folder / file)
            listed.append([file, fake_md5(folder / file)])
        monkeypatch.setattr(datasets.STL10, attribute, listed)
    text(folder / "class_names.txt", [f"class {number}" for number in range(10)])


@writer("usps")
def usps(root: Path, _: pytest.MonkeyPatch) -> None:
    for file in ("usps.bz2", "usps.t.bz2"):
        values = RNG.uniform(-1, 1, (N, 256))
        lines = [
            f"{number + 1} " + " ".join(f"{at + 1}:{value:.4f}" for at, value in enumerate(row))
            for number, row in enumerate(values)
        ]
        (root / file).write_bytes(bz2.compress("\n".join(lines).encode()))


@writer("semeion")
def semeion(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.concatenate([RNG.integers(0, 2, (N, 256)), np.eye(10, dtype=np.int64)[:N]], axis=1)
    np.savetxt(root / "semeion.data", rows)
    monkeypatch.setattr(datasets.SEMEION, "md5_checksum", fake_md5(root / "semeion.data"))


@writer("fer2013")
def fer2013(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "fer2013").mkdir()
    file = root / "fer2013/fer2013.csv"
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["emotion", "pixels", "Usage"])
        for usage in ("Training", "PublicTest", "PrivateTest"):
            table.writerows([number, " ".join(map(str, pixels(48 * 48))), usage] for number in range(4))
    monkeypatch.setitem(datasets.FER2013._RESOURCES, "fer", ("fer2013.csv", fake_md5(file)))


@writer("food101")
def food101(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "test"):
        names = {dish: [f"{dish}/{split}{number}" for number in range(3)] for dish in ("soup", "cake")}
        for paths in names.values():
            for path in paths:
                picture(root / f"food-101/images/{path}.jpg")
        text(root / f"food-101/meta/{split}.json", [json.dumps(names)])


@writer("dtd")
def dtd(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "val", "test"):
        paths = [f"{name}/{name}_{split}_{number}.jpg" for name in ("banded", "dotted") for number in range(3)]
        text(root / f"dtd/dtd/labels/{split}1.txt", paths)
        for path in paths:
            picture(root / "dtd/dtd/images" / path)


@writer("fgvc-aircraft")
def fgvc_aircraft(root: Path, _: pytest.MonkeyPatch) -> None:
    folder = root / "fgvc-aircraft-2013b/data"
    text(folder / "variants.txt", ["707-320", "An-12 B"])
    for at, split in enumerate(("train", "val", "trainval", "test")):
        text(folder / f"images_variant_{split}.txt", [f"{at}00{n} {('707-320', 'An-12 B')[n % 2]}" for n in range(N)])
        for number in range(N):
            picture(folder / f"images/{at}00{number}.jpg")


@writer("flowers102")
def flowers102(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "flowers-102"
    for number in range(1, 3 * N + 1):
        picture(folder / f"jpg/image_{number:05d}.jpg")
    parts = {part: np.arange(1, N + 1) + at * N for at, part in enumerate(("trnid", "valid", "tstid"))}
    savemat(folder / "setid.mat", parts)
    savemat(folder / "imagelabels.mat", {"labels": np.arange(3 * N) % 102 + 1})
    files = datasets.Flowers102._file_dict
    for part in ("label", "setid"):
        monkeypatch.setitem(files, part, (files[part][0], fake_md5(folder / files[part][0])))


@writer("gtsrb")
def gtsrb(root: Path, _: pytest.MonkeyPatch) -> None:
    classes_of_pictures(root / "gtsrb/GTSRB/Training", ("00000", "00001"), ".ppm")
    lines = ["Filename;Width;Height;ClassId"]
    for number in range(N):
        picture(root / f"gtsrb/GTSRB/Final_Test/Images/{number:05d}.ppm")
        lines.append(f"{number:05d}.ppm;5;6;{number + 30}")
    text(root / "gtsrb/GT-final_test.csv", lines)


@writer("oxford-iiit-pet")
def oxford_iiit_pet(root: Path, _: pytest.MonkeyPatch) -> None:
    folder = root / "oxford-iiit-pet"
    for split in ("trainval", "test"):
        ids = [(f"{name}_{split}{number}", label) for label, name in ((1, "Bombay"), (2, "pug")) for number in range(3)]
        text(folder / f"annotations/{split}.txt", [f"{each.replace(split, split[0])} {n} {n} 1" for each, n in ids])
        for each, _label in ids:
            picture(folder / f"images/{each.replace(split, split[0])}.jpg")


@writer("stanford-cars")
def stanford_cars(root: Path, _: pytest.MonkeyPatch) -> None:
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    for split, file in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows = np.empty(N, [("class", object), ("fname", object)])
        for number in range(N):
            rows[number] = (number % 2 + 1, f"{number:05d}.jpg")
            picture(folder / f"cars_{split}/{number:05d}.jpg")
        savemat(folder / file, {"annotations": rows})
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(["Audi", "BMW"], object)})


@writer("country211")
def country211(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "valid", "test"):
        classes_of_pictures(root / "country211" / split, ("AD", "ZW"))


@writer("imagenette", "imagenette-160", "imagenette-320")
def imagenette(root: Path, _: pytest.MonkeyPatch) -> None:
    for folder in ("imagenette2", "imagenette2-160", "imagenette2-320"):
        for split in ("train", "val"):
            classes_of_pictures(root / folder / split, ("n01440764", "n02102040"), ".JPEG")


@writer("places365", "places365-small")
def places365(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = datasets.Places365
    text(root / "categories_places365.txt", ["/a/airfield 0", "/z/zoo 1"])
    trained = [f"/{name}/{number}.jpg {at}" for at, name in enumerate(("a/airfield", "z/zoo")) for number in range(3)]
    text(root / "places365_train_standard.txt", trained)
    text(root / "places365_val.txt", [f"Places365_val_{number}.jpg {number % 2}" for number in range(N)])
    for size in ("large", "256"):
        for line in trained:
            picture(root / f"data_{size}_standard{line.split()[0]}")
        for number in range(N):
            picture(root / f"val_{size}/Places365_val_{number}.jpg")
    monkeypatch.setattr(reader, "_CATEGORIES_META", (name := reader._CATEGORIES_META[0], fake_md5(root / name)))
    for split in ("train-standard", "val"):
        file = reader._FILE_LIST_META[split][0]
        monkeypatch.setitem(reader._FILE_LIST_META, split, (file, fake_md5(root / file)))


@writer("rendered-sst2")
def rendered_sst2(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "valid", "test"):
        classes_of_pictures(root / "rendered-sst2" / split, ("negative", "positive"), ".png")


@writer("clevr")
def clevr(root: Path, _: pytest.MonkeyPatch) -> None:
    folder = root / "clevr/CLEVR_v1.0"
    for split in ("train", "val"):
        scenes = [{"image_filename": f"{split}_{n}.png", "objects": [{}] * (n + 3)} for n in range(N)]
        text(folder / f"scenes/CLEVR_{split}_scenes.json", [json.dumps({"scenes": scenes})])
        for scene in scenes:
            picture(folder / f"images/{split}/{scene['image_filename']}")


@writer("eurosat")
def eurosat(root: Path, _: pytest.MonkeyPatch) -> None:
    classes_of_pictures(root / "eurosat/2750", ("Forest", "River"))


@writer("sun397")
def sun397(root: Path, _: pytest.MonkeyPatch) -> None:
    text(root / "SUN397/ClassName.txt", ["/a/abbey", "/b/bar/indoor"])
    for name in ("a/abbey", "b/bar/indoor"):
        classes_of_pictures(root / "SUN397", (name,), start="sun_")


@writer("caltech101")
def caltech101(root: Path, _: pytest.MonkeyPatch) -> None:
    classes_of_pictures(root / "caltech101/101_ObjectCategories", ("BACKGROUND_Google", "ant", "crab"))


@writer("caltech256")
def caltech256(root: Path, _: pytest.MonkeyPatch) -> None:
    classes_of_pictures(root / "caltech256/256_ObjectCategories", ("001.ak47", "257.clutter"))


@writer("imagenet")
def imagenet(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "val"):
        classes_of_pictures(root / "imagenet" / split, ("n01440764", "n02102040"), ".JPEG")


@writer("inaturalist")
def inaturalist(root: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("2021_train", "2021_train_mini", "2021_valid"):
        classes_of_pictures(root / split, ("00000_Animalia_x", "00001_Plantae_y"))


def write_official(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that holds the data set; the folder."""
    root.mkdir(parents=True, exist_ok=True)
    WRITERS[name](root, monkeypatch)
    return root


def readers_sample(reader: Any, index: int) -> tuple[np.ndarray, int]:
    """What torchvision itself gives for a sample: RGB or grey pixels, and the label."""
    image, label = reader[index]
    return np.asarray(image), int(label)
