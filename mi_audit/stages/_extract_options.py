"""What the user chose for the stage ``extract``."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from mi_audit.controls._declarations import DECLARATIONS
from mi_audit.datasets.interface import DataRequest
from mi_audit.errors import UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.stages import _feature_plan, _predictions, _split

_WEIGHTS = Literal["auto", "raw", "ema"]
_CONTROLS = Literal["cheap", "full"]


@dataclass(frozen=True)
class ExtractOptions:
    """What the user chose for this stage.

    Attributes:
        model, data: the specs ``--model`` and ``--data``; predictions bring their own samples and forbid the latter.
        arch: name of the architecture, for a checkpoint.
        weights: which weights of a checkpoint that holds two sets, ``"auto"``, ``"raw"`` or ``"ema"``.
        data_dir: folder of the data sets.
        download: whether data and pretrained weights may be fetched.
        split, members, non_members, members_index, non_members_index, membership, allow_outside: of the data, as in
            `DataRequest`.
        mean, std: normalisation constants; ``None`` for those that are known.
        max_members, max_non_members: at most so many samples of each side, chosen by `seed`; ``None`` for all.
        limit_classes: at most so many classes, chosen by `seed`; ``None`` for all.
        expect_accuracy: what the target is said to reach, one number for non-members or two for members and
            non-members; ``None`` where nobody says.
        declare: facts about the data that no file tells, of `DECLARATIONS`.
        controls: ``"full"`` stores the evidence that some controls need; ``"cheap"`` stores none.
        features: what to observe; ``"outputs"`` is always kept.
        feature_settings: options of features, ``"boundary-distance.step=angle"``.
        batch_size: ``None`` for automatic.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        seed: of the selection, and of random weights.
    """

    model: str
    data: str = ""
    arch: str | None = None
    weights: _WEIGHTS = "auto"
    data_dir: Path | None = None
    download: bool = False
    split: str | None = None
    members: Path | None = None
    non_members: Path | None = None
    members_index: Path | None = None
    non_members_index: Path | None = None
    membership: Path | None = None
    allow_outside: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    max_members: int | None = None
    max_non_members: int | None = None
    limit_classes: int | None = None
    expect_accuracy: tuple[float, ...] | None = None
    declare: tuple[str, ...] = ()
    controls: _CONTROLS = "cheap"
    features: tuple[str, ...] = ("outputs",)
    feature_settings: tuple[str, ...] = ()
    batch_size: int | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.model and (self.data or _predictions.is_predictions(self.model))):
            given = "only --model" if self.model else "only --data" if self.data else "neither"
            tip = "for example --model net.pt --data mnist"
            raise UsageError(f"expected --model and --data, got {given}", tip=tip)
        _split.checked_seed(self.seed)
        for name in ("max_members", "max_non_members", "limit_classes", "batch_size"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"expected --{name.replace('_', '-')} of at least 1, got {number}")
        if self.weights not in get_args(_WEIGHTS):
            raise UsageError(f"expected --weights auto, raw or ema, got {self.weights!r}")
        if self.controls not in get_args(_CONTROLS):
            tip = did_you_mean(self.controls, get_args(_CONTROLS))
            raise UsageError(f"expected --controls cheap or full, got {self.controls!r}", tip=tip)
        for fact in self.declare:
            if fact not in DECLARATIONS:
                raise UsageError(f"unknown fact {fact!r} to --declare", tip=did_you_mean(fact, DECLARATIONS))
        if self.expect_accuracy is not None:
            _check_accuracy(self.expect_accuracy)
        if _predictions.is_predictions(self.model):
            _predictions.check_options(self)
        _feature_plan.wanted(self.observed, self.feature_settings)

    @property
    def observed(self) -> tuple[str, ...]:
        """What to observe, with the evidence for controls where that is to be stored."""
        evidence = _feature_plan.EVIDENCE_FEATURES if self.controls == "full" else ()
        return (*self.features, *(name for name in evidence if name not in self.features))

    def data_request(self) -> DataRequest:
        """What was said about the data beside its spec."""
        return DataRequest(**{field.name: getattr(self, field.name) for field in fields(DataRequest)})


def _check_accuracy(values: tuple[float, ...]) -> None:
    if len(values) not in (1, 2) or not all(0 <= value <= 1 for value in values):
        got = ", ".join(f"{value:g}" for value in values)
        raise UsageError(
            f"expected --expect-accuracy of one or two numbers from 0 to 1, got {got}",
            tip=".726 for 72.6 % of the non-members, or .999,.726 for members and non-members",
        )
