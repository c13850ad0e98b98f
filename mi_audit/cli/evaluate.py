"""The command ``evaluate``: of two files, or of a model and a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import (
    EXCEEDED,
    NO_VERDICT,
    check_container,
    check_writable,
    has_color,
    is_ascii,
    product,
    say,
    width,
)
from mi_audit.cli._progress import progress_of
from mi_audit.cli._series import is_series, run_series
from mi_audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mi_audit.schema.audit import Audit
    from mi_audit.stages._extract_options import ExtractOptions
    from mi_audit.stages._training_plan import TrainOptions
    from mi_audit.stages.evaluate import EvaluateOptions

EXAMPLE = "mi-audit evaluate features.npz attack.npz, or mi-audit evaluate --model net.pt --data mnist"
NO_POLICY = "none"
OF_MODEL = (
    *options.OF_EXTRACTION,
    *(
        "cache_dir",
        "attack",
        "on",
        "per_class",
        "per_subset",
        "known_fraction",
        "balance",
        "search",
        "repeats",
        "protocol",
    ),
    *("settings", "seed"),
)


def evaluate(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="What extract and train-attack made.", metavar="[FEATURES.npz ATTACK.npz]"),
    ] = None,
    model: options.Model = None,
    data: options.Data = None,
    arch: options.Arch = None,
    weights: options.Weights = "auto",
    data_dir: options.DataDir = None,
    download: options.Download = False,
    split: options.Split = None,
    members: options.Members = None,
    non_members: options.NonMembers = None,
    members_index: options.MembersIndex = None,
    non_members_index: options.NonMembersIndex = None,
    membership: options.Membership = None,
    allow_outside: options.AllowOutside = False,
    mean: options.Mean = None,
    std: options.Std = None,
    max_members: options.MaxMembers = None,
    max_non_members: options.MaxNonMembers = None,
    limit_classes: options.LimitClasses = None,
    expect_accuracy: options.ExpectAccuracy = None,
    declare: options.Declare = None,
    controls: options.Controls = "cheap",
    features: options.Features = None,
    batch_size: options.BatchSize = "auto",
    device: options.Device = "auto",
    cache_dir: Annotated[
        Path,
        typer.Option("--cache-dir", help="Keeps features and attacks for next time.", rich_help_panel=options.TARGET),
    ] = Path(".mi-audit"),
    attack: options.Attacks = None,
    on: options.On = None,
    per_class: options.PerClass = None,
    per_subset: options.PerSubset = None,
    known_fraction: options.KnownFraction = None,
    balance: options.Balance = None,
    search: options.Search = None,
    repeats: options.Repeats = 0,
    protocol: options.Protocol = "audit",
    settings: options.AllSettings = None,
    ratios: Annotated[
        list[str] | None,
        typer.Option("--ratios", help="Members : non-members, or a share of members.", rich_help_panel=options.RESULT),
    ] = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="Add rows per class.", rich_help_panel=options.RESULT)
    ] = False,
    fail_above: Annotated[
        list[str] | None,
        typer.Option("--fail-above", help="[ATTACK/SUBSET/]METRIC=X: exit 1 above it.", rich_help_panel=options.RESULT),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="strict, standard, lenient, a file, or none.",
            rich_help_panel=options.RESULT,
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="An earlier audit: fail where leakage rose.", rich_help_panel=options.RESULT),
    ] = None,
    max_increase: Annotated[
        float,
        typer.Option("--max-increase", help="Of AUC and rates over --baseline.", rich_help_panel=options.RESULT),
    ] = 0.01,
    exit_zero: Annotated[
        bool,
        typer.Option("--exit-zero", help="Exit 0 whatever verdict and limits say.", rich_help_panel=options.RESULT),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The audit that this makes.", rich_help_panel=options.RESULT)
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=options.RESULT)
    ] = False,
    aggregate_only: Annotated[
        bool,
        typer.Option("--aggregate-only", help="Leave per-sample arrays out of --out.", rich_help_panel=options.RESULT),
    ] = False,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Score the held-out samples and report what the target reveals.

    Give the two files, or --model and --data to run all three stages in a row. --model 'epoch-*.pt' audits all
    checkpoints of a training run: --out is then a folder for one audit each. The verdict of the policy decides the exit
    code: 0 PASS, 1 FAIL, 3 INCONCLUSIVE or INVALID, of a series the worst; the protocol paper has none unless --policy
    is given.

    Example: mi-audit evaluate features.npz attack.npz --policy strict --out audit.npz
    """
    in_series = is_series(model)
    if out is not None and not in_series:
        check_container(out, f"--out audit.npz, then mi-audit report audit.npz --out {out}")
        judged_by = (baseline or Path(), Path(policy or ""))
        check_writable(out, *(files or ()), *options.inputs_of(ctx.params), *filter(Path.is_file, judged_by))
    from mi_audit import store
    from mi_audit.stages import report
    from mi_audit.stages.evaluate import EvaluateOptions

    chosen = EvaluateOptions(
        ratios=options.listed(ratios) or EvaluateOptions.ratios,
        by_class=by_class,
        fail_above=options.listed(fail_above),
        aggregate_only=aggregate_only,
        **_gate(policy, baseline, max_increase),
    )
    if in_series and not files:
        code = run_series(_of_series(ctx, chosen), out, _exit_code, json=json, quiet=quiet)
        raise typer.Exit(0 if exit_zero else code)
    result = _of_files(ctx, files, chosen) if files else _of_model(ctx, chosen)
    if out is not None:
        store.write(out, result)
        say(f"wrote {out}") if not quiet else None
    kind = "json" if json else "console"
    product(report.render([result], kind, width=width(), color=has_color(), is_ascii=is_ascii()))
    if result.verdict is None and policy is None and not quiet:
        say("no verdict: the protocol paper has none unless --policy is given")
    raise typer.Exit(0 if exit_zero else _exit_code(result))


def _gate(policy: str | None, baseline: Path | None, max_increase: float) -> dict[str, Any]:
    """What the options say about the verdict, as fields of the stage's options.

    Raises:
        UsageError: a baseline without a verdict that it could be part of.
    """
    from mi_audit import store
    from mi_audit.schema.audit import Audit
    from mi_audit.stages._gating import read_policy

    if policy == NO_POLICY:
        if baseline is not None:
            raise UsageError("--baseline is part of a verdict, and --policy none asks for none", tip="leave one out")
        return {"is_gated": False}
    return {
        "policy": None if policy is None else read_policy(policy),
        "baseline": None if baseline is None else store.read_kind(baseline, Audit),
        "max_increase": max_increase,
    }


def _of_files(ctx: typer.Context, files: list[Path], chosen: "EvaluateOptions") -> "Audit":
    """The audit of a feature cache and the attacks that were trained on it."""
    from mi_audit import store
    from mi_audit.schema.feature_cache import FeatureCache
    from mi_audit.schema.trained_attacks import TrainedAttacks
    from mi_audit.stages.evaluate import evaluate as stage

    if len(files) != 2:
        is_list = ctx.params["mean"] is not None or ctx.params["std"] is not None
        tip = "numbers go with commas: --mean .49,.48,.45 --std .2,.2,.2" if is_list else EXAMPLE
        raise UsageError(f"expected two files, features and attacks, got {len(files)}", tip=tip)
    if given := _given(ctx, OF_MODEL):
        raise UsageError(f"{given} belongs to --model and --data, not to files that exist", tip=EXAMPLE)
    cache, trained = store.read_kind(files[0], FeatureCache), store.read_kind(files[1], TrainedAttacks)
    return stage(cache, trained, chosen, progress_of(ctx))


def _of_model(ctx: typer.Context, chosen: "EvaluateOptions") -> "Audit":
    """The audit of a model on a data set, all stages in a row."""
    if ctx.params["model"] is None and ctx.params["data"] is None:
        raise UsageError("expected two files, or --model and --data", tip=EXAMPLE)
    from mi_audit.stages.audit import audit

    extracting, training = _stage_options(ctx)
    return audit(extracting, training, chosen, ctx.params["cache_dir"], progress_of(ctx))


def _of_series(ctx: typer.Context, chosen: "EvaluateOptions") -> "Iterator[tuple[Path, Audit]]":
    """The audits of all checkpoints that match --model, one after the other."""
    from mi_audit.stages import series

    extracting, training = _stage_options(ctx)
    return series.audits(extracting, training, chosen, ctx.params["cache_dir"], progress_of(ctx))


def _stage_options(ctx: typer.Context) -> "tuple[ExtractOptions, TrainOptions]":
    """What the first two stages are told."""
    from mi_audit.stages._settings import by_plugin, of_features_and_attacks
    from mi_audit.stages._sights import features_needed
    from mi_audit.stages._training_plan import planned

    of_features, of_attacks = of_features_and_attacks(ctx.params["settings"] or ())
    training = options.train_options(ctx.params | {"settings": of_attacks})
    # What --on names is extracted too, so that --set may be about it.
    named = [name for name in features_needed(planned(training)) if name.partition(":")[0] in by_plugin(of_features)]
    features = [*(options.listed(ctx.params["features"]) or ("outputs",)), *named]
    return options.extract_options(ctx.params | {"settings": of_features, "features": features}), training


def _given(ctx: typer.Context, names: tuple[str, ...]) -> str | None:
    """The first of these options that the user typed."""
    typed = [name for name in names if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    return f"--{typed[0].replace('_', '-')}" if typed else None


def _exit_code(result: "Audit") -> int:
    """The worst of the limits and the verdict: 1 before 3 before 0."""
    outcomes = {check.outcome for check in result.limits} | {result.verdict.outcome if result.verdict else "PASS"}
    if outcomes & {"exceeded", "FAIL"}:
        return EXCEEDED
    return NO_VERDICT if outcomes & {"not estimable", "INCONCLUSIVE", "INVALID"} else 0
