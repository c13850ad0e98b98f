"""Data sets with a name, in the layout that torchvision reads."""

from dataclasses import dataclass

from mi_audit.datasets._torchvision import open_named
from mi_audit.datasets.interface import (
    LISTS,
    DataRequest,
    DatasetSource,
    MembershipData,
    refuse_location,
    refuse_options,
)

# Name and meaning of each; where its files lie and how they are opened stands in `_official_layouts`.
# The splits with numbers are members and non-members unless --split says otherwise; what follows is there too.
NAMES = {
    "caltech101": "101 kinds of objects, 8,677 photos; needs a list",
    "caltech256": "257 kinds of objects, 30,607 photos; needs a list",
    "cifar10": "32x32 colour photos of 10 classes: 50,000 train, 10,000 test",
    "cifar100": "32x32 colour photos of 100 classes: 50,000 train, 10,000 test",
    "clevr": "rendered objects to be counted: 70,000 train, 15,000 val",
    "country211": "photos of 211 countries: 31,650 train, 21,100 test; valid",
    "dtd": "47 textures, first partition: 1,880 train, 1,880 test; val",
    "emnist-balanced": "28x28 letters and digits, 47 kinds: 112,800 train, 18,800 test",
    "emnist-byclass": "28x28 letters and digits, 62 kinds: 697,932 train, 116,323 test",
    "emnist-bymerge": "28x28 letters and digits, 47 kinds: 697,932 train, 116,323 test",
    "emnist-digits": "28x28 grey digits: 240,000 train, 40,000 test",
    "emnist-letters": "28x28 grey letters, labels 1 to 26: 124,800 train, 20,800 test",
    "emnist-mnist": "28x28 grey digits: 60,000 train, 10,000 test",
    "eurosat": "64x64 satellite images, 10 land uses, 27,000; needs a list",
    "fashion-mnist": "28x28 grey clothes of 10 kinds: 60,000 train, 10,000 test",
    "fer2013": "48x48 grey faces, 7 moods: 28,709 train, 7,178 test",
    "fgvc-aircraft": "100 aircraft: 3,334 train, 3,333 test; val, trainval",
    "flowers102": "102 flowers: 1,020 train, 6,149 test; val",
    "food101": "101 dishes: 75,750 train, 25,250 test",
    "gtsrb": "43 German traffic signs: 26,640 train, 12,630 test",
    "imagenet": "photos of 1,000 classes: 1,281,167 train, 50,000 val",
    "imagenette": "10 classes of ImageNet: 9,469 train, 3,925 val",
    "imagenette-160": "10 classes of ImageNet, shorter side 160 pixels",
    "imagenette-320": "10 classes of ImageNet, shorter side 320 pixels",
    "inaturalist": "10,000 species: 2,686,843 train, 100,000 valid; train-mini",
    "kmnist": "28x28 grey cursive kana, 10 classes: 60,000 train, 10,000 test",
    "mnist": "28x28 grey handwritten digits: 60,000 train, 10,000 test",
    "oxford-iiit-pet": "37 breeds of cats and dogs: 3,680 trainval, 3,669 test",
    "places365": "365 scenes: 1,803,460 train-standard, 36,500 val",
    "places365-small": "365 scenes, the same images at 256x256",
    "qmnist": "28x28 digits: 60,000 train, 60,000 test; test10k, test50k, nist",
    "rendered-sst2": "rendered sentences, 2 sentiments: 6,920 train, 1,821 test; val",
    "semeion": "16x16 handwritten digits, 1,593; needs a list",
    "stanford-cars": "196 cars: 8,144 train, 8,041 test",
    "stl10": "96x96 colour photos of 10 classes: 5,000 train, 8,000 test",
    "sun397": "397 scenes, 108,754 photos; needs a list",
    "svhn": "32x32 colour house numbers: 73,257 train, 26,032 test; extra",
    "usps": "16x16 grey digits: 7,291 train, 2,007 test",
}


@dataclass(frozen=True)
class Official(DatasetSource):
    """A data set that lies in ``--data-dir`` under the names its makers gave, or is fetched with ``--download``.

    Members are the training split and non-members the test split, unless ``--split`` or a list says otherwise. Where
    the test split comes without labels it is the validation split. Ids are ``<official split>/<index>``, or for image
    files ``<official split>/<path below the folder of the split>``.

    Attributes:
        name: one of `NAMES`.
    """

    name: str

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """The samples; arrays are read now, image files when they are used.

        Raises:
            DataSetError: files are missing or damaged, or could not be downloaded; it names them. A list does not fit.
            UsageError: a location was given, an unknown split, or nothing says who is a member.
        """
        refuse_location(location, self.name)
        refuse_options(request, self.name, "split", *LISTS)
        return open_named(self.name, request)
