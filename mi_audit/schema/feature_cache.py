"""The feature cache: what an adversary observes of one target model on one data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from mi_audit.schema import _json
from mi_audit.schema.arrays import Array, all_finite, checked
from mi_audit.schema.finding import Finding

# Names of features that are evidence for controls, and that attacks never see, begin with this.
EVIDENCE = "evidence:"

OutputsKind = Literal["logits", "probabilities", "labels"]


@dataclass(frozen=True)
class FeatureCache:
    """One target x one data set, a row per sample.

    Attributes:
        outputs: (n_samples, n_classes) float32, logits; for a black box its probabilities as given; (n_samples, 0) for
            labels.
        outputs_kind: what `outputs` are.
        is_member: (n_samples,) bool.
        is_audited: (n_samples,) bool, false for samples that left the audit (exact duplicates across the two sides).
        label, predicted: (n_samples,) int64, the true class and the target's class.
        sample_id: (n_samples,) strings, stable and unique: ``"train/123"``.
        class_names: n_classes strings.
        features: {name: (n_samples, n_columns) float32}, NaN where extraction failed.
        columns: {name of a feature: names of its columns}.
        provenance: what made it: target, preprocessing, data set, options, versions, key.
        findings: doubts raised while extracting.
        group: (n_samples,) strings, what the samples of one group (one person, many images) share; ``None`` where
            nobody says, and every sample stands for itself.

    Raises:
        ValueError: shapes, types or ranges that make no cache; outputs that are not finite; ids that are not unique;
            a group with members and non-members.
    """

    kind: ClassVar[str] = "features"

    outputs: Array
    outputs_kind: OutputsKind
    is_member: Array
    is_audited: Array
    label: Array
    predicted: Array
    sample_id: Array
    class_names: tuple[str, ...]
    provenance: dict[str, Any]
    features: dict[str, Array] = field(default_factory=dict)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    group: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.is_member)
        if self.outputs_kind not in get_args(OutputsKind):
            raise ValueError(f"expected outputs_kind to be one of {get_args(OutputsKind)}, got {self.outputs_kind!r}")
        n_columns = 0 if self.outputs_kind == "labels" else self.n_classes
        self._check("outputs", (n, n_columns), np.float32)
        self._check("is_member", (n,), np.bool_)
        self._check("is_audited", (n,), np.bool_)
        self._check("label", (n,), np.int64)
        self._check("predicted", (n,), np.int64)
        self._check("sample_id", (n,), np.str_)
        if self.group is not None:
            self._check("group", (n,), np.str_)
            self._check_groups(self.group)
        self._check_classes("label")
        self._check_classes("predicted")
        self._check_features(n)
        self._check_provenance()
        if len(set(self.sample_id.tolist())) != n:
            raise ValueError("expected every sample_id to be unique, got duplicates")
        if not all_finite(self.outputs):
            raise ValueError("expected finite outputs, got NaN or infinity")

    @property
    def n_classes(self) -> int:
        """How many classes the target tells apart."""
        return len(self.class_names)

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the features that an attack may look at, sorted: all but the evidence for controls."""
        return tuple(sorted(name for name in self.features if not name.startswith(EVIDENCE)))

    def is_seen(self, names: Sequence[str]) -> Array:
        """(n_samples,) bool: of which samples an attack on these things sees anything.

        What a feature of several columns computes for a subsample only is missing in all of them for the rest, and an
        attack on nothing else says nothing about these. Looked at beside other things it is one missing value of many.
        """
        values = self.features.get(names[0]) if len(names) == 1 else None
        if values is None or values.shape[1] == 1:
            return np.ones(len(self.is_member), np.bool_)
        return np.asarray(np.isfinite(values).any(axis=1))

    @property
    def is_correct(self) -> Array:
        """(n_samples,) bool: whether the target is right."""
        return np.asarray(self.label == self.predicted)

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values."""
        return {
            "outputs_kind": self.outputs_kind,
            "class_names": list(self.class_names),
            "columns": _json.encode(self.columns),
            "provenance": self.provenance,
            "findings": _json.encode(self.findings),
        }

    def arrays(self) -> dict[str, Array]:
        """The arrays by name; features as ``features/<name>``."""
        names = ("outputs", "is_member", "is_audited", "label", "predicted", "sample_id")
        own = {name: getattr(self, name) for name in names}
        own |= {} if self.group is None else {"group": self.group}
        return own | {f"features/{name}": values for name, values in self.features.items()}

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The cache that these parts make."""
        own = {name: values for name, values in arrays.items() if not name.startswith("features/")}
        features = {name.removeprefix("features/"): values for name, values in arrays.items() if name not in own}
        return cls(
            outputs_kind=header["outputs_kind"],
            class_names=_json.decode(tuple[str, ...], header["class_names"], "class_names"),
            columns=_json.decode(dict[str, tuple[str, ...]], header["columns"], "columns"),
            provenance=_json.decode(dict[str, Any], header["provenance"], "provenance"),
            findings=_json.decode(tuple[Finding, ...], header["findings"], "findings"),
            features=features,
            **own,
        )

    def _check(self, name: str, shape: tuple[int | None, ...], scalar: type[np.generic]) -> None:
        """Narrower types are refused too: arithmetic with labels of 8 bits would wrap around."""
        array = checked(name, getattr(self, name), shape, np.dtype(scalar).kind)
        if array.dtype.type is not scalar:
            raise ValueError(f"expected {name} of {np.dtype(scalar)}, got {array.dtype}")
        object.__setattr__(self, name, array)

    def _check_groups(self, group: Array) -> None:
        shared = set(group[self.is_member].tolist()) & set(group[~self.is_member].tolist())
        if shared:
            raise ValueError(f"expected every group on one side, got {min(shared)!r} among members and non-members")

    def _check_provenance(self) -> None:
        """The parts that later stages look into; the rest is free."""
        parts = ("target", "dataset")
        unfit = [part for part in parts if not isinstance(self.provenance.get(part, {}), Mapping)]
        if unfit:
            raise ValueError(f"expected an object for the {unfit[0]} in the provenance, got something else")

    def _check_classes(self, name: str) -> None:
        classes = getattr(self, name)
        if len(classes) and not (classes.min() >= 0 and classes.max() < self.n_classes):
            raise ValueError(f"expected {name} from 0 to {self.n_classes - 1}, got {classes.min()} to {classes.max()}")

    def _check_features(self, n: int) -> None:
        if set(self.features) != set(self.columns):
            raise ValueError(f"expected columns for {sorted(self.features)}, got {sorted(self.columns)}")
        views = {
            name: checked(f"features/{name}", values, (n, len(self.columns[name])), "f")
            for name, values in self.features.items()
        }
        object.__setattr__(self, "features", views)
