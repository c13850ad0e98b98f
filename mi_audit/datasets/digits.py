"""8x8 digits inside scikit-learn; members are a fixed half."""

import hashlib
from dataclasses import dataclass

import numpy as np

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets._pool import divided, is_listed
from mi_audit.datasets.interface import (
    LISTS,
    DataRequest,
    DatasetSource,
    Int64Array,
    MembershipData,
    Side,
    UInt8Array,
    names_of_classes,
    refuse_location,
    refuse_options,
)


@dataclass(frozen=True)
class Digits(DatasetSource):
    """The 1,797 digits of scikit-learn (the test part of UCI's "Optical Recognition of Handwritten Digits").

    Members are the first half (898) of a fixed permutation, the same on which ``mi-audit demo`` trains; non-members the
    other 899. Ids are ``members/<index>`` and ``non-members/<index>`` with the position in scikit-learn's arrays.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """The digits, (8, 8, 1) uint8; their values 0 to 16 are scaled to 0 to 255. Lists count scikit-learn's arrays.

        Raises:
            DataSetError: a list does not fit.
            UsageError: a location was given, or a split.
        """
        refuse_location(location, "digits")
        refuse_options(request, "digits", *LISTS)
        from sklearn.datasets import load_digits

        values, label = load_digits(return_X_y=True)
        pixels = np.rint(values.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        if is_listed(request):
            pool = Side(ArrayImages(pixels), label.astype(np.int64), [str(index) for index in range(len(label))])
            members, non_members, notes = divided(pool, request, "digits", is_official=False)
            return MembershipData("digits", members, non_members, names_of_classes(10), notes)
        order = fixed_permutation(len(label))
        half = len(order) // 2
        return MembershipData(
            name="digits",
            members=_side("members", order[:half], pixels, label),
            non_members=_side("non-members", order[half:], pixels, label),
            class_names=names_of_classes(10),
        )


def fixed_permutation(n: int) -> Int64Array:
    """The numbers 0 to n - 1 by their SHA-256, (n,): the same with every release of numpy, unlike its generators."""
    return np.array(sorted(range(n), key=lambda index: hashlib.sha256(f"digits/{index}".encode()).digest()), np.int64)


def _side(name: str, rows: Int64Array, pixels: UInt8Array, label: Int64Array) -> Side:
    ids = [f"{name}/{row}" for row in rows.tolist()]
    return Side(ArrayImages(pixels[rows]), label[rows].astype(np.int64), ids)
