"""Options that several commands share, and how their texts become values."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mi_audit.cli._edge import say
from mi_audit.errors import UsageError

if TYPE_CHECKING:
    from mi_audit.stages._extract_options import ExtractOptions
    from mi_audit.stages._training_plan import TrainOptions

TARGET, ATTACK, RESULT = "Target and data", "Attacks", "Result"

# Options of the stage ``extract`` whose values need no reading.
AS_THEY_ARE = (
    *("model", "data", "arch", "weights", "data_dir", "download", "split", "members", "non_members", "members_index"),
    *("non_members_index", "membership", "allow_outside", "max_members", "max_non_members", "limit_classes", "device"),
    "seed",
)
# All options of the stage ``extract``, but for the seed, which other stages have too.
OF_EXTRACTION = (
    *(name for name in AS_THEY_ARE if name != "seed"),
    *("mean", "std", "expect_accuracy", "declare", "controls", "features", "batch_size"),
)

Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="A checkpoint file, timm:NAME, predictions:FILE, ...; see list models.", rich_help_panel=TARGET
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="cifar100, food101, ...; folder:DIR, FILE.csv, .npz or .tar; see list.", rich_help_panel=TARGET
    ),
]
Arch = Annotated[
    str | None,
    typer.Option("--arch", help="Its network, or python:FILE.py:CLASS; see list models.", rich_help_panel=TARGET),
]
Weights = Annotated[
    str,
    typer.Option("--weights", help="raw or ema, where a checkpoint holds both.", rich_help_panel=TARGET),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="Official splits: MEMBERS,NON-MEMBERS, or one for a list.", rich_help_panel=TARGET),
]
Members = Annotated[
    Path | None,
    typer.Option("--members", help="Folder or .npz of them, with --data folder or arrays.", rich_help_panel=TARGET),
]
NonMembers = Annotated[
    Path | None,
    typer.Option("--non-members", help="Folder or .npz of them, as --members.", rich_help_panel=TARGET),
]
MembersIndex = Annotated[
    Path | None,
    typer.Option("--members-index", help="Which are members: a txt, npy or npz, or 0:100.", rich_help_panel=TARGET),
]
NonMembersIndex = Annotated[
    Path | None,
    typer.Option("--non-members-index", help="Which are non-members: as --members-index.", rich_help_panel=TARGET),
]
Membership = Annotated[
    Path | None,
    typer.Option("--membership", help="txt, npy or npz: one flag per sample.", rich_help_panel=TARGET),
]
AllowOutside = Annotated[
    bool,
    typer.Option("--allow-outside", help="Lists may name files outside their folder.", rich_help_panel=TARGET),
]
LimitClasses = Annotated[
    int | None,
    typer.Option("--limit-classes", min=1, help="Use at most so many classes.", rich_help_panel=TARGET),
]
ExpectAccuracy = Annotated[
    str | None,
    typer.Option(
        "--expect-accuracy", help="Of non-members, or members,non-members: .726 or .999,.726.", rich_help_panel=TARGET
    ),
]
Declare = Annotated[
    list[str] | None,
    typer.Option("--declare", help="A fact that no file tells; see list declarations.", rich_help_panel=TARGET),
]
Controls = Annotated[
    str,
    typer.Option("--controls", help="full stores the evidence that some controls need.", rich_help_panel=TARGET),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder that holds the data sets.", rich_help_panel=TARGET)
]
Download = Annotated[
    bool,
    typer.Option(
        "--download", "--allow-download", help="Allow downloading data and pretrained weights.", rich_help_panel=TARGET
    ),
]
Mean = Annotated[
    str | None,
    typer.Option("--mean", help="Per channel, as in .49,.48,.45, for pixels in [0, 1].", rich_help_panel=TARGET),
]
Std = Annotated[str | None, typer.Option("--std", help="Per channel, as --mean.", rich_help_panel=TARGET)]
MaxMembers = Annotated[
    int | None, typer.Option("--max-members", min=1, help="Use at most so many members.", rich_help_panel=TARGET)
]
MaxNonMembers = Annotated[
    int | None,
    typer.Option("--max-non-members", min=1, help="Use at most so many non-members.", rich_help_panel=TARGET),
]
Features = Annotated[
    list[str] | None,
    typer.Option("--features", help="What to observe beside outputs; see list features.", rich_help_panel=TARGET),
]
FeatureSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option of a feature: NAME.OPTION=VALUE.", rich_help_panel=TARGET),
]
AllSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Of a feature or an attack: NAME.OPTION=VALUE.", rich_help_panel=ATTACK),
]
BatchSize = Annotated[str, typer.Option("--batch-size", help="A number, or auto.", rich_help_panel=TARGET)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.", rich_help_panel=TARGET)]
Attacks = Annotated[
    list[str] | None,
    typer.Option("--attack", help="Name of an attack; repeat or use commas; see list attacks.", rich_help_panel=ATTACK),
]
PerClass = Annotated[
    bool | None,
    typer.Option(
        "--per-class/--one-for-all", help="One attack per true class, or one for all.", rich_help_panel=ATTACK
    ),
]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on", help="What attacks look at: outputs, a feature, or all in one; repeat for more.", rich_help_panel=ATTACK
    ),
]
PerSubset = Annotated[
    bool | None,
    typer.Option(
        "--per-subset/--subsets-together",
        help="On features: an attack for correctly classified samples, one for the rest.",
        rich_help_panel=ATTACK,
    ),
]
KnownFraction = Annotated[
    float | None,
    typer.Option("--known-fraction", help="Share of the samples whose membership is told.", rich_help_panel=ATTACK),
]
Balance = Annotated[
    str | None,
    typer.Option("--balance", help="weights, undersample, oversample or none.", rich_help_panel=ATTACK),
]
Search = Annotated[
    str | None,
    typer.Option("--search", help="How many random settings to compare, or full.", rich_help_panel=ATTACK),
]
Repeats = Annotated[
    int,
    typer.Option("--repeats", min=0, help="Do it again on so many other splits: the spread.", rich_help_panel=ATTACK),
]
Protocol = Annotated[
    str, typer.Option("--protocol", help="audit, or paper for the founding paper's defaults.", rich_help_panel=ATTACK)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option of an attack: NAME.OPTION=VALUE.", rich_help_panel=ATTACK),
]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Remarks, but no progress.")]


def extract_options(given: Mapping[str, Any]) -> "ExtractOptions":
    """The options of the stage ``extract`` from the parameters of a command, whose settings are those of features.

    Raises:
        UsageError: ``--model`` or ``--data`` is missing, or a value cannot be read.
    """
    from mi_audit.stages._extract_options import ExtractOptions
    from mi_audit.stages._settings import numbers_in

    def numbers(name: str, example: str = ".49,.48,.45") -> tuple[float, ...] | None:
        return None if given[name] is None else numbers_in(given[name], f"--{name.replace('_', '-')}", example)

    if not given["quiet"]:
        announce_code(given["model"], given["arch"])
    return ExtractOptions(
        model=given["model"] or "",
        data=given["data"] or "",
        mean=numbers("mean"),
        std=numbers("std"),
        features=listed(given["features"]) or ("outputs",),
        declare=listed(given.get("declare")),
        controls=given.get("controls") or "cheap",
        feature_settings=tuple(given["settings"] or ()),
        expect_accuracy=numbers("expect_accuracy", ".726"),
        batch_size=None if given["batch_size"] == "auto" else _whole(given["batch_size"], "--batch-size", "auto"),
        **{name: given[name] for name in AS_THEY_ARE if name not in ("model", "data")},
    )


def announce_code(*specs: str | None) -> None:
    """Say so before a user's own code is run, which ``--model`` or ``--arch`` may name."""
    for spec in specs:
        source, _, place = (spec or "").partition(":")
        if source == "python":
            say(f"this runs the code of {place.rpartition(':')[0] or place}, which can do whatever you can")


def train_options(given: Mapping[str, Any]) -> "TrainOptions":
    """The options of the stage ``train-attack`` from the parameters of a command.

    Raises:
        UsageError: a value cannot be read.
    """
    from mi_audit.stages._training_plan import TrainOptions

    search = given["search"]
    return TrainOptions(
        attacks=listed(given["attack"]),
        search=search if search in (None, "full") else _whole(search, "--search", "full"),
        settings=tuple(given["settings"] or ()),
        on=listed(given["on"]) or TrainOptions.on,
        **{
            name: given[name]
            for name in ("per_class", "per_subset", "known_fraction", "balance", "protocol", "seed", "repeats")
        },
    )


def listed(texts: Iterable[str] | None) -> tuple[str, ...]:
    """The values of an option that repeats or takes commas.

    Raises:
        UsageError: a text without any, as of a shell variable that is not set: a default, or a gate without a limit,
            is not what was asked for.
    """
    values: list[str] = []
    for text in texts or ():
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise UsageError(f"expected values with commas between them, got {text!r}", tip="or leave the option out")
        values += parts
    return tuple(values)


def inputs_of(given: Mapping[str, Any]) -> list[Path]:
    """The files that an extraction with these options may read, whether they are there or not.

    Specs are ``net.pt``, ``arrays:images.npz`` or ``python:mine.py:network``.
    """
    specs = [given[name] for name in ("model", "data", "arch") if given[name]]
    after = [spec.partition(":")[2] for spec in specs]
    named = [*specs, *after, *(text.rpartition(":")[0] for text in after)]
    lists = (given[name] for name in ("members", "non_members", "members_index", "non_members_index", "membership"))
    return [*(Path(text) for text in named if text), *(path for path in lists if path is not None)]


def _whole(text: str, option: str, word: str) -> int:
    try:
        return int(text)
    except ValueError:
        tip = f"for example {option} 8 or {option} {word}"
        raise UsageError(f"expected {option} to be a whole number or {word}, got {text!r}", tip=tip) from None
