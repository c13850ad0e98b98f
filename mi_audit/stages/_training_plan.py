"""What ``train-attack`` is going to do: every default filled in, attacks and settings drawn up."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np

from mi_audit import plugins
from mi_audit.attacks.interface import Attack
from mi_audit.errors import OutputsError, UsageError
from mi_audit.schema.feature_cache import OutputsKind
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import OUTPUTS, Protocol, View
from mi_audit.stages._balancing import BALANCES, Balance
from mi_audit.stages._settings import by_plugin
from mi_audit.stages._split import checked_seed

MAX_REPEATS = 1000


@dataclass(frozen=True)
class TrainOptions:
    """What the user chose for this stage; ``None`` takes what the protocol says.

    Attributes:
        attacks: names, or ``NAME:VALUE`` for attacks that come in several forms.
        per_class: one attack per true class.
        known_fraction: share of every class x membership cell whose membership the attack is told.
        balance: how members and non-members get the same say.
        search: how many settings to compare by cross-validation, 0 for the defaults only, ``"full"`` for the founding
            paper's.
        protocol: where the defaults come from.
        settings: ``NAME.OPTION=VALUE``.
        on: what the attacks look at: ``"outputs"``, features of the cache, ``"all"`` for everything in one attack.
        per_subset: on a feature, one attack for what the target classifies correctly and one for the rest.
        seed: of the split, of resampling, of fitting.
        repeats: on how many further splits to do everything again, for the spread of the numbers.
    """

    attacks: tuple[str, ...] = ()
    per_class: bool | None = None
    known_fraction: float | None = None
    balance: str | None = None
    search: int | Literal["full"] | None = None
    protocol: str = "audit"
    settings: tuple[str, ...] = ()
    on: tuple[str, ...] = (OUTPUTS,)
    per_subset: bool | None = None
    seed: int = 0
    repeats: int = 0


@dataclass(frozen=True)
class Plan:
    """The options with every default filled in."""

    attacks: tuple[str, ...]
    per_class: bool
    known_fraction: float
    balance: Balance
    search: int | Literal["full"]
    view: View
    n_folds: int
    protocol: Protocol
    seed: int
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    on: tuple[str, ...] = (OUTPUTS,)
    per_subset: bool = False
    repeats: int = 0


PLANS = {
    "audit": Plan(
        attacks=("naive", "threshold", "logistic-regression", "random-forest", "xgboost", "mlp"),
        per_class=False,
        known_fraction=0.5,
        balance="weights",
        search=0,
        view="summary",
        n_folds=3,
        protocol="audit",
        seed=0,
    ),
    "paper": Plan(
        attacks=("naive", "mlp", "random-forest", "xgboost"),
        per_class=True,
        known_fraction=0.8,
        balance="oversample",
        search=5,
        view="confidences",
        n_folds=2,
        protocol="paper",
        seed=0,
        per_subset=True,
    ),
}


def planned(options: TrainOptions) -> Plan:
    """The options with the protocol's defaults filled in.

    Raises:
        UsageError: an unknown protocol, attack or way of balancing, or a number out of range.
    """
    if options.protocol not in PLANS:
        raise UsageError(f"unknown protocol {options.protocol!r}", tip=plugins.did_you_mean(options.protocol, PLANS))
    given = {name: value for name, value in asdict(options).items() if value is not None and name != "settings"}
    chosen = replace(PLANS[options.protocol], **given | {"attacks": options.attacks or PLANS[options.protocol].attacks})
    checked_seed(chosen.seed)
    if chosen.balance not in BALANCES:
        tip = plugins.did_you_mean(chosen.balance, BALANCES)
        raise UsageError(f"unknown way of balancing {chosen.balance!r}", tip=tip)
    if not 0 < chosen.known_fraction < 1:
        tip = "for example --known-fraction 0.5"
        raise UsageError(f"expected --known-fraction between 0 and 1, got {chosen.known_fraction}", tip=tip)
    if chosen.search != "full" and chosen.search < 0:
        raise UsageError(f"expected --search of at least 0, got {chosen.search}", tip="0 compares nothing")
    if not 0 <= chosen.repeats <= MAX_REPEATS:
        raise UsageError(f"expected --repeats from 0 to {MAX_REPEATS}, got {chosen.repeats}", tip="25 show a spread")
    return replace(chosen, settings=by_plugin(options.settings, "xgboost.max_depth=6"))


def attacks_of(chosen: Plan) -> dict[str, Attack]:
    """The attacks by label, options set: defaults, the protocol's, the user's."""
    attacks: dict[str, Attack] = {}
    for text in chosen.attacks:
        name, value, cls = named(text)
        for form in _forms(cls, value or options_of(cls, name, chosen).get(str(cls.argument))):
            attacks[f"{name}:{form}" if form else name] = made(cls, name, chosen, {str(cls.argument): form})
    check_settings(chosen, attacks)
    return attacks


def named(text: str) -> tuple[str, str, type[Attack]]:
    """Name, form (or nothing) and class of an attack as the user wrote it.

    Raises:
        UsageError: there is none of this name, or it comes in one form only.
    """
    name, _, value = text.partition(":")
    cls: type[Attack] = plugins.plugin_class("attacks", name)
    if value and cls.argument is None:
        raise UsageError(f"{name!r} comes in one form only, got {text!r}", tip=f"--attack {name}")
    return name, value, cls


def options_of(cls: type[Attack], name: str, chosen: Plan) -> dict[str, object]:
    """What the protocol and the user set."""
    fixed = _fixed_by_the_paper(cls) if chosen.protocol == "paper" else {}
    return {**fixed, **chosen.settings.get(name, {})}


def made(cls: type[Attack], name: str, chosen: Plan, own: Mapping[str, str]) -> Attack:
    """The attack with its options set; `own` where it has values comes before all others."""
    attack: Attack = plugins.load(
        "attacks", name, options_of(cls, name, chosen) | {option: value for option, value in own.items() if value}
    )
    return attack


def check_settings(chosen: Plan, labels: Iterable[str]) -> None:
    """Refuse settings of attacks that do not run.

    Raises:
        UsageError: there are some.
    """
    unused = set(chosen.settings) - {re.split("[: ]", label)[0] for label in labels}
    if unused:
        name = min(unused)
        raise UsageError(f"--set {name}. ... is for an attack that does not run", tip=f"add --attack {name}")


def attacks_for(
    outputs_kind: OutputsKind, attacks: dict[str, Attack], *, is_chosen: bool
) -> tuple[dict[str, Attack], tuple[Finding, ...]]:
    """The attacks that have something to say about a target with such outputs, and a word on those that have not.

    Args:
        outputs_kind: what the target gives.
        attacks: by label.
        is_chosen: whether the user named them, so that none may be left out silently.

    Raises:
        OutputsError: the user named one that needs confidences, and the target gives labels only.
    """
    unable = [label for label, attack in attacks.items() if outputs_kind == "labels" and attack.needs_confidences]
    if not unable:
        return attacks, ()
    if is_chosen or len(unable) == len(attacks):
        tip = "--attack naive needs none; or give logits or probabilities"
        raise OutputsError(f"{unable[0]} needs confidences, got labels only", tip=tip)
    names = ", ".join(dict.fromkeys(label.partition(":")[0] for label in unable))
    message = f"the target gives labels only, so attacks that need confidences did not run: {names}"
    able = {label: attack for label, attack in attacks.items() if label not in unable}
    return able, (Finding("attacks-skipped", "warning", message),)


def _forms(cls: type[Attack], wanted: object) -> Sequence[str]:
    """The forms of an attack that are to run: the one that was asked for, or all; ``""`` where there are none."""
    if cls.argument is None:
        return ("",)
    return (str(wanted),) if wanted else cls.arguments


def _fixed_by_the_paper(cls: type[Attack]) -> dict[str, object]:
    return {option: values[0] for option, values in cls.paper_search_space.items() if len(values) == 1}


def draws_of(attack: Attack, chosen: Plan, rng: np.random.Generator) -> list[Attack]:
    """The settings to compare: the given one first, then random draws from the search space without repeats."""
    space = _space(attack, chosen)
    wanted = attack.paper_draws if chosen.search == "full" else chosen.search
    fixed = chosen.settings.get(_name(attack), {})
    free = {option: values for option, values in space.items() if option not in fixed}
    draws = [attack]
    for _ in range(20 * wanted):
        if len(draws) > wanted or not free:
            break
        drawn = replace(
            cast("Any", attack), **{option: values[int(rng.integers(len(values)))] for option, values in free.items()}
        )
        if drawn not in draws:
            draws.append(drawn)
    return draws


def _space(attack: Attack, chosen: Plan) -> Mapping[str, Sequence[Any]]:
    if chosen.search == "full":
        return attack.full_search_space or attack.paper_search_space or attack.search_space
    return attack.paper_search_space if chosen.protocol == "paper" else attack.search_space


def _name(attack: Attack) -> str:
    return type(attack).__module__.rpartition(".")[2].replace("_", "-")
