"""What attacks look at (``--on``), and which attacks look at what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mi_audit.attacks._feature_columns import is_uninformative
from mi_audit.attacks.interface import Attack
from mi_audit.errors import DataSetError, UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import OUTPUTS
from mi_audit.stages._training_plan import (
    Plan,
    attacks_for,
    attacks_of,
    check_settings,
    made,
    named,
    options_of,
)

ALL = "all"

# An attack on a single column is run on every column of a feature that has at most so many; the founding paper's seven
# statistics of a gradient are the widest such feature.
MAX_COLUMNS = 16

# The founding paper's attack on distances and gradient norms, where it fits no other.
_PAPER_ATTACKS = ("logistic-regression",)


def _extract_tip(name: str) -> str:
    return f"add it with `mi-audit extract ... --features {name}`"


@dataclass(frozen=True)
class Sight:
    """What some attacks look at.

    Attributes:
        name: ``"outputs"``, a feature, or ``"all"``.
        on: ``"outputs"`` and names of features.
        attacks: by label, in the order of reports.
        per_subset: one attack for what the target classifies correctly and one for the rest.
    """

    name: str
    on: tuple[str, ...]
    attacks: Mapping[str, Attack] = field(default_factory=dict)
    per_subset: bool = False


def features_needed(chosen: Plan) -> tuple[str, ...]:
    """Names of the features that the attacks are going to look at, as ``--features`` takes them; not those of "all".

    Raises:
        UsageError: an unknown attack.
    """
    names = [name for name in chosen.on if name not in (OUTPUTS, ALL)]
    for text in chosen.attacks:
        name, value, cls = named(text)
        form = str(value or options_of(cls, name, chosen).get(str(cls.argument), ""))
        if form in (*cls.arguments, *cls.more_arguments):
            names += made(cls, name, chosen, {str(cls.argument): form}).reads
    return tuple(dict.fromkeys(names))


def is_part_of(feature: str, name: str) -> bool:
    """Whether a name means this feature of a cache; one without a part, as ``gradient-norm``, means all parts."""
    return name in (feature, feature.partition(":")[0])


def sights(
    cache: FeatureCache, is_known: npt.NDArray[np.bool_], chosen: Plan, *, is_chosen: bool
) -> tuple[tuple[Sight, ...], tuple[Finding, ...]]:
    """What is looked at, with the attacks that do, and a word on those that do not run.

    Args:
        cache: with the features that were asked for.
        is_known: (n_samples,) which samples' membership the attacks are told.
        chosen: the plan.
        is_chosen: whether the user named the attacks, so that none may be left out silently.

    Raises:
        UsageError: a feature that the cache does not hold, or attacks that can look at nothing of this.
        OutputsError: an attack that needs confidences, where the target gives labels only.
        DataSetError: nothing that was asked for differs between samples.
    """
    named_sights = _named(chosen.on, cache)
    informative, findings = _informative(named_sights, cache, is_known)
    found: list[Sight] = []
    for sight in informative:
        if sight.name == OUTPUTS:
            attacks, skipped = attacks_for(cache.outputs_kind, _of_outputs(chosen, informative), is_chosen=is_chosen)
            findings += skipped
            found += _by_reading(sight, attacks, cache)
        else:
            attacks = _of_features(sight, cache, chosen, is_chosen=is_chosen)
            found.append(replace(sight, attacks=attacks))
    _check_attacks(chosen, cache, found, is_chosen=is_chosen)
    findings += _not_cut(chosen, found, cache)
    return tuple(_without_repeats(found, chosen)), tuple(findings)


def _named(names: Sequence[str], cache: FeatureCache) -> list[Sight]:
    """A sight for every name, each once; a name without its part, as in ``gradient-norm``, means all its parts."""
    found: dict[str, Sight] = {}
    for name in names:
        if name == OUTPUTS:
            found[name] = Sight(name, (OUTPUTS,))
        elif name == ALL:
            found[name] = Sight(name, (OUTPUTS, *_features(cache)))
        else:
            found |= {each: Sight(each, (each,)) for each in _matching(name, cache)}
    return list(found.values())


def _features(cache: FeatureCache) -> list[str]:
    """The features of the cache by name, whatever the order in which they were added.

    Raises:
        UsageError: there are none.
    """
    if not cache.observed:
        raise UsageError("--on all: the feature cache holds outputs only", tip=_extract_tip("gradient-norm"))
    return list(cache.observed)


def _matching(name: str, cache: FeatureCache) -> list[str]:
    if name in cache.observed:
        return [name]
    parts = sorted(feature for feature in cache.observed if is_part_of(feature, name))
    if not parts:
        nearest = did_you_mean(name, (OUTPUTS, *cache.observed, *([ALL] if cache.observed else [])))
        raise UsageError(f"the feature cache holds no {name!r}", tip=f"{nearest}; {_extract_tip(name)}")
    return parts


def _informative(
    asked: Sequence[Sight], cache: FeatureCache, is_known: npt.NDArray[np.bool_]
) -> tuple[list[Sight], list[Finding]]:
    """The sights without features from which nothing can be learned, and a finding on each of those.

    Raises:
        DataSetError: nothing is left.
    """
    names = dict.fromkeys(name for sight in asked for name in sight.on if name != OUTPUTS)
    useless = [name for name in names if is_uninformative(cache.features[name][is_known])]
    message = "{} is the same for all known samples, or missing for all: no attack looked at it"
    findings = [Finding("feature-uninformative", "warning", message.format(name)) for name in useless]
    left = [replace(sight, on=tuple(name for name in sight.on if name not in useless)) for sight in asked]
    left = [sight for sight in left if sight.on and not (sight.name == ALL and sight.on == (OUTPUTS,))]
    if not left:
        tip = "look at something else with --on, or extract it again with other options"
        raise DataSetError(f"nothing to learn from: {message.format(', '.join(useless))}", tip=tip)
    return left, findings


def _of_outputs(chosen: Plan, all_sights: Sequence[Sight]) -> dict[str, Attack]:
    """The attacks on outputs; beside features, an attack on a column is left to them."""
    if len(all_sights) == 1:
        return attacks_of(chosen)
    fit = [text for text in chosen.attacks if _has_form(*named(text)[1:])]
    return attacks_of(replace(chosen, attacks=tuple(fit), settings=_settings_of(chosen, fit))) if fit else {}


def _has_form(value: str, cls: type[Attack]) -> bool:
    return not value or value in (*cls.arguments, *cls.more_arguments) or cls.column_argument is None


def _by_reading(sight: Sight, attacks: Mapping[str, Attack], cache: FeatureCache) -> list[Sight]:
    """The sight of outputs, once for every set of features that its attacks read beside them.

    Raises:
        UsageError: the cache lacks one.
    """
    parted: dict[tuple[str, ...], dict[str, Attack]] = {(): {}}
    for label, attack in attacks.items():
        parted.setdefault(attack.reads, {})[label] = attack
        for name in attack.reads:
            if name not in cache.features:
                raise UsageError(f"{label} reads {name}, which the feature cache does not hold", _extract_tip(name))
    return [replace(sight, on=(*sight.on, *reads), attacks=own) for reads, own in parted.items()]


def _settings_of(chosen: Plan, texts: Sequence[str]) -> dict[str, Mapping[str, str]]:
    names = {text.partition(":")[0] for text in texts}
    return {name: options for name, options in chosen.settings.items() if name in names}


def _of_features(sight: Sight, cache: FeatureCache, chosen: Plan, *, is_chosen: bool) -> dict[str, Attack]:
    """The attacks on one feature, or on everything."""
    columns = cache.columns[sight.name] if sight.name != ALL else ()
    is_of_paper = chosen.protocol == "paper" and not is_chosen and 0 < len(columns) <= MAX_COLUMNS
    texts = ("naive", *_PAPER_ATTACKS) if is_of_paper else chosen.attacks
    attacks: dict[str, Attack] = {}
    for text in texts:
        name, value, cls = named(text)
        if cls.is_fixed:
            attacks[name] = made(cls, name, chosen, {})
        elif cls.column_argument is None:
            attacks[f"{name} on {sight.name}"] = made(cls, name, chosen, {})
        else:
            wanted = value or options_of(cls, name, chosen).get(cls.column_argument)
            for column in _columns(columns, str(wanted) if wanted else None):
                attack = made(cls, name, chosen, {cls.column_argument: column})
                attacks[f"{name}:{column} on {sight.name}"] = attack
    return attacks


def _columns(columns: Sequence[str], wanted: str | None) -> Sequence[str]:
    if wanted is not None:
        return [wanted] if wanted in columns else []
    return columns if len(columns) <= MAX_COLUMNS else []


def _check_attacks(chosen: Plan, cache: FeatureCache, found: Sequence[Sight], *, is_chosen: bool) -> None:
    """Refuse what the user asked for and would not run anywhere.

    Raises:
        UsageError: an attack on a column, of which none fits; settings of an attack that does not run.
    """
    labels = [label for sight in found for label in sight.attacks]
    columns = sorted({column for sight in found for name in sight.on for column in cache.columns.get(name, ())})
    for text in chosen.attacks if is_chosen else ():
        name, value, cls = named(text)
        runs = any(label == text or label.startswith((f"{text} on ", f"{text}:")) for label in labels)
        if runs or cls.column_argument is None:
            continue
        if value:
            raise UsageError(
                f"--attack {text}: no such column",
                tip=did_you_mean(value, {*cls.arguments, *cls.more_arguments, *columns}),
            )
        tip = f"name one, for example --attack {name}:{columns[0]}, and one feature with --on"
        raise UsageError(f"--attack {name} cuts one column at a time, got {len(columns):,}", tip=tip)
    check_settings(chosen, labels)


def _not_cut(chosen: Plan, found: Sequence[Sight], cache: FeatureCache) -> list[Finding]:
    """A word on features that are too wide for an attack on every single column."""
    names = [named(text)[0] for text in chosen.attacks if named(text)[2].column_argument and not named(text)[1]]
    wide = [sight.name for sight in found if len(cache.columns.get(sight.name, ())) > MAX_COLUMNS]
    message = "{0} cuts one column at a time and left out {1}, with {2:,}; name one: --attack {0}:{3}"
    return [
        Finding("attacks-skipped", "note", message.format(name, feature, len(columns), columns[0]))
        for name in dict.fromkeys(names)
        for feature in wide
        if (columns := cache.columns[feature])
    ]


def _without_repeats(found: Sequence[Sight], chosen: Plan) -> Iterator[Sight]:
    """Each label once, as the naive attack's, which looks at neither outputs nor features; no sight without attacks."""
    seen: set[str] = set()
    for sight in found:
        attacks = {label: attack for label, attack in sight.attacks.items() if label not in seen}
        seen |= set(attacks)
        if attacks:
            yield replace(sight, attacks=attacks, per_subset=chosen.per_subset and sight.name not in (OUTPUTS, ALL))
