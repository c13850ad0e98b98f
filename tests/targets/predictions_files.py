"""Files of predictions, written by other means than those that read them."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mi_audit import plugins
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.targets.interface import TargetRequest


def logits(n: int = 12, n_classes: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (n, n_classes)).astype(np.float32)


def softmax(z: np.ndarray) -> np.ndarray:
    exponentials = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def content(n: int = 12, n_classes: int = 3, **changes: Any) -> dict[str, Any]:
    """The arrays of a file of predictions; a change to ``None`` leaves one out."""
    arrays = {
        "logits": logits(n, n_classes),
        "label": np.arange(n) % n_classes,
        "is_member": np.arange(n) < n // 2,
        "sample_id": np.array([f"train/{i}" if i < n // 2 else f"test/{i}" for i in range(n)]),
    }
    return {name: values for name, values in {**arrays, **changes}.items() if values is not None}


def rows(arrays: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a text file: matrices are one column per class."""
    columns: dict[str, list[str]] = {}
    for name, values in arrays.items():
        if values.ndim == 2:
            columns |= {
                f"{name}_{number}": [repr(float(v)) for v in values[:, number]] for number in range(len(values.T))
            }
        else:
            columns[name] = [str(value) for value in values.tolist()]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def write_csv(path: Path, arrays: Mapping[str, Any], **dialect: Any) -> Path:
    header, lines = rows(arrays)
    with path.open("w", newline="", encoding=dialect.pop("encoding", "utf-8")) as file:
        csv.writer(file, **dialect).writerows([header, *lines])
    return path


def opened(path: Path) -> FeatureCache:
    cache = plugins.load("targets", "predictions").open(str(path), TargetRequest(n_classes=0, shape=None))
    assert isinstance(cache, FeatureCache)
    return cache


def assert_same(one: FeatureCache, other: FeatureCache) -> None:
    assert one.class_names == other.class_names
    assert one.outputs_kind == other.outputs_kind
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, other.arrays()[name], err_msg=name)
