"""Trials on a few samples and on all: what is saved changes no answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mi_audit.target_model import Preprocessing, TargetModel
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._identification.candidates import search
from mi_audit.targets._identification.hypotheses import hypotheses
from mi_audit.targets._identification.trials import Trial, try_out
from mi_audit.targets._identification.trying import tried
from mi_audit.targets.file import File
from mi_audit.targets.interface import Probe, TargetRequest
from tests.targets.identification.networks import SHAPE, fitted, pictures

CIFAR10 = Preprocessing((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
N, N_FIRST = 300, 128


@pytest.fixture(scope="module")
def network() -> tuple[torch.nn.Module, Probe]:
    return fitted("cifar_resnet20", CIFAR10, pictures(N))


def request(probe: Probe) -> TargetRequest:
    return TargetRequest(n_classes=10, shape=SHAPE, probe=lambda _: probe)


def trials(folder: Path, network: tuple[torch.nn.Module, Probe]) -> list[Trial]:
    module, probe = network
    torch.save(module.state_dict(), folder / "net.pt")
    checkpoint = open_state_dict(folder / "net.pt")
    candidates = search(checkpoint, SHAPE[:2]).candidates
    questions = {one.name: hypotheses(one, checkpoint.hints, request(probe)) for one in candidates}
    return tried(candidates, questions, request(probe))[1]


def test_a_trial_that_goes_on_is_the_trial_on_all(tmp_path: Path, network: tuple[torch.nn.Module, Probe]) -> None:
    module, probe = network
    for one in trials(tmp_path, network):
        target = TargetModel(module, one.hypothesis.preprocessing, 10, "", "", "")
        whole = try_out(one.hypothesis, target, probe)
        look = try_out(one.hypothesis, target, probe, N_FIRST)
        count = look.seen[0].count
        went_on = try_out(one.hypothesis, target, probe, before=look)
        assert (len(look.is_correct), look.seen[0].count) == (N_FIRST, count)
        assert np.array_equal(went_on.is_correct, whole.is_correct)
        assert np.allclose(went_on.loss, whole.loss, atol=1e-4)
        assert went_on.drift == pytest.approx(whole.drift, rel=1e-4)
        assert try_out(one.hypothesis, target, probe, before=went_on) is went_on


def test_what_a_first_look_rules_out_is_not_tried_on_all_and_the_likeliest_always_is(
    tmp_path: Path, network: tuple[torch.nn.Module, Probe]
) -> None:
    first, *others = trials(tmp_path, network)
    assert len(first.is_correct) == N
    assert {len(one.is_correct) for one in others} == {N_FIRST}
    assert max(one.accuracy for one in others) < first.accuracy - 0.05


def test_the_likeliest_is_vetoed_by_all_samples_only(tmp_path: Path) -> None:
    found = trials(tmp_path, fitted("cifar_resnet20", Preprocessing((0.0,) * 3, (1.0,) * 3), pictures(N)))
    right = max(found, key=lambda one: one.accuracy)
    assert right is not found[0]
    assert (len(found[0].is_correct), len(right.is_correct)) == (N, N)


def test_samples_are_counted_where_they_differ(tmp_path: Path, network: tuple[torch.nn.Module, Probe]) -> None:
    module, probe = network
    torch.save(module.state_dict(), tmp_path / "net.pt")
    target = File().open(str(tmp_path / "net.pt"), request(probe))
    note = next(note for note in target.notes if note.startswith("tried on"))
    assert note.startswith(f"tried on {N} samples: 0.4914,0.4822,0.4465 / 0.2023,0.1994,0.201 gives 100.0 %;")
    assert f"% of {N_FIRST}" in note
    assert f"% of {N}" not in note
