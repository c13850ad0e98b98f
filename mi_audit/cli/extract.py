"""The command ``extract``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import check_container, check_writable, say
from mi_audit.cli._progress import progress_of


def extract(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The feature cache that this makes.", rich_help_panel=options.RESULT)
    ],
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
    settings: options.FeatureSettings = None,
    batch_size: options.BatchSize = "auto",
    device: options.Device = "auto",
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Run the target over members and non-members and keep what an adversary would see.

    A file of the same target and samples that is there already only gets the features that it lacks.
    """
    check_container(out)
    check_writable(out, *options.inputs_of(ctx.params))
    from mi_audit.stages.audit import extract_file

    cache = extract_file(options.extract_options(ctx.params), out, progress_of(ctx))
    if not quiet:
        names = "".join(f", {name}" for name in sorted(cache.features))
        say(f"{out}: {len(cache.label):,} samples, {cache.n_classes} classes{names}")
