"""From the specs that a user types to an opened data set and an opened target model."""

from pathlib import Path

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import DataSetError, UsageError
from mi_audit.target_model import TargetModel
from mi_audit.targets.interface import TargetRequest


def open_data(spec: str, request: DataRequest) -> MembershipData:
    """The data set that ``--data`` names: ``NAME``, ``NAME:PATH``, or the path of a file or a folder."""
    name, location = _split_data_spec(spec)
    source = plugins.load("datasets", name)
    data: MembershipData = source.open(location, request)
    return data


def open_target(spec: str, request: TargetRequest) -> TargetModel:
    """The target model that ``--model`` names, which tells as many classes apart as the data has.

    Raises:
        CheckpointError: it cannot be opened, or does not fit the data.
        DataSetError: it tells other classes apart.
        UsageError: as for `opened`.
    """
    target = opened(spec, request)
    if target.n_classes != request.n_classes:
        raise DataSetError(
            f"{spec}: the target tells {target.n_classes} classes apart, the data has {request.n_classes}",
            tip="give the --data that this model was trained on",
        )
    return target


def opened(spec: str, request: TargetRequest) -> TargetModel:
    """The target model that ``--model`` names: ``SOURCE:NAME`` or the path of a checkpoint.

    Raises:
        UsageError: an unknown name, or predictions, which are no model.
    """
    prefix, colon, rest = spec.partition(":")
    if colon and prefix in plugins.names("targets"):
        if not rest:
            raise UsageError(f"expected a name after {spec!r}", tip="`mi-audit list models` names what there is")
        target: TargetModel = plugins.load("targets", prefix).open(rest, request)
    elif colon and prefix.isalpha() and len(prefix) > 1 and not Path(spec).exists():
        tip = plugins.did_you_mean(prefix, [name for name in plugins.names("targets") if name != "file"])
        raise UsageError(f"unknown source of models {prefix!r} in --model {spec}", tip=tip)
    else:
        target = plugins.load("targets", "file").open(spec, request)
    if not isinstance(target, TargetModel):
        raise UsageError(f"{spec} is no model", tip="predictions can be audited by extract and evaluate")
    return target


def _split_data_spec(spec: str) -> tuple[str, str | None]:
    name, colon, location = spec.partition(":")
    known = plugins.names("datasets")
    if name in known:
        return name, location if colon else None
    path = Path(spec).expanduser()
    if path.is_dir():
        return "folder", spec
    by_suffix = {
        ".npz": "arrays",
        ".csv": "manifest",
        ".tsv": "manifest",
        ".parquet": "manifest",
        ".tar": "tar",
        ".tgz": "tar",
    }
    for suffix in path.suffixes[-2:]:  # a .tar.gz goes to the one who can say what to do with it
        if suffix.lower() in by_suffix:
            return by_suffix[suffix.lower()], spec
    if path.is_file():
        tip = "a folder, .npz, .csv, .parquet or .tar, or a name of `mi-audit list datasets`"
        raise UsageError(f"{spec}: expected a data set, got a file of another kind", tip=tip)
    if "/" in spec or "." in spec:
        tip = f"paths count from {Path.cwd()}; names of data sets are in `mi-audit list datasets`"
        raise UsageError(f"{spec}: no such file or folder", tip=tip)
    raise UsageError(f"unknown data set {spec!r}", tip=plugins.did_you_mean(name, known))
