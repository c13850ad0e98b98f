import numpy as np
import pytest

from mi_audit.attacks._trees import Trees

# Tree 0: x0 <= 1 ? 0.1 : (x1 <= 5 ? 0.2 : 0.3). Tree 1: the leaf 0.5.
STARTS = np.array([0, 5, 6])
FEATURE = np.array([0, -1, 1, -1, -1, -1])
LEFT = np.array([1, -1, 3, -1, -1, -1])
RIGHT = np.array([2, -1, 4, -1, -1, -1])
VALUE = np.array([1.0, 0.1, 5.0, 0.2, 0.3, 0.5])


def trees(**changes: np.ndarray) -> Trees:
    parts = {"starts": STARTS, "feature": FEATURE, "left": LEFT, "right": RIGHT, "value": VALUE}
    return Trees(**(parts | changes))


def test_a_walk_goes_left_at_the_threshold_and_right_above_it():
    matrix = np.array([[1, 9], [1.0000001, 5], [2, 5.000001], [-np.inf, 0]], dtype=np.float32)
    np.testing.assert_allclose(trees().mean(matrix), [(0.1 + 0.5) / 2, (0.2 + 0.5) / 2, (0.3 + 0.5) / 2, 0.3])


def test_blocks_of_rows_and_of_trees_fit_together(monkeypatch):
    monkeypatch.setattr("mi_audit.attacks._trees._BLOCK_ROWS", 3)
    monkeypatch.setattr("mi_audit.attacks._trees._BLOCK_WALKS", 4)
    matrix = np.random.default_rng(0).uniform(0, 10, (11, 2)).astype(np.float32)
    first = np.where(matrix[:, 0] <= 1, 0.1, np.where(matrix[:, 1] <= 5, 0.2, 0.3))
    np.testing.assert_allclose(trees().mean(matrix), (first + 0.5) / 2)


def test_no_rows_give_no_results():
    assert trees().mean(np.empty((0, 2), np.float32)).shape == (0,)


def changed(values: np.ndarray, at: int, to: float) -> np.ndarray:
    values = values.copy()
    values[at] = to
    return values


@pytest.mark.parametrize(
    "changes",
    [
        {"right": changed(RIGHT, 0, 0)},  # back to the root: for ever
        {"left": changed(LEFT, 2, 2)},  # to itself
        {"left": changed(LEFT, 2, 0)},  # to its parent
        {"right": changed(RIGHT, 2, 5)},  # into the next tree
        {"right": changed(RIGHT, 2, 2**40)},  # far out
        {"left": changed(LEFT, 0, -3)},  # before the start
        {"feature": changed(FEATURE, 1, 0)},  # an inner node without children
        {"feature": changed(FEATURE, 0, -2)},
        {"value": changed(VALUE, 0, np.nan)},
        {"value": changed(VALUE, 1, np.inf)},
        {"value": VALUE.astype(np.int64)},
        {"value": VALUE[:-1]},
        {"starts": np.array([0, 6, 6])},
        {"starts": np.array([1, 5, 6])},
        {"starts": np.array([0, 5, 7])},
        {"starts": np.array([0, 7, 6])},
        {"starts": np.array([0])},
        {"starts": np.array([0, -(2**63), 6])},
        {"starts": np.array([0.0, 5.0, 6.0])},
        {"feature": FEATURE.astype(np.float64)},
        {"left": LEFT[:, None]},
    ],
)
def test_arrays_that_make_no_trees_are_refused(changes):
    with pytest.raises(ValueError, match="expected"):
        trees(**changes)


def test_a_row_alone_has_the_same_bits_as_the_row_among_others():
    # Means of many trees round differently when added in another order; at the threshold the order would decide.
    rng = np.random.default_rng(0)
    n_trees = 200
    leaves = Trees(
        np.arange(n_trees + 1), *(np.full(n_trees, -1) for _ in range(3)), rng.uniform(size=n_trees) / 10 + 0.45
    )
    together = leaves.mean(np.zeros((5000, 1), np.float32))
    for n in (1, 2, 400):
        np.testing.assert_array_equal(leaves.mean(np.zeros((n, 1), np.float32)), together[:n])
