"""A policy file becomes a `Policy`, strictly: whatever is misspelt or out of range is an error, never a default."""

import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from mi_audit.errors import PolicyError
from mi_audit.gate import policy as policies
from mi_audit.gate._policy_yaml import plain_values
from mi_audit.gate.policy import FIXED_RULES, INCREASE_RULES, SCHEMA_VERSION, Policy, Rule, Waiver
from mi_audit.metrics.subsets import SUBSETS
from mi_audit.metrics.table import METRIC_ALIASES, METRICS
from mi_audit.metrics.tolerance import PRESETS
from mi_audit.plugins import did_you_mean

_KEYS = (
    *("schema_version", "preset", "tolerance", "base_rate", "alpha", "tail", "tier", "minimum", "controls", "rules"),
    "waivers",
)
_LARGEST_MU = 6.0
_MU_NOISE = 1e-9


def parse(text: str, known_controls: Iterable[str]) -> Policy:
    """The policy that a file's text says.

    Args:
        text: YAML.
        known_controls: slugs of all controls that there are.

    Raises:
        PolicyError: what is wrong, where, and the nearest name where one is misspelt.
    """
    return of_values(plain_values(text), known_controls)


def of_values(values: object, known_controls: Iterable[str]) -> Policy:
    """The policy of plain values, as `Policy.as_values` makes them.

    Raises:
        PolicyError: as for `parse`.
    """
    whole, controls = _Section(values, "policy", _KEYS), sorted(known_controls)
    version = whole.values.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        told = f"schema_version: expected {SCHEMA_VERSION}, got {_named(version)}"
        raise PolicyError(told, tip=f"begin the file with: schema_version: {SCHEMA_VERSION}")
    base, mu = _tolerance(whole)
    minimum = whole.section("minimum", ("members", "non_members"))
    required = whole.section("controls", ("required",)).texts("required", base.required_controls)
    for slug in required:
        if slug not in controls:
            raise PolicyError(f"controls.required: no control is called {slug!r}", tip=did_you_mean(slug, controls))
    rules = tuple(_rule(item) for item in whole.sections("rules", _RULE_KEYS))
    _check_unique("rules", [*FIXED_RULES, *INCREASE_RULES], [rule.name for rule in rules])
    waivers = tuple(_waiver(item) for item in whole.sections("waivers", ("rule", "reason", "approver", "expires")))
    _check_waivers(waivers, rules, controls)
    return Policy(
        preset=base.preset if mu == base.mu else None,
        mu=mu,
        alpha=whole.number("alpha", base.alpha, 0.0001, 0.5),
        tail=cast("policies.Tail", whole.choice("tail", base.tail, ("advice", "decide"))),
        minimum_members=minimum.whole("members", base.minimum_members),
        minimum_non_members=minimum.whole("non_members", base.minimum_non_members),
        required_controls=required,
        tier=cast("policies.Tier | None", whole.choice("tier", base.tier, ("T0", "T1", "T2", "T3"))),
        rules=rules,
        waivers=waivers,
    )


def _tolerance(whole: "_Section") -> tuple[Policy, float]:
    """The preset that defaults come from, and the tolerance."""
    name = whole.choice("preset", None, tuple(PRESETS))
    base = policies.preset(name or "standard")
    given = [key for key in ("tolerance", "base_rate") if key in whole]
    if len(given) + (name is not None) == 0:
        raise PolicyError("expected a preset, a tolerance or a base_rate, got none of them", tip="preset: standard")
    if len(given) > 1:
        raise PolicyError("expected one of tolerance and base_rate, got both")
    if not given:
        return base, base.mu
    mu = _stated_mu(whole, given[0])
    if name is None:
        return base, mu
    if abs(mu - base.mu) > _MU_NOISE:
        tip = f"delete the line `preset: {name}` to keep this tolerance; the preset's is mu {base.mu:g}"
        raise PolicyError(f"{given[0]}: is mu {mu:.3f} and so contradicts preset {name!r}", tip=tip)
    return base, base.mu


def _stated_mu(whole: "_Section", key: str) -> float:
    if key == "base_rate":
        section = whole.section(key, ("prior", "max_ppv"))
        prior, max_ppv = (section.number(each, None, 1e-6, 1 - 1e-6) for each in ("prior", "max_ppv"))
        return policies.mu_of_base_rate(prior, max_ppv)
    section = whole.section(key, ("mu", "auc"))
    if ("mu" in section) == ("auc" in section):
        raise PolicyError("tolerance: expected mu or auc, one of them", tip="tolerance: {auc: 0.65}")
    if "mu" in section:
        return section.number("mu", None, 0.001, _LARGEST_MU)
    return policies.mu_of_auc(section.number("auc", None, 0.5005, 0.9999))


_RULE_KEYS = ("name", "metric", "attack", "subset", "max", "min", "compare", "severity")


def _rule(item: "_Section") -> Rule:
    metric = item.text("metric")
    metric = METRIC_ALIASES.get(metric, metric)
    item.check_name("metric", metric, [each.name for each in METRICS])
    if ("max" in item) == ("min" in item):
        raise PolicyError(f"{item.where}: expected max or min, one of them", tip="for example max: 0.6")
    side = "max" if "max" in item else "min"
    lowest = -1.0 if metric == "advantage" else 0.0
    return Rule(
        name=item.text("name"),
        metric=metric,
        side=cast("Any", side),
        limit=item.number(side, None, lowest, 1.0),
        attack=item.text("attack", "selected"),
        subset=cast("Any", item.choice("subset", "all", SUBSETS)),
        compare=cast("Any", item.choice("compare", "upper" if side == "max" else "lower", ("upper", "lower", "point"))),
        severity=cast("Any", item.choice("severity", "error", ("error", "warning"))),
    )


def _waiver(item: "_Section") -> Waiver:
    expires = item.values.get("expires")
    if isinstance(expires, str):
        try:
            expires = datetime.date.fromisoformat(expires)
        except ValueError:
            expires = None
    if not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime):
        raise PolicyError(f"{item.where}.expires: expected a day, YYYY-MM-DD", tip="for example expires: 2027-03-31")
    return Waiver(item.text("rule"), item.text("reason"), item.text("approver"), expires.isoformat())


def _check_unique(where: str, taken: Iterable[str], names: Iterable[str]) -> None:
    seen = set(taken)
    for name in names:
        if name in seen:
            raise PolicyError(f"{where}: the name {name!r} is taken", tip="give every rule a name of its own")
        seen.add(name)


def _check_waivers(waivers: Iterable[Waiver], rules: Iterable[Rule], controls: Iterable[str]) -> None:
    known = {*FIXED_RULES, *INCREASE_RULES, *(rule.name for rule in rules), *(f"control/{slug}" for slug in controls)}
    for waiver in waivers:
        if waiver.rule not in known and not waiver.rule.startswith("finding/"):
            raise PolicyError(f"waivers: no rule is called {waiver.rule!r}", tip=did_you_mean(waiver.rule, known))
    _check_unique("waivers", (), (waiver.rule for waiver in waivers))


class _Section:
    """A mapping of a policy, and where it stands."""

    def __init__(self, values: object, where: str, known: Iterable[str]) -> None:
        known = tuple(known)
        if not isinstance(values, Mapping):
            raise PolicyError(f"{where}: expected {', '.join(known)}, got {_named(values)}")
        for key in values:
            if key not in known:
                raise PolicyError(f"{where}: unknown key {key!r}", tip=did_you_mean(str(key), known))
        self.values, self.where = values, where

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        value = self.values.get(key, default) if key in self else default
        if isinstance(value, bool) or not isinstance(value, int | float):
            tip = f"{key}: {low:g}, as a plain decimal number; 1e-3 is text to YAML, 0.001 is not"
            raise PolicyError(f"{self._place(key)}: expected a number, got {_named(value)}", tip=tip)
        if not math.isfinite(value) or not low <= value <= high:
            raise PolicyError(f"{self._place(key)}: expected a number from {low:g} to {high:g}, got {value!r}")
        return float(value)

    def whole(self, key: str, default: int | None) -> int:
        value = self.values.get(key, default)
        if type(value) is not int or not 0 <= value < 2**53:
            raise PolicyError(f"{self._place(key)}: expected a whole number from 0, got {_named(value)}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise PolicyError(f"{self._place(key)}: expected text, got {_named(value)}")
        return value.strip()

    def choice(self, key: str, default: str | None, known: Iterable[str]) -> str | None:
        if key not in self:
            return default
        return self.check_name(key, self.text(key), known)

    def check_name(self, key: str, name: str, known: Iterable[str]) -> str:
        if name not in (names := list(known)):
            raise PolicyError(f"{self._place(key)}: there is no {name!r}", tip=did_you_mean(name, names))
        return name

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        if key not in self:
            return default
        items = self._list(key)
        if any(not isinstance(item, str) for item in items):
            raise PolicyError(f"{self._place(key)}: expected a list of names, got {_named(items)}")
        return tuple(dict.fromkeys(cast("list[str]", items)))

    def section(self, key: str, known: Iterable[str]) -> "_Section":
        return _Section(self.values[key] if key in self else {}, key, known)

    def sections(self, key: str, known: Iterable[str]) -> list["_Section"]:
        items = self._list(key) if key in self else []
        return [_Section(item, f"{key}[{number}]", known) for number, item in enumerate(items, start=1)]

    def _list(self, key: str) -> list[object]:
        value = self.values[key]
        if not isinstance(value, list):
            raise PolicyError(f"{self._place(key)}: expected a list, got {_named(value)}")
        return value

    def _place(self, key: str) -> str:
        return key if self.where == "policy" else f"{self.where}.{key}"


def _named(value: object) -> str:
    """A value as it is said in a message."""
    if value is None:
        return "nothing"
    kind = {bool: "true or false", str: "the text", int: "the number", float: "the number"}.get(type(value))
    shown = repr(value)
    return f"{kind or type(value).__name__} {shown if len(shown) <= 60 else shown[:59] + '…'}"
