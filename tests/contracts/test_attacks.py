"""What every attack promises, checked for each that is discovered, over all classes and per class."""

import dataclasses
import functools
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from mi_audit import plugins, store
from mi_audit.attacks._per_class import PerClass
from mi_audit.attacks.interface import Attack, FittedAttack, Observations
from mi_audit.errors import ContainerError, MismatchError
from tests.attacks.samples import balanced, leaky

NAMES = plugins.names("attacks")
N_KNOWN, N_HELD_OUT = 400, 2000  # per side
LIFTS = {"null": 0.0, "planted": 3.0, "inverted": -3.0}


def forms() -> Iterator[tuple[str, str, bool]]:
    """Every attack in every form: (name, argument or nothing, one per class)."""
    for name in NAMES:
        cls = plugins.plugin_class("attacks", name)
        for argument in (*cls.arguments, *cls.more_arguments) or ("",):
            if argument and cls(**{cls.argument: argument}).reads:
                continue  # needs more than outputs; tests/attacks/test_signals.py has its own
            yield name, argument, False
            if not cls.is_fixed:
                yield name, argument, True


def is_learned(name: str) -> bool:
    """Whether the attack learns what is typical of members, instead of being told."""
    cls = plugins.plugin_class("attacks", name)
    return not cls.is_fixed and cls.argument is None


FORMS = list(forms())
LEARNED = [form for form in FORMS if is_learned(form[0])]
IDS = [":".join(filter(None, (name, argument, "per-class" * per_class))) for name, argument, per_class in FORMS]
every_form = pytest.mark.parametrize("form", FORMS, ids=IDS)


def attack_of(form: tuple[str, str, bool]) -> Attack:
    name, argument, per_class = form
    options = {plugins.plugin_class("attacks", name).argument: argument} if argument else {}
    attack: Attack = plugins.load("attacks", name, options)
    return PerClass(attack) if per_class else attack


@functools.cache
def fitted(form: tuple[str, str, bool], case: str) -> FittedAttack:
    seen, is_member = leaky(N_KNOWN, LIFTS[case], seed=1)
    return attack_of(form).fit(seen, is_member, balanced(is_member), np.random.default_rng(0))


@functools.cache
def held_out(case: str) -> tuple[Observations, np.ndarray]:
    return leaky(N_HELD_OUT, LIFTS[case], seed=2)


@every_form
def test_without_a_leak_balanced_accuracy_stays_in_the_binomial_band(form):
    seen, is_member = held_out("null")
    attack = fitted(form, "null")
    half_width = 4 * math.sqrt(2 * 0.25 / N_HELD_OUT) / 2  # four standard deviations of (TPR + TNR) / 2
    balanced_accuracy = balanced_accuracy_score(is_member, attack.score(seen) > attack.threshold)
    assert abs(balanced_accuracy - 0.5) < half_width


@every_form
def test_a_planted_leak_is_found_with_members_scoring_larger(form):
    seen, is_member = held_out("planted")
    attack = fitted(form, "planted")
    score = attack.score(seen)
    assert roc_auc_score(is_member, score) > 0.6
    assert balanced_accuracy_score(is_member, score > attack.threshold) > 0.6


@pytest.mark.parametrize("form", LEARNED, ids=[IDS[FORMS.index(form)] for form in LEARNED])
def test_a_learned_attack_finds_members_that_stand_out_by_low_confidence(form):
    seen, is_member = held_out("inverted")
    attack = fitted(form, "inverted")
    score = attack.score(seen)
    assert roc_auc_score(is_member, score) > 0.75
    assert balanced_accuracy_score(is_member, score > attack.threshold) > 0.7


@every_form
def test_a_round_trip_through_bytes_changes_no_score(form):
    seen, _ = held_out("planted")
    attack = fitted(form, "planted")
    payload = attack.to_bytes()
    again = attack_of(form).fitted.from_bytes(payload)
    assert again.threshold == attack.threshold
    np.testing.assert_array_equal(again.score(seen), attack.score(seen))
    assert again.to_bytes() == payload


@every_form
def test_the_same_seed_gives_the_same_bytes_whatever_the_scale_of_the_weights(form):
    seen, is_member = leaky(N_KNOWN, LIFTS["planted"], seed=1)
    again = attack_of(form).fit(seen, is_member, 8 * balanced(is_member), np.random.default_rng(0))
    assert again.to_bytes() == fitted(form, "planted").to_bytes()


@every_form
def test_a_score_is_a_float64_per_sample_that_does_not_depend_on_the_other_samples(form):
    seen, _ = held_out("planted")
    attack = fitted(form, "planted")
    score = attack.score(seen)
    assert score.dtype == np.float64
    assert score.shape == (len(seen),)
    some = np.array([5, 3, 8, 3])
    np.testing.assert_allclose(attack.score(seen.take(some)), score[some], rtol=1e-12, atol=1e-12)
    assert attack.score(seen.take(some[:0])).shape == (0,)


@every_form
def test_fitting_leaves_its_inputs_and_the_global_generators_alone(form):
    import torch

    seen, is_member = leaky(120, LIFTS["planted"], seed=3)
    before, weight = seen.inputs.copy(), balanced(is_member)
    state, torch_state, n_threads = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()  # noqa: NPY002
    weight_before = weight.copy()
    attack_of(form).fit(seen, is_member, weight, np.random.default_rng(0))
    np.testing.assert_array_equal(seen.inputs, before)
    np.testing.assert_array_equal(weight, weight_before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == n_threads


@pytest.mark.parametrize("form", LEARNED, ids=[IDS[FORMS.index(form)] for form in LEARNED])
def test_a_learned_attack_refuses_observations_with_other_columns(form):
    other, _ = leaky(20, 0.0, seed=0, n_classes=3)
    with pytest.raises(MismatchError, match="columns"):
        fitted(form, "planted").score(other)


def test_scoring_needs_no_torch(tmp_path: Path):
    for number, form in enumerate(FORMS):
        attack = fitted(form, "planted")
        (tmp_path / f"{number}.payload").write_bytes(attack.to_bytes())
        np.save(tmp_path / f"{number}.npy", attack.score(leaky(20, 3.0, seed=4)[0]))
    script = f"""
import sys
from pathlib import Path
import numpy as np
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTorch())
from mi_audit import plugins
from mi_audit.attacks._per_class import FittedPerClass
from tests.attacks.samples import leaky
seen, _ = leaky(20, 3.0, seed=4)
for number, (name, _, per_class) in enumerate({FORMS!r}):
    fitted = FittedPerClass if per_class else plugins.plugin_class("attacks", name).fitted
    score = fitted.from_bytes(Path(f"{{number}}.payload").read_bytes()).score(seen)
    np.testing.assert_allclose(score, np.load(f"{{number}}.npy"), rtol=1e-12, atol=1e-12)
print("scored", number + 1)
"""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{script}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == f"scored {len(FORMS)}\n", done.stderr


@every_form
def test_bytes_that_are_no_payload_of_this_attack_are_refused(form):
    read = attack_of(form).fitted.from_bytes
    payload = fitted(form, "planted").to_bytes()
    foreign = store.to_bytes({"attack": "another"}, {"values": np.zeros(3)})
    nameless = store.to_bytes({}, {})
    for hostile in (b"", b"not a payload", payload[: len(payload) // 2], pickle.dumps(print), foreign, nameless):
        with pytest.raises(ContainerError):
            read(hostile)


ARRAY_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "shorter": lambda values: values[:-1],
    "twice as long": lambda values: np.concatenate([values, values]),
    "empty": lambda values: values[:0],
    "another rank": lambda values: values[..., None],
    "another type": lambda values: values.astype(np.int32 if values.dtype.kind == "f" else np.float32),
    "nan or largest": lambda values: np.full_like(
        values, np.nan if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    ),
    "infinite or smallest": lambda values: np.full_like(
        values, np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
    ),
    "zeros": np.zeros_like,
    "reversed": lambda values: values[::-1].copy(),
}


def refused_or_harmless(form: tuple[str, str, bool], header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """A payload that was tampered with is refused, or what it means can be scored: nothing in between."""
    seen = held_out("planted")[0].take(np.arange(50))
    try:
        attack = attack_of(form).fitted.from_bytes(store.to_bytes(header, arrays))
    except ContainerError:
        return
    try:
        assert attack.score(seen).shape == (50,)
    except MismatchError:
        assert attack.to_bytes() != fitted(form, "planted").to_bytes()


@every_form
def test_a_payload_whose_parts_were_changed_is_refused_or_harmless(form):
    header, arrays = store.from_bytes(fitted(form, "planted").to_bytes())
    for name in arrays:
        refused_or_harmless(form, header, {key: values for key, values in arrays.items() if key != name})
        for change in ARRAY_CHANGES.values():
            refused_or_harmless(form, header, arrays | {name: change(arrays[name])})
    for name in header:
        refused_or_harmless(form, {key: value for key, value in header.items() if key != name}, arrays)
        for value in (None, -1, 3, 1e300, 10**400, "word", [], ["word"], [1], {}):
            refused_or_harmless(form, header | {name: value}, arrays)


@pytest.mark.parametrize("name", NAMES)
def test_search_spaces_hold_options_that_the_attack_takes(name):
    cls = plugins.plugin_class("attacks", name)
    options = {field.name for field in dataclasses.fields(cls)}
    for space in (cls.search_space, cls.paper_search_space, cls.full_search_space):
        assert set(space) <= options
        for option, values in space.items():
            assert values
            for value in values:
                assert getattr(cls(**{option: value}), option) == value
    assert (cls.paper_draws > 0) == bool(cls.paper_search_space) == bool(cls.full_search_space)
    assert (cls.argument is None) == (not cls.arguments)


@pytest.mark.parametrize("name", NAMES)
def test_default_options_lie_in_the_search_space(name):
    attack = plugins.load("attacks", name)
    for option, values in attack.search_space.items():
        assert getattr(attack, option) in values, option
