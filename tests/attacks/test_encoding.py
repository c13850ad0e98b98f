import numpy as np
import pytest

from mi_audit.attacks._inputs import Encoding, standardisation, unit_mean
from mi_audit.errors import MismatchError, OutputsError
from tests.attacks.samples import plain

COLUMNS = ("loss", "class", "entropy")


def observations(rows: list[tuple[float, int, float]]):
    inputs = np.array(rows, dtype=np.float64)
    return plain(inputs, inputs[:, 1].astype(np.int64), COLUMNS)


def test_the_class_number_gives_way_to_the_means_of_its_class():
    # 90 samples of class 2 at (1, 10) and 10 of class 5 at (3, 20): the mean of all is (1.2, 11).
    seen = observations([(1, 2, 10)] * 90 + [(3, 5, 20)] * 10)
    matrix = Encoding.of(seen, np.ones(100)).matrix(seen)
    assert matrix.shape == (100, 4)
    np.testing.assert_array_equal(matrix[:, :2], seen.inputs[:, [0, 2]])
    # Each class counts ten samples at the mean of all besides its own.
    np.testing.assert_allclose(matrix[0, 2:], [(90 * 1 + 10 * 1.2) / 100, (90 * 10 + 10 * 11) / 100])
    np.testing.assert_allclose(matrix[-1, 2:], [(10 * 3 + 10 * 1.2) / 20, (10 * 20 + 10 * 11) / 20])


def test_a_class_not_seen_gets_the_means_of_all():
    seen = observations([(1, 2, 10)] * 90 + [(3, 5, 20)] * 10)
    encoding = Encoding.of(seen, np.ones(100))
    matrix = encoding.matrix(observations([(7, 0, 7), (7, 3, 7), (7, 9, 7)]))
    np.testing.assert_allclose(matrix[:, 2:], [[1.2, 11]] * 3)


def test_weights_count_in_the_means_and_their_scale_does_not():
    seen = observations([(1, 0, 0), (3, 0, 0), (5, 1, 0)])
    weight = np.array([3.0, 1.0, 2.0])
    means = Encoding.of(seen, weight).class_means
    overall = (3 * 1 + 1 * 3 + 2 * 5) / 6
    prior = 10 * weight.mean()
    np.testing.assert_allclose(means[0, 0], (3 * 1 + 1 * 3 + prior * overall) / (4 + prior))
    np.testing.assert_allclose(means[-1, 0], overall)
    np.testing.assert_allclose(Encoding.of(seen, 5 * weight).class_means, means)


def test_one_class_or_no_class_column_leaves_the_other_columns_alone():
    one_class = observations([(1, 4, 10), (2, 4, 20)])
    encoding = Encoding.of(one_class, np.ones(2))
    np.testing.assert_array_equal(encoding.matrix(one_class), [[1, 10], [2, 20]])
    assert encoding.n_columns == 2
    bare = plain(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, 1]))
    np.testing.assert_array_equal(Encoding.of(bare, np.ones(2)).matrix(bare), bare.inputs)


def test_other_columns_are_refused_and_the_message_names_some():
    encoding = Encoding.of(plain(np.ones((2, 5))), np.ones(2))
    with pytest.raises(MismatchError, match="column 0, column 1, column 2 and 2 more, got column 0"):
        encoding.matrix(plain(np.ones((2, 1))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_observations_that_are_not_finite_are_refused(value):
    with pytest.raises(OutputsError, match="finite"):
        Encoding.of(plain(np.ones((2, 1))), np.ones(2)).matrix(plain(np.array([[1.0], [value]])))


def test_a_target_that_gives_labels_only_leaves_nothing_to_learn_from():
    with pytest.raises(OutputsError, match="labels only") as caught:
        Encoding.of(plain(np.empty((4, 0))), np.ones(4))
    assert "naive" in caught.value.tip


def test_parts_make_the_same_encoding_again():
    seen = observations([(1, 2, 10), (3, 5, 20)])
    encoding = Encoding.of(seen, np.ones(2))
    again = Encoding.from_parts(encoding.header(), encoding.arrays())
    np.testing.assert_array_equal(again.matrix(seen), encoding.matrix(seen))


@pytest.mark.parametrize("classes", [[5, 2], [2, 2]])
def test_classes_have_to_rise(classes):
    with pytest.raises(ValueError, match="rising"):
        Encoding(COLUMNS, np.array(classes), np.zeros((3, 2)))


def test_standardised_columns_have_weighted_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    matrix, weight = rng.normal(5, 3, (50, 3)), rng.uniform(0.1, 2, 50)
    mean, factor = standardisation(matrix, weight)
    # An integer weight is a repeated row, so the reference repeats rows.
    repeats = np.round(weight * 10).astype(int)
    mean_repeated, factor_repeated = standardisation(matrix, repeats.astype(float))
    repeated = np.repeat(matrix, repeats, axis=0)
    np.testing.assert_allclose(mean_repeated, repeated.mean(axis=0))
    np.testing.assert_allclose(1 / factor_repeated, repeated.std(axis=0))
    standardised = (matrix - mean) * factor
    np.testing.assert_allclose(weight @ standardised, 0, atol=1e-12)
    np.testing.assert_allclose(weight @ standardised**2 / weight.sum(), 1)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_a_constant_column_becomes_0_even_where_its_mean_is_rounded(value):
    matrix, weight = np.full((7, 1), value), np.linspace(0.1, 1.3, 7)
    mean, factor = standardisation(matrix, weight)
    assert factor == 0
    np.testing.assert_array_equal((np.array([[value + 1]]) - mean) * factor, 0)


def test_weights_are_scaled_to_mean_1():
    np.testing.assert_allclose(unit_mean(np.array([1.0, 3.0, 8.0])), [0.25, 0.75, 2.0])


def test_what_float32_cannot_hold_is_cut_off():
    # Log-odds of float32 logits reach 6.8e38, twice the largest float32.
    seen = observations([(6.8e38, 0, -6.8e38), (1e29, 1, 0)])
    encoding = Encoding.of(seen, np.ones(2))
    matrix = encoding.matrix(seen)
    np.testing.assert_array_equal(matrix[:, :2], [[1e30, -1e30], [1e29, 0]])
    np.testing.assert_allclose(encoding.class_means[-1], [0.55e30, -0.5e30])
