import numpy as np
import pytest
from scipy.optimize import minimize

from mi_audit import plugins
from mi_audit.attacks._inputs import Encoding, standardisation
from mi_audit.attacks.logistic_regression import LogisticRegression
from mi_audit.errors import UsageError
from tests.attacks.samples import balanced, leaky, plain

RNG = np.random.default_rng(0)


def test_the_coefficients_minimise_the_penalised_weighted_log_loss():
    seen, is_member = leaky(100, lift=1.0, seed=0, n_classes=3)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(is_member))
    fitted = LogisticRegression(c=0.2).fit(seen, is_member, weight, RNG)
    matrix = Encoding.of(seen, weight).matrix(seen)
    mean, factor = standardisation(matrix, weight)
    standardised, sign = (matrix - mean) * factor, np.where(is_member, 1, -1)

    def objective(parameters: np.ndarray) -> float:
        margin = sign * (standardised @ parameters[:-1] + parameters[-1])
        penalty = 0.5 * parameters[:-1] @ parameters[:-1]
        return 0.2 * (weight / weight.mean()) @ np.logaddexp(0, -margin) + penalty

    best = minimize(objective, np.zeros(matrix.shape[1] + 1), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(fitted.coefficient, best.x[:-1], atol=1e-4)
    np.testing.assert_allclose(fitted.intercept, best.x[-1:], atol=1e-4)


def test_the_score_is_the_probability_under_the_coefficients():
    seen, is_member = leaky(50, lift=1.0, seed=0)
    fitted = LogisticRegression().fit(seen, is_member, balanced(is_member), RNG)
    standardised = (fitted.encoding.matrix(seen) - fitted.mean) * fitted.factor
    logit = standardised @ fitted.coefficient + fitted.intercept
    np.testing.assert_allclose(fitted.score(seen), 1 / (1 + np.exp(-logit)), rtol=1e-12)


@pytest.mark.parametrize("c", [1e-6, 1.0, 1e12])
def test_separable_collinear_and_constant_columns_fit_without_a_warning(c):
    is_member = np.arange(40) < 20
    column = np.where(is_member, 1.0, -1.0)
    seen = plain(np.column_stack([column, 2 * column, np.ones(40), 1e6 * column]))
    fitted = LogisticRegression(c=c).fit(seen, is_member, balanced(is_member), RNG)
    np.testing.assert_array_equal(fitted.score(seen) > fitted.threshold, is_member)
    assert fitted.coefficient[2] == 0


def test_extreme_samples_score_0_and_1_without_a_warning():
    is_member = np.arange(40) < 20
    seen = plain(np.where(is_member, 1.0, -1.0)[:, None] + np.random.default_rng(0).normal(0, 0.1, (40, 1)))
    fitted = LogisticRegression().fit(seen, is_member, balanced(is_member), RNG)
    np.testing.assert_array_equal(fitted.score(plain(np.array([[-1e9], [1e9]]))), [0, 1])


def test_a_class_with_more_members_moves_the_scores_of_its_samples():
    # Both classes have the same signal; members are 90 % of class 1 and 10 % of class 0.
    rng = np.random.default_rng(0)
    label = np.arange(400) % 2
    is_member = rng.random(400) < np.where(label == 1, 0.9, 0.1)
    inputs = np.column_stack([rng.normal(label, 0.01), label])
    seen = plain(inputs, label, ("signal", "class"))
    score = LogisticRegression().fit(seen, is_member, np.ones(400), RNG).score(seen)
    assert score[label == 1].min() > 0.5 > score[label == 0].max()


@pytest.mark.parametrize("c", ["0", "-1"])
def test_c_has_to_be_positive(c):
    with pytest.raises(UsageError, match="c above 0"):
        plugins.load("attacks", "logistic-regression", {"c": c})
