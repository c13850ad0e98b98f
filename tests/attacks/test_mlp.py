import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mi_audit import plugins, store
from mi_audit.attacks.mlp import HIDDEN, MLP, FittedMLP
from mi_audit.errors import ContainerError, UsageError
from tests.attacks.samples import balanced, leaky, plain

SEEN, IS_MEMBER = leaky(100, lift=2.0, seed=0)
WEIGHT = balanced(IS_MEMBER)
FITTED = MLP(epochs=2).fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))


def test_the_score_is_the_sigmoid_of_the_layers_on_standardised_columns():
    import torch

    hidden = torch.from_numpy((FITTED.encoding.matrix(SEEN) - FITTED.mean) * FITTED.factor)
    for number, (weight, bias) in enumerate(FITTED.layers):
        hidden = hidden @ torch.tensor(weight).double() + torch.tensor(bias).double()
        hidden = hidden.relu() if number < 2 else hidden.sigmoid()
    np.testing.assert_allclose(FITTED.score(SEEN), hidden[:, 0].numpy(), rtol=1e-12)


def test_the_hidden_layers_are_those_of_the_founding_paper():
    assert [len(bias) for _, bias in FITTED.layers] == [128, 64, 1]
    assert HIDDEN == (128, 64)


def test_without_scaling_the_bare_columns_go_in():
    fitted = MLP(epochs=1, scale=False).fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    np.testing.assert_array_equal(fitted.mean, 0)
    np.testing.assert_array_equal(fitted.factor, 1)


def test_fitting_one_network_is_a_stack_of_one():
    alone = MLP(epochs=2).fit_each([np.arange(len(SEEN))], SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    assert [network.to_bytes() for network in alone] == [FITTED.to_bytes()]


def test_a_network_among_others_learns_what_it_learns_alone():
    groups = [np.flatnonzero(SEEN.label == number)[: 50 - 10 * number] for number in range(4)]
    together = MLP(epochs=3).fit_each(groups, SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    for rows, network in zip(groups, together, strict=True):
        # A stack draws one seed per network, and so does a network alone: the same ones, in turn.
        alone = MLP(epochs=3).fit(SEEN.take(rows), IS_MEMBER[rows], WEIGHT[rows], rng)
        np.testing.assert_allclose(network.score(SEEN), alone.score(SEEN), atol=1e-5)


def test_a_weight_counts_like_repeated_samples():
    # One column, the same for all: the best a network can say is the weighted share of members.
    is_member = np.arange(90) < 30
    seen = plain(np.ones((90, 1)))
    attack = MLP(epochs=300, learning_rate=0.01, weight_decay=0.0)
    unweighted = attack.fit(seen, is_member, np.ones(90), np.random.default_rng(0)).score(seen)
    weighted = attack.fit(seen, is_member, balanced(is_member), np.random.default_rng(0)).score(seen)
    np.testing.assert_allclose(unweighted, 1 / 3, atol=0.01)
    np.testing.assert_allclose(weighted, 1 / 2, atol=0.01)


def test_it_learns_what_no_line_separates():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (1000, 2))
    is_member = inputs[:, 0] * inputs[:, 1] > 0
    attack = MLP(epochs=40)
    score = attack.fit(plain(inputs[:500]), is_member[:500], np.ones(500), rng).score(plain(inputs[500:]))
    assert roc_auc_score(is_member[500:], score) > 0.95


@pytest.mark.parametrize(
    "changes",
    [
        {"bias_2": np.zeros(2, np.float32)},  # two outputs
        {"bias_0": np.zeros(127, np.float32)},  # a layer that does not fit the next
        {"weight_1": np.zeros((64, 128), np.float32)},
        {"weight_0": np.full((20, 128), np.nan, np.float32)},
    ],
)
def test_layers_that_do_not_fit_together_are_refused(changes):
    header, arrays = store.from_bytes(FITTED.to_bytes())
    with pytest.raises(ContainerError, match="mlp"):
        FittedMLP.from_bytes(store.to_bytes(header, arrays | changes))


@pytest.mark.parametrize("n_layers", [0, 2, 4, 10**9])
def test_another_number_of_layers_is_refused(n_layers):
    header, arrays = store.from_bytes(FITTED.to_bytes())
    with pytest.raises(ContainerError, match="mlp"):
        FittedMLP.from_bytes(store.to_bytes(header | {"n_layers": n_layers}, arrays))


@pytest.mark.parametrize(
    ("option", "value"),
    [("epochs", "0"), ("batch_size", "0"), ("learning_rate", "0"), ("weight_decay", "-1"), ("scale", "perhaps")],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(UsageError, match=option):
        plugins.load("attacks", "mlp", {option: value})


def test_training_that_diverges_is_an_error_of_usage():
    with pytest.raises(UsageError, match="diverged"):
        MLP(learning_rate=1e6, epochs=30).fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
