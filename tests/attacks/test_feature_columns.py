"""Columns of features: heavy tails, missing values, and the attacks that read them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mi_audit import plugins, store
from mi_audit.attacks._feature_columns import LARGEST, FeatureColumns, is_uninformative
from mi_audit.attacks._inputs import Encoding
from mi_audit.attacks.interface import Attack, FittedAttack, Observations
from mi_audit.attacks.threshold import FittedThreshold, Threshold
from mi_audit.errors import ContainerError, MismatchError, UsageError
from tests.attacks.samples import balanced

RNG = np.random.default_rng(0)
LEARNED = ("logistic-regression", "random-forest", "xgboost", "mlp")


def observed(**features: np.ndarray) -> Observations:
    """Observations of these features (n, k) alone; ``a_b`` stands for ``a:b``."""
    values = {name.replace("_", ":"): np.asarray(own, dtype=np.float64) for name, own in features.items()}
    columns = {name: tuple(f"c{number}" for number in range(own.shape[1])) for name, own in values.items()}
    n = len(next(iter(values.values())))
    return Observations(np.empty((n, 0)), (), {}, np.zeros(n, np.int64), np.ones(n, bool), values, columns)


def matrix(seen: Observations, known: Observations | None = None) -> np.ndarray:
    return FeatureColumns.of(known or seen).matrix(seen)


def test_a_column_of_heavy_tails_becomes_a_signed_logarithm_that_keeps_the_order():
    sizes = 10.0 ** np.linspace(-12, 3, 301)
    values = np.concatenate([-sizes[::-1], [0.0], sizes])[:, None]
    read = matrix(observed(norm=values))[:, 0]
    assert (np.diff(read) > 0).all()
    assert read[301] == 0
    np.testing.assert_allclose(read, -read[::-1])
    assert np.abs(read).max() < 40


def test_a_heavy_column_of_a_narrow_feature_is_read_on_its_own_scale_too():
    values = 10.0 ** np.linspace(-12, 3, 301)[:, None]
    read = matrix(observed(norm=values))
    limit = np.percentile(values, 99)
    np.testing.assert_allclose(read[:, 1], np.minimum(values[:, 0], limit) / limit)
    wide = matrix(observed(layer=np.repeat(values, 17, axis=1)))
    assert wide.shape == (301, 18)


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform", "standard_cauchy"])
def test_columns_of_ordinary_tails_stay_as_they_are(draw):
    values = getattr(RNG, draw)(size=(5000, 1))
    np.testing.assert_array_equal(matrix(observed(unit=values))[:, :1], values)


def test_a_missing_value_is_the_known_median_and_has_a_column_that_says_so():
    known = observed(a=np.array([[1.0, 5], [2, np.nan], [9, 7]]), b=np.array([[1.0], [1], [4]]))
    seen = observed(a=np.array([[np.nan, np.nan], [3, np.nan], [4, 4]]), b=np.array([[np.nan], [2], [3]]))
    expected = [[2, 6, 1, 0, 0, 0, 1, 1], [3, 6, 2, 0, 0, 0, 1, 0], [4, 4, 3, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(matrix(seen, known), expected)


def test_the_number_of_columns_does_not_depend_on_what_is_missing():
    whole, gaps = observed(a=np.ones((4, 2))), observed(a=np.full((4, 2), np.nan))
    assert FeatureColumns.of(whole).n_columns == FeatureColumns.of(gaps).n_columns == 5
    np.testing.assert_array_equal(matrix(gaps), [[0, 0, 0, 0, 1]] * 4)


def test_infinite_values_are_cut_off_and_everything_is_finite():
    known = observed(a=10.0 ** RNG.uniform(-15, -5, (200, 1)))
    seen = observed(a=np.array([[np.inf], [-np.inf], [3e29], [0.0]]))
    read = matrix(seen, known)
    assert np.isfinite(read).all()
    assert read[0, 0] > read[2, 0] > read[3, 0] > read[1, 0]
    assert np.abs(matrix(observed(b=np.array([[np.inf], [1.0]])))).max() == LARGEST


def test_what_is_not_known_changes_nothing():
    known = observed(a=RNG.normal(size=(50, 3)))
    some = observed(a=RNG.normal(size=(8, 3)))
    reading = FeatureColumns.of(known)
    np.testing.assert_array_equal(reading.matrix(some)[2:3], reading.matrix(some.take(np.array([2]))))


def test_an_encoding_with_features_comes_back_from_its_parts_in_the_same_order():
    known = observed(z=10.0 ** RNG.uniform(-9, 3, (60, 2)), a=RNG.normal(size=(60, 1)))
    encoding = Encoding.of(known, np.ones(60))
    header, arrays = store.from_bytes(store.to_bytes(encoding.header(), encoding.arrays()))
    again = Encoding.from_parts(header, arrays)
    np.testing.assert_array_equal(again.matrix(known), encoding.matrix(known))
    assert list(again.features.columns) == ["z", "a"]


@pytest.mark.parametrize(
    "change",
    [
        {"feature_scale": np.zeros(2)},
        {"feature_scale": np.full(3, -1.0)},
        {"feature_limit": np.full(3, -1.0)},
        {"feature_fill": np.full(3, np.nan)},
        {"feature_fill": np.zeros((3, 1))},
    ],
)
def test_parts_that_do_not_fit_are_refused(change):
    encoding = Encoding.of(observed(a=RNG.normal(size=(60, 3))), np.ones(60))
    with pytest.raises(ValueError, match="expected"):
        Encoding.from_parts(encoding.header(), encoding.arrays() | change)


def test_other_features_or_columns_are_refused():
    encoding = Encoding.of(observed(a=np.ones((4, 2))), np.ones(4))
    with pytest.raises(MismatchError, match="columns a c0, a c1, got b c0, b c1"):
        encoding.matrix(observed(b=np.ones((4, 2))))
    with pytest.raises(MismatchError, match=r"got a c0$"):
        encoding.matrix(observed(a=np.ones((4, 1))))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, 2.0], [1.0, 2.0]], True),
        ([[1.0, np.nan], [1.0, np.nan]], True),
        ([[1.0], [np.nan]], False),
        ([[1.0, 0.0], [1.0, 1e-30]], False),
        (np.empty((0, 3)), True),
    ],
)
def test_a_feature_is_uninformative_where_all_samples_are_alike(values, expected):
    assert is_uninformative(np.asarray(values)) is expected


def gradients(lift: float, n_side: int, seed: int) -> tuple[Observations, np.ndarray]:
    """Norms over fifteen decades, those of members smaller by 3 * `lift` of them; one in ten missing."""
    rng = np.random.default_rng(seed)
    is_member = np.arange(2 * n_side) < n_side
    values = 10 ** (rng.normal(-5, 3, (2 * n_side, 3)) - 3 * lift * is_member[:, None])
    values[rng.random(2 * n_side) < 0.1] = np.nan
    return observed(norm_w=values), is_member


def fitted(name: str, lift: float) -> FittedAttack:
    seen, is_member = gradients(lift, 400, seed=1)
    attack: Attack = plugins.load("attacks", name, {"column": "c1"} if name == "threshold" else {})
    return attack.fit(seen, is_member, balanced(is_member), np.random.default_rng(0))


@pytest.mark.parametrize("name", [*LEARNED, "threshold"])
@pytest.mark.parametrize("lift", [1.0, -1.0])
def test_a_leak_over_many_decades_is_found_on_either_side(name, lift):
    seen, is_member = gradients(lift, 2000, seed=2)
    score = fitted(name, lift).score(seen)
    assert np.isfinite(score).all()
    assert roc_auc_score(is_member, score) > (0.7 if name == "threshold" else 0.8)


@pytest.mark.parametrize("name", [*LEARNED, "threshold"])
def test_a_round_trip_through_bytes_changes_no_score_on_features(name):
    attack = fitted(name, 1.0)
    again = type(attack).from_bytes(attack.to_bytes())
    seen, _ = gradients(1.0, 50, seed=3)
    np.testing.assert_array_equal(again.score(seen), attack.score(seen))
    assert again.to_bytes() == attack.to_bytes()


def test_a_threshold_cuts_the_column_in_its_direction_and_missing_values_at_the_median():
    values = np.array([[1.0], [2], [np.nan], [4], [5]])
    is_member = np.array([True, True, False, False, False])
    attack = Threshold(column="c0").fit(observed(d=values), is_member, np.ones(5), RNG)
    assert (attack.direction, attack.fill) == (-1, 3.0)
    np.testing.assert_array_equal(attack.score(observed(d=values)), [-1, -2, -3, -4, -5])
    np.testing.assert_array_equal(attack.score(observed(d=values)) > attack.threshold, is_member)


def test_a_column_has_to_be_there_once():
    with pytest.raises(UsageError, match="expected one column 'c7' to cut, got 0") as caught:
        Threshold(column="c7").fit(observed(a=np.ones((2, 1))), np.array([True, False]), np.ones(2), RNG)
    assert "there is: c0" in caught.value.tip
    seen = observed(a=np.ones((2, 1)), b=np.ones((2, 1)))
    with pytest.raises(UsageError, match="got 2"):
        Threshold(column="c0").fit(seen, np.array([True, False]), np.ones(2), RNG)
    with pytest.raises(MismatchError, match="'c1'"):
        FittedThreshold("loss", 0.0, "c1").score(observed(a=np.ones((2, 1))))


@pytest.mark.parametrize(
    "change", [{"direction": 0}, {"direction": 0.5}, {"direction": "1"}, {"fill": None}, {"column": 3}]
)
def test_a_payload_with_a_strange_column_is_refused(change):
    header, _ = store.from_bytes(FittedThreshold("loss", 0.0, "c0", -1, 2.0).to_bytes())
    with pytest.raises(ContainerError, match="threshold"):
        FittedThreshold.from_bytes(store.to_bytes(header | change, {}))
