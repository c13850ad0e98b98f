"""The rule: the data may veto the likeliest hypothesis, and never overrule it within noise."""

import numpy as np
import pytest

from mi_audit.target_model import Preprocessing
from mi_audit.targets._build import find
from mi_audit.targets._fitting import Fit
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._identification.deciding import decided, is_at_chance, is_more_accurate
from mi_audit.targets._identification.hypotheses import Hypothesis
from mi_audit.targets._identification.trials import Trial

N = 500
DRAWS = np.random.default_rng(3)


def trial(
    accuracy: float,
    name: str = "cifar_resnet20",
    rank: int = 0,
    drift: float | None = None,
    loss: float = 1.0,
    n: int = N,
) -> Trial:
    """A trial that is right on the first so many samples."""
    fit = Fit(find(name)[0], (32, 32), 1, (), (), (), 10, 3)
    hypothesis = Hypothesis(Candidate(fit, {}, "", rank), Preprocessing((0.5,), (0.5,)))
    return Trial(hypothesis, np.arange(n) < round(accuracy * n), np.full(n, loss) + DRAWS.normal(0, 0.1, n), drift)


def test_a_difference_within_noise_overrules_nothing() -> None:
    prior, other = trial(0.90), trial(0.912)
    decision = decided([prior, other], 10)
    assert decision.chosen is prior
    assert not decision.is_vetoed


def test_a_difference_beyond_noise_is_a_veto() -> None:
    prior, other = trial(0.70), trial(0.90)
    decision = decided([prior, other], 10)
    assert decision.chosen is other
    assert decision.is_vetoed


def test_what_is_at_chance_is_out_and_the_likeliest_of_the_rest_stands() -> None:
    prior, second, third = trial(0.11), trial(0.80), trial(0.81)
    assert decided([prior, second, third], 10).chosen is second


def test_nothing_above_chance_is_nothing() -> None:
    decision = decided([trial(0.10), trial(0.12)], 10)
    assert (decision.chosen, decision.standing) == (None, ())


def test_too_few_samples_cannot_show_chance() -> None:
    assert not is_at_chance(trial(0.0, n=2), 10)
    assert is_at_chance(trial(0.0, n=4), 10)
    assert decided([trial(0.5, n=4)], 2).chosen is not None


def test_the_same_samples_are_compared() -> None:
    """Discordant samples count, and nothing else: 11 against 0 is below 0.001, 10 against 0 is not."""
    base = trial(0.5)
    assert is_more_accurate(trial((N / 2 + 11) / N), base)
    assert not is_more_accurate(trial((N / 2 + 10) / N), base)
    assert not is_more_accurate(base, base)


def test_equally_likely_networks_are_told_apart_by_their_losses() -> None:
    one, other = trial(0.9, "cifar_resnet20", loss=1.0), trial(0.9, "cifar_resnet32", loss=0.5)
    assert decided([one, other], 10).chosen is other


def test_equally_likely_networks_that_the_data_cannot_tell_apart_are_an_error() -> None:
    one, other = trial(0.9, "cifar_resnet20"), trial(0.9, "cifar_resnet32")
    decision = decided([one, other], 10)
    assert decision.chosen is None
    assert set(map(id, decision.standing)) == {id(one), id(other)}


def test_a_less_likely_network_is_no_rival_within_noise() -> None:
    one, other = trial(0.9, "cifar_resnet20", loss=1.0), trial(0.9, "cifar_resnet32", rank=1, loss=0.5)
    assert decided([one, other], 10).chosen is one


@pytest.mark.parametrize(("near", "far", "stands"), [(0.2, 0.4, True), (0.2, 2.0, False), (0.002, 0.02, True)])
def test_statistics_that_are_far_off_contradict(near: float, far: float, *, stands: bool) -> None:
    """A factor of two is what augmentation does; a factor of ten is another normalisation."""
    prior, other = trial(0.90, drift=far), trial(0.91, drift=near)
    assert (decided([prior, other], 10).chosen is prior) is stands


def test_a_veto_by_accuracy_against_the_statistics_is_a_contradiction() -> None:
    decision = decided([trial(0.70, drift=0.1), trial(0.90, drift=3.0)], 10)
    assert decision.chosen is None
    assert "statistics of the BatchNorm layers" in decision.why
