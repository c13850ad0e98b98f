"""Models of the XGBoost library: made, checked and evaluated here and nowhere else.

A model travels as the library's JSON, not as its binary twin, because JSON can be checked in plain Python before the
library, which trusts the indices in a model, gets to see it.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mi_audit.attacks.interface import BoolArray, FloatArray

_OBJECTIVE = "binary:logistic"
_NO_PARENT = 2**31 - 1

# What a tree holds per node, and of which kind.
_NODE_ARRAYS = {
    "left_children": "i",
    "right_children": "i",
    "parents": "i",
    "split_indices": "i",
    "split_type": "i",
    "default_left": "i",
    "split_conditions": "if",
    "base_weights": "if",
    "loss_changes": "if",
    "sum_hessian": "if",
}
_CATEGORICAL = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def boost(
    matrix: FloatArray, target: BoolArray, weight: FloatArray, parameters: Mapping[str, Any], n_rounds: int
) -> bytes:
    """A boosted model of the log loss, as JSON.

    Args:
        matrix: (n, k).
        target: (n,) bool.
        weight: (n,).
        parameters: the library's names for them.
        n_rounds: trees.
    """
    import xgboost

    # One thread: histograms are summed in another order for every number of threads, and the same seed has to give the
    # same bytes.
    cells = xgboost.QuantileDMatrix(matrix, label=target, weight=weight, nthread=1)
    own = {"objective": _OBJECTIVE, "tree_method": "hist", "nthread": 1, "verbosity": 0}
    return bytes(xgboost.train({**own, **parameters}, cells, n_rounds).save_raw("json"))


def margin(model: bytes, matrix: FloatArray) -> FloatArray:
    """Log-odds (n,) float64 of rows (n, k) under a model that `checked` has passed."""
    log_odds: FloatArray = _load(model).inplace_predict(matrix, predict_type="margin").astype(np.float64)
    return log_odds


def checked(model: bytes, n_columns: int) -> bytes:
    """The model, when it is a boosted binary classifier whose trees cannot be walked out of or for ever.

    What was checked is written anew, so that the library cannot read anything else in it: another encoding, or the
    other of two entries of one name.

    Raises:
        ValueError: what is wrong with it.
    """
    import xgboost

    try:
        content = json.loads(model)
        learner = content["learner"]
        _check_learner(learner, n_columns)
        for number, tree in enumerate(learner["gradient_booster"]["model"]["trees"]):
            _check_tree(tree, number, n_columns)
        rewritten = json.dumps(content, separators=(",", ":")).encode()
        _load(rewritten)
    except (AttributeError, KeyError, TypeError, RecursionError, OverflowError, xgboost.core.XGBoostError) as error:
        raise ValueError(f"not a model of XGBoost ({type(error).__name__})") from error
    return rewritten


def _load(model: bytes) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    return booster


def _check_learner(learner: Mapping[str, Any], n_columns: int) -> None:
    booster = learner["gradient_booster"]
    forest, shape = booster["model"], learner["learner_model_param"]
    n_trees = len(forest["trees"])
    expected = {
        "objective": (learner["objective"]["name"], _OBJECTIVE),
        "booster": (booster["name"], "gbtree"),
        "number of columns": (shape["num_feature"], str(n_columns)),
        "number of classes": (shape["num_class"], "0"),
        "number of targets": (shape["num_target"], "1"),
        "number of trees": (forest["gbtree_model_param"]["num_trees"], str(n_trees)),
        "parallel trees": (forest["gbtree_model_param"]["num_parallel_tree"], "1"),
        "groups of trees": (forest["tree_info"], [0] * n_trees),
        "rounds": (forest.get("iteration_indptr", list(range(n_trees + 1))), list(range(n_trees + 1))),
        "categories": (any(forest.get("cats", {}).values()), False),
    }
    for what, (got, wanted) in expected.items():
        if got != wanted:
            raise ValueError(f"another {what} in the model than expected")
    if not 0 < float(shape["base_score"].strip("[]")) < 1:
        raise ValueError("expected a share of members to start from")


def _check_tree(tree: Mapping[str, Any], number: int, n_columns: int) -> None:
    """Every node but the root is the child of exactly one other, so that each walk from the root moves on and ends."""
    arrays = {name: np.asarray(tree[name]) for name in _NODE_ARRAYS}
    n_nodes = len(arrays["left_children"])
    for name, array in arrays.items():
        if array.shape != (n_nodes,) or array.dtype.kind not in _NODE_ARRAYS[name] or n_nodes == 0:
            raise ValueError(f"expected one {name} per node of a tree")
    if tree["id"] != number:  # the library puts a tree where its id says, and walks a gap that is left
        raise ValueError("expected trees that are numbered in order")
    size = tree["tree_param"]
    if (size["num_nodes"], size["num_feature"], size["size_leaf_vector"]) != (str(n_nodes), str(n_columns), "1"):
        raise ValueError("expected a tree as large as it says")
    left, right = arrays["left_children"], arrays["right_children"]
    is_inner = left != -1
    children = np.sort(np.concatenate([left[is_inner], right[is_inner]]))
    if not np.array_equal(children, np.arange(1, n_nodes)) or (right[~is_inner] != -1).any():
        raise ValueError("expected every node of a tree but its root to be the child of one other")
    numbers = np.flatnonzero(is_inner)
    of_children = arrays["parents"][np.concatenate([left[is_inner], right[is_inner]])]
    if not np.array_equal(of_children, np.tile(numbers, 2)) or arrays["parents"][0] != _NO_PARENT:
        raise ValueError("expected every node of a tree to know its parent")
    column = arrays["split_indices"][is_inner]
    if ((column < 0) | (column >= n_columns)).any():
        raise ValueError("expected trees that read columns that there are")
    if arrays["split_type"].any() or any(tree[name] for name in _CATEGORICAL):
        raise ValueError("expected splits of numbers, got categories")
    if not np.isfinite(arrays["split_conditions"]).all():
        raise ValueError("expected finite trees")
