"""``extract``, ``train-attack`` and ``evaluate`` in a row, with the files of the first two kept and found again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from mi_audit import store
from mi_audit.datasets.interface import MembershipData
from mi_audit.errors import ContainerError, InputError, OutputError, UsageError
from mi_audit.schema.audit import Audit
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttacks
from mi_audit.stages import _predictions, extract
from mi_audit.stages._assembling import found_again
from mi_audit.stages._declared import with_declared
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._preflight.accuracy import with_expectation
from mi_audit.stages._provenance import versions
from mi_audit.stages._sights import ALL, features_needed, is_part_of
from mi_audit.stages._telling import tell
from mi_audit.stages._training_plan import Plan, TrainOptions, planned
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.progress import Progress, Silence
from mi_audit.stages.train_attack import train_attacks

CACHE_DIR = Path(".mi-audit")


def audit(
    extract_options: ExtractOptions,
    train_options: TrainOptions,
    evaluate_options: EvaluateOptions,
    cache_dir: Path = CACHE_DIR,
    progress: Progress | None = None,
    opened: MembershipData | None = None,
) -> Audit:
    """The audit of one target on one data set; what was made before under the same key is used again.

    Args:
        extract_options: of the stage ``extract``.
        train_options: of the stage ``train-attack``.
        evaluate_options: of the stage ``evaluate``.
        cache_dir: holds a folder per extraction, made with mode 0700: the caches tell who was a member.
        progress: told about the work.
        opened: the data set, where that is open already.
    """
    progress = progress or Silence()
    extract_options = _with_features(extract_options, planned(train_options))
    found, folder = _cached_features(extract_options, cache_dir, progress, opened)
    cache = with_declared(with_expectation(found, extract_options.expect_accuracy), extract_options.declare)
    tell(cache, progress, is_followed=True)
    seen = _with_features_of(cache, planned(train_options), extract_options.features)
    trained = _cached_attacks(seen, folder, train_options, progress)
    return evaluate(cache, trained, evaluate_options, progress)


def _with_features(options: ExtractOptions, chosen: Plan) -> ExtractOptions:
    """The extraction with the features that attacks are to look at, whether or not ``--features`` names them too.

    Raises:
        UsageError: there can be none.
    """
    needed = features_needed(chosen)
    if (needed or ALL in chosen.on) and _predictions.is_predictions(options.model):
        name = needed[0] if needed else ALL
        raise UsageError(f"{name} needs a model or images, and {options.model} has neither", tip="--on outputs")
    features = tuple(dict.fromkeys((*options.features, *needed)))
    if ALL in chosen.on and not set(features) - {OUTPUTS}:
        raise UsageError("--on all: nothing is observed but outputs", tip="add --features gradient-norm")
    return replace(options, features=features)


def _with_features_of(cache: FeatureCache, chosen: Plan, asked: Sequence[str]) -> FeatureCache:
    """The cache without features that this run does not look at, which earlier runs may have left in it."""
    names = asked if ALL in chosen.on else features_needed(chosen)
    features = {each: values for each, values in cache.features.items() if any(is_part_of(each, n) for n in names)}
    identities = cache.provenance.get("features") or {}
    return replace(
        cache,
        features=features,
        columns={name: cache.columns[name] for name in features},
        provenance={**cache.provenance, "features": {name: identities.get(name) for name in sorted(features)}},
    )


def _cached_features(
    options: ExtractOptions, cache_dir: Path, progress: Progress, opened: MembershipData | None
) -> tuple[FeatureCache, Path]:
    """The feature cache of this target on these samples, found or extracted now, and the folder that it lies in."""
    if _predictions.is_predictions(options.model):
        cache = _predictions.extracted(options)
        folder = _folder(cache_dir, cache.provenance["key"])
        store.write(folder / "features.npz", cache)
        return cast("FeatureCache", store.read(folder / "features.npz")), folder
    extraction = extract.prepare(options, opened, progress)
    path = _folder(cache_dir, extraction.key) / "features.npz"
    extract_to(extraction, path, progress)
    return found_again(cast("FeatureCache", store.read(path)), extraction), path.parent


def extract_file(options: ExtractOptions, path: Path, progress: Progress) -> FeatureCache:
    """Extract to a file, or add to one that is there; predictions are copied into one.

    Returns:
        the cache as it is in the file.
    """
    there = None
    if _predictions.is_predictions(options.model):
        made = with_declared(_predictions.extracted(options), options.declare)
    else:
        there = extract_to(extract.prepare(options, progress=progress), path, progress)
        made = with_declared(with_expectation(there, options.expect_accuracy), options.declare)
    if made is not there:
        store.write(path, made)
    tell(made, progress)
    return made


def _folder(cache_dir: Path, key: str) -> Path:
    """The folder of one extraction, made unless it is there, for its owner alone.

    Raises:
        OutputError: it cannot be made.
    """
    folder = cache_dir / key[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache_dir.chmod(0o700)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make this folder ({error.strerror})", tip="choose --cache-dir") from error
    return folder


def extract_to(extraction: extract.Extraction, path: Path, progress: Progress) -> FeatureCache:
    """Extract to a file, by way of ``PATH.part/``, from which an interrupted extraction goes on.

    A file of the same target and the same samples is kept, and gets the features that it lacks.

    Returns:
        the cache as it is in the file.
    """
    there = _whole(path, "features", extraction.key)
    if isinstance(there, FeatureCache):
        return _grow(extraction, there, path, progress)
    with extract.journal(extraction, path.with_name(path.name + ".part")) as rows:
        try:
            cache = extract.run(extraction, rows, progress)
        except InputError:
            rows.remove()  # there is nothing to go on from: other weights or other data have another key
            raise
        store.write(path, cache)
        rows.remove()
    return cache


def _grow(extraction: extract.Extraction, cache: FeatureCache, path: Path, progress: Progress) -> FeatureCache:
    """Add to the file at `path` what it lacks; until all of that is there, it stays as it is."""
    progress.say(f"using {path}")
    if extract.is_complete(extraction, cache):
        return cache
    with extract.growth_journal(extraction, path.with_name(path.name + ".part")) as rows:
        grown = extract.grow(extraction, cache, rows, progress)
        store.write(path, grown)
        rows.remove()
    return grown


def _cached_attacks(cache: FeatureCache, folder: Path, options: TrainOptions, progress: Progress) -> TrainedAttacks:
    # A feature may be there anew, with other options.
    features = {name: made for name, made in cache.provenance.get("features", {}).items() if name in cache.observed}
    identity = json.dumps({"options": asdict(options), "versions": versions(), "features": features}, sort_keys=True)
    path = folder / f"attack-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    there = _whole(path, "attacks", cache.provenance["key"])
    if isinstance(there, TrainedAttacks):
        progress.say(f"using {path}")
        return there
    trained = train_attacks(cache, options, progress)
    store.write(path, trained)
    return trained


def _whole(path: Path, kind: str, key: str) -> store.AnyRecord | None:
    """The record in the file, if it is there, undamaged, and was made for this extraction."""
    if not path.exists():
        return None
    try:
        record = store.read(path)
    except ContainerError:
        return None
    made_for = (record.provenance.get("key"), record.provenance.get("features_key"))
    return record if record.kind == kind and key in made_for else None
