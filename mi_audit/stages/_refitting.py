"""Attacks of an audit fitted anew, for controls: on other membership, or on the outputs of another network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mi_audit import plugins
from mi_audit.attacks.interface import Attack, Observations, observe
from mi_audit.controls.interface import Refitted
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttack, TrainedAttacks
from mi_audit.stages._balancing import balanced

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# At most so many known samples are read by a refit, and so many held-out ones scored: a control that takes as long as
# the audit would not be run.
MAX_KNOWN, MAX_HELD_OUT = 10_000, 10_000
# Its fit needs torch, without which caches can be evaluated.
_NEEDS_TORCH = "mlp"


def refitting(cache: FeatureCache, trained: TrainedAttacks, is_held_out: BoolArray, seed: int) -> "Refitting | None":
    """What fits attacks of this audit anew; ``None`` where there is none to fit, or nothing to fit it on.

    The selected attack is refitted, or where nothing of it is fitted, or its fit takes torch, the one with the next
    highest cross-validated AUC; an attack that is fitted by class or subset is refitted as one for all.
    """
    labels = _by_preference(trained)
    is_known = np.isin(cache.sample_id, trained.known_id)
    rng = np.random.default_rng([seed, *b"refitting"])
    known, held_out = _drawn(is_known, MAX_KNOWN, rng), _drawn(is_held_out, MAX_HELD_OUT, rng)
    if not labels or not len(known) or not len(held_out):
        return None
    attacks = {attack.label: attack for attack in trained.attacks}
    balance = trained.provenance.get("options", {}).get("balance", "weights")
    return Refitting(cache, tuple(attacks[label] for label in labels), known, held_out, balance, seed)


@dataclass(frozen=True)
class Refitting:
    """`Refit` for one audit.

    Attributes:
        cache: the feature cache.
        attacks: the one to refit first.
        known, held_out: positions of the samples to fit on and to score.
        balance: how both sides get the same say.
        seed: of the fits.
    """

    cache: FeatureCache
    attacks: Sequence[TrainedAttack]
    known: IntArray
    held_out: IntArray
    balance: str
    seed: int

    @property
    def n_known(self) -> int:
        """How many known samples a fit reads."""
        return len(self.known)

    def __call__(self, is_member: BoolArray, outputs: npt.NDArray[np.float32] | None = None) -> Refitted:
        """See `Refit.__call__`."""
        if outputs is None:
            return self._fitted(self.attacks[0], self._seen, is_member)
        one = next((attack for attack in self.attacks if attack.on == (OUTPUTS,)), self.attacks[0])
        other = replace(
            self.cache,
            outputs=np.asarray(outputs),
            outputs_kind="logits",
            predicted=outputs.argmax(axis=1).astype(np.int64),
            features={},
            columns={},
        )
        return self._fitted(one, self._observed(other, one), is_member)

    @cached_property
    def _seen(self) -> tuple[Observations, Observations]:
        """What the first attack sees of the known and of the held-out samples, the same for every membership."""
        return self._observed(self.cache, self.attacks[0])

    def _observed(self, cache: FeatureCache, one: TrainedAttack) -> tuple[Observations, Observations]:
        on = tuple(name for name in one.on if name == OUTPUTS or name in cache.features) or (OUTPUTS,)
        return observe(cache, self.known, one.view, on), observe(cache, self.held_out, one.view, on)

    def _fitted(self, one: TrainedAttack, seen: tuple[Observations, Observations], is_member: BoolArray) -> Refitted:
        score = np.full(len(is_member), np.nan)
        told = is_member[self.known]
        if told.any() and not told.all():
            rng = np.random.default_rng([self.seed, *one.label.encode()])
            attack: Attack = plugins.load("attacks", one.name, _options(one))
            rows, weight = balanced(told, np.zeros(len(told), np.int64), self.balance, rng)  # type: ignore[arg-type]
            score[self.held_out] = attack.fit(seen[0].take(rows), told[rows], weight, rng).score(seen[1])
        return Refitted(one.label, score)


def _by_preference(trained: TrainedAttacks) -> list[str]:
    """Labels of the attacks that are fitted: the selected one, then by cross-validated AUC; those with torch last."""
    fitted = [attack for attack in trained.attacks if not attack.is_fixed]

    def rank(attack: TrainedAttack) -> tuple[bool, bool, float]:
        return attack.name == _NEEDS_TORCH, attack.label != trained.selected, -(attack.auc or 0.0)

    return [attack.label for attack in sorted(fitted, key=rank)]


def _options(one: TrainedAttack) -> dict[str, object]:
    """The plug-in's fields; lists that were tuples before they travelled as JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in one.options.items()}


def _drawn(mask: BoolArray, n: int, rng: np.random.Generator) -> IntArray:
    """At most n positions of the mask, rising."""
    rows = np.flatnonzero(mask)
    return rows if len(rows) <= n else np.sort(rng.permutation(rows)[:n])
