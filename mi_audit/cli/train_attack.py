"""The command ``train-attack``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import check_container, check_writable, say
from mi_audit.cli._progress import progress_of
from mi_audit.schema.numerals import in_percent, rounded


def train_attack(
    ctx: typer.Context,
    features: Annotated[Path, typer.Argument(help="A feature cache from extract.", metavar="FEATURES.npz")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The trained attacks that this makes.", rich_help_panel=options.RESULT)
    ],
    attack: options.Attacks = None,
    on: options.On = None,
    per_class: options.PerClass = None,
    per_subset: options.PerSubset = None,
    known_fraction: options.KnownFraction = None,
    balance: options.Balance = None,
    search: options.Search = None,
    repeats: options.Repeats = 0,
    protocol: options.Protocol = "audit",
    settings: options.Settings = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Fit, tune and choose attacks on the samples whose membership the adversary knows."""
    check_container(out)
    check_writable(out, features)
    from mi_audit import store
    from mi_audit.schema.feature_cache import FeatureCache
    from mi_audit.stages.train_attack import train_attacks

    chosen = options.train_options(ctx.params)
    trained = train_attacks(store.read_kind(features, FeatureCache), chosen, progress_of(ctx))
    store.write(out, trained)
    if not quiet:
        width = max(28, *(len(summary.label) for summary in trained.attacks))
        for summary in trained.attacks:
            known = "not estimable" if summary.balanced_accuracy is None else in_percent(summary.balanced_accuracy)
            known += "" if summary.auc is None else f", AUC {rounded(summary.auc, 3)}"
            mark = "  <- selected" if summary.label == trained.selected else ""
            say(f"  {summary.label:<{width}} balanced accuracy on known samples {known}{mark}")
        say("selected: the highest AUC among those whose balanced accuracy cannot be told from the highest")
        for row in trained.spread:
            if row.metric == "balanced_accuracy":
                number = f"mean {in_percent(row.mean)}, SD over splits {in_percent(row.sd)}"
                say(f"  {row.attack:<{width}} on {len(row.values)} further splits: {number}")
        say(f"wrote {out}: {len(trained.attacks)} attacks that know {len(trained.known_id):,} samples")
