"""Membership-inference audits of image classifiers, reported honestly.

The library door: `audit` runs a whole audit, `read` opens the files that the commands write. Both take the road that
the command line takes. Heavy libraries are imported when a function needs them, not when the package is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi_audit._version import __version__

if TYPE_CHECKING:
    from mi_audit.schema.audit import Audit
    from mi_audit.schema.feature_cache import FeatureCache
    from mi_audit.schema.trained_attacks import TrainedAttacks

__all__ = ["__version__", "audit", "read"]

_OWN_NETWORK = (
    "save its state_dict and give the path; or give 'python:FILE.py:function', a function that returns the network"
)
_DATA = "for example 'cifar100', 'arrays.npz' or 'folder:DIR'"


def audit(
    model: str | Path,
    data: str | Path | None = None,
    *,
    attacks: Sequence[str] = (),
    protocol: str = "audit",
    ratios: Sequence[str] = ("5:1", "1:1", "1:5"),
    by_class: bool = False,
    seed: int = 0,
    cache_dir: str | Path = ".mi-audit",
    policy: str | Path | None = None,
    **options: Any,
) -> "Audit":
    """Audit a target model, like ``mi-audit evaluate --model MODEL --data DATA``.

    Args:
        model: a checkpoint, ``"timm:NAME"``, ``"torchvision:NAME"``, ``"predictions:FILE"``, or
            ``"python:FILE.py:function"`` for a network that only your own code can build.
        data: a data set, ``"digits"``, ``"cifar100"``, ``"arrays.npz"``, ``"folder:DIR"``; ``None`` for predictions.
        attacks: names of attacks; those of the protocol when empty.
        protocol: ``"audit"`` or ``"paper"``.
        ratios: members : non-members of the balancedness sweep.
        by_class: add rows per class.
        seed: of the selection of samples, the split and the attacks.
        cache_dir: where extracted features and trained attacks are kept and found again.
        policy: a preset, a file, or ``"none"`` for no verdict; ``None`` for that of the protocol: the preset
            ``standard`` under ``audit``, none under ``paper``.
        **options: any further option of ``evaluate --model``, as a name. Paths, numbers and names are taken as Python
            values or as on the command line: ``mean=(.49, .48, .45)`` or ``mean=".49,.48,.45"``.
            Of the target: arch (``"python:FILE.py:CLASS"`` for a network of one's own), weights, mean, std,
            expect_accuracy, batch_size, device. Of the data: data_dir, download, split, members, non_members,
            members_index, non_members_index, membership, allow_outside, max_members, max_non_members, limit_classes,
            declare. Of what is observed: features, feature_settings, controls. Of the attacks: on, per_class,
            per_subset, known_fraction, balance, search, repeats, and settings (of features too).

    Returns:
        the audit: ``audit.row(audit.selected).metrics["balanced_accuracy"].value`` is the headline.

    Raises:
        MiAuditError: what went wrong, with a tip; a subclass of it for each kind of trouble.
    """
    from mi_audit.errors import UsageError
    from mi_audit.plugins import did_you_mean
    from mi_audit.stages._extract_options import ExtractOptions
    from mi_audit.stages._gating import read_policy
    from mi_audit.stages._python_values import spec, texts, typed
    from mi_audit.stages._settings import of_features_and_attacks
    from mi_audit.stages._training_plan import TrainOptions
    from mi_audit.stages.audit import audit as run
    from mi_audit.stages.evaluate import EvaluateOptions

    specs = spec(model, "model", _OWN_NETWORK), "" if data is None else spec(data, "data", _DATA)
    options = typed(options)
    of_extraction = {name: value for name, value in options.items() if name in ExtractOptions.__dataclass_fields__}
    of_training = {name: value for name, value in options.items() if name in TrainOptions.__dataclass_fields__}
    if unknown := sorted(set(options) - set(of_extraction) - set(of_training)):
        known = {*ExtractOptions.__dataclass_fields__, *TrainOptions.__dataclass_fields__}
        raise UsageError(f"unknown option {unknown[0]!r}", tip=did_you_mean(unknown[0], known))
    settings = of_features_and_attacks(of_training.pop("settings", ()))
    of_extraction["feature_settings"] = (*of_extraction.get("feature_settings", ()), *settings[0])
    return run(
        ExtractOptions(*specs, seed=seed, **of_extraction),
        TrainOptions(
            attacks=texts(attacks, "attacks"), protocol=protocol, seed=seed, settings=settings[1], **of_training
        ),
        EvaluateOptions(
            ratios=texts(ratios, "ratios"),
            by_class=by_class,
            policy=None if policy in (None, "none") else read_policy(str(policy)),
            is_gated=policy != "none",
        ),
        Path(cache_dir),
    )


def read(path: str | Path) -> "FeatureCache | TrainedAttacks | Audit":
    """The record in a file that ``extract``, ``train-attack`` or ``evaluate`` wrote, its digests checked.

    Raises:
        ContainerError: the file is not one of ours, or is damaged.
    """
    from mi_audit import store

    return store.read(Path(path))
