"""The bootstrap without resampling has the law of the bootstrap with resampling."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from mi_audit.metrics.bootstrap import tail_bootstrap, tail_replicates
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.ranking import tpr_at_fpr


@pytest.mark.parametrize(("a", "n_non_members"), [(0.01, 600), (0.1, 200), (0.01, 50)])
def test_the_law_is_that_of_resampling(a, n_non_members):
    rng = np.random.default_rng(4)
    members, non_members = rng.normal(1, 1, 300), rng.normal(0, 1, n_non_members)
    score, is_member = np.concatenate([members, non_members]), np.arange(300 + n_non_members) < 300
    k = int(a * n_non_members + 1e-9)
    naive = []
    for _ in range(3000):
        cut = np.sort(rng.choice(non_members, n_non_members))[::-1][k]
        naive.append((rng.choice(members, 300) > cut).mean())
    ours = tail_replicates(Ordering.of(score, is_member).tail(), a, 3000, rng)
    assert ks_2samp(naive, ours).pvalue > 0.01


def test_the_value_is_the_empirical_recall():
    rng = np.random.default_rng(0)
    score, is_member = rng.normal(size=2000) + (np.arange(2000) < 1000), np.arange(2000) < 1000
    found = tail_bootstrap(Ordering.of(score, is_member).tail(), 0.01, rng)
    assert found.value == tpr_at_fpr(score, is_member, 0.01).value
    assert found.low < found.value < found.high


def test_an_empty_side_is_refused():
    tail = Ordering.of(np.arange(3.0), np.zeros(3, bool)).tail()
    with pytest.raises(ValueError, match="both sides"):
        tail_replicates(tail, 0.1, 10, np.random.default_rng(0))
