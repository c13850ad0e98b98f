import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mi_audit import plugins, store
from mi_audit.attacks.xgboost import FittedXGBoost, XGBoost
from mi_audit.errors import ContainerError, UsageError
from tests.attacks.samples import balanced, leaky

SEEN, IS_MEMBER = leaky(300, lift=1.0, seed=0)
FITTED = XGBoost(n_estimators=5).fit(SEEN, IS_MEMBER, balanced(IS_MEMBER), np.random.default_rng(0))


def walked(tree: dict[str, Any], row: np.ndarray) -> float:
    node = 0
    while tree["left_children"][node] != -1:
        below = row[tree["split_indices"][node]] < np.float32(tree["split_conditions"][node])
        node = tree["left_children" if below else "right_children"][node]
    return tree["split_conditions"][node]


def test_scores_are_the_sigmoid_of_the_sum_of_the_leaves():
    held_out, _ = leaky(50, lift=1.0, seed=3)
    learner = json.loads(FITTED.model)["learner"]
    base = float(learner["learner_model_param"]["base_score"].strip("[]"))
    matrix = FITTED.encoding.matrix(held_out).astype(np.float32)
    trees = learner["gradient_booster"]["model"]["trees"]
    margin = np.log(base / (1 - base)) + np.array([sum(walked(tree, row) for tree in trees) for row in matrix])
    np.testing.assert_allclose(FITTED.score(held_out), 1 / (1 + np.exp(-margin)), atol=1e-6)


def test_confident_scores_do_not_tie_at_1():
    document = json.loads(FITTED.model)
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        tree["split_conditions"] = [
            6.0 if child == -1 else cut
            for child, cut in zip(tree["left_children"], tree["split_conditions"], strict=True)
        ]
    score = FittedXGBoost(FITTED.encoding, json.dumps(document).encode()).score(SEEN)
    np.testing.assert_allclose(1 - score, np.exp(-30), rtol=0.01)  # in float32 it would be 0


def test_members_can_be_given_extra_weight():
    def share_flagged(extra: float) -> float:
        attack = XGBoost(n_estimators=20, scale_pos_weight=extra)
        fitted = attack.fit(SEEN, IS_MEMBER, balanced(IS_MEMBER), np.random.default_rng(0))
        return float((fitted.score(SEEN) > fitted.threshold).mean())

    assert share_flagged(0.1) < 0.3 < share_flagged(1) < 0.7 < share_flagged(10)


def tree(learner: dict[str, Any]) -> dict[str, Any]:
    return learner["gradient_booster"]["model"]["trees"][0]


def set_in(values: list[Any], at: int, to: Any) -> None:
    values[at] = to


TAMPERINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a node is its own child": lambda learner: set_in(tree(learner)["left_children"], 1, 1),
    "back to the root": lambda learner: set_in(tree(learner)["right_children"], 0, 0),
    "a child outside": lambda learner: set_in(tree(learner)["right_children"], 0, 10**6),
    "a negative child": lambda learner: set_in(tree(learner)["left_children"], 0, -5),
    "half a child": lambda learner: set_in(tree(learner)["left_children"], 0, 1.5),
    "a leaf with one child": lambda learner: set_in(tree(learner)["right_children"], -1, 1),
    "a column outside": lambda learner: set_in(tree(learner)["split_indices"], 0, 10**6),
    "a negative column": lambda learner: set_in(tree(learner)["split_indices"], 0, -1),
    "a category": lambda learner: set_in(tree(learner)["split_type"], 0, 1),
    "categories": lambda learner: tree(learner).update(categories=[1]),
    "an array too short": lambda learner: tree(learner)["base_weights"].pop(),
    "an array that is none": lambda learner: tree(learner).update(parents=7),
    "a missing array": lambda learner: tree(learner).pop("default_left"),
    "a threshold that is no number": lambda learner: set_in(tree(learner)["split_conditions"], 0, "x"),
    "an infinite threshold": lambda learner: set_in(tree(learner)["split_conditions"], 0, float("inf")),
    "another size": lambda learner: tree(learner)["tree_param"].update(num_nodes="1000000"),
    "vector leaves": lambda learner: tree(learner)["tree_param"].update(size_leaf_vector="9"),
    "no nodes": lambda learner: tree(learner).update({name: [] for name in tree(learner) if name != "tree_param"}),
    "a number twice": lambda learner: learner["gradient_booster"]["model"]["trees"][1].update(id=0),
    "a wrong parent": lambda learner: set_in(tree(learner)["parents"], 1, 2),
    "a parent of the root": lambda learner: set_in(tree(learner)["parents"], 0, 1),
    "more trees": lambda learner: learner["gradient_booster"]["model"]["gbtree_model_param"].update(num_trees="99"),
    "other groups": lambda learner: learner["gradient_booster"]["model"].update(tree_info=[7] * 5),
    "other rounds": lambda learner: learner["gradient_booster"]["model"].update(iteration_indptr=[0, 99]),
    "a linear booster": lambda learner: learner["gradient_booster"].update(name="gblinear"),
    "another objective": lambda learner: learner["objective"].update(name="reg:squarederror"),
    "more columns": lambda learner: learner["learner_model_param"].update(num_feature="1000000"),
    "more classes": lambda learner: learner["learner_model_param"].update(num_class="3"),
    "no booster": lambda learner: learner.pop("gradient_booster"),
    "a list for a tree": lambda learner: set_in(learner["gradient_booster"]["model"]["trees"], 0, []),
    "a word for the base": lambda learner: learner["learner_model_param"].update(base_score="x"),
    "an infinite base": lambda learner: learner["learner_model_param"].update(base_score="[inf]"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_a_model_that_was_tampered_with_is_refused(tampering):
    header, arrays = store.from_bytes(FITTED.to_bytes())
    document = json.loads(arrays["model"].tobytes())
    tampering(document["learner"])
    model = np.frombuffer(json.dumps(document).encode(), np.uint8)
    with pytest.raises(ContainerError, match="xgboost"):
        FittedXGBoost.from_bytes(store.to_bytes(header, arrays | {"model": model}))


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '{"learner": 3}', "[" * 100_000, "not json", "\ud800"])
def test_text_that_is_no_model_is_refused(text):
    header, arrays = store.from_bytes(FITTED.to_bytes())
    model = np.frombuffer(text.encode(errors="surrogatepass"), np.uint8)
    with pytest.raises(ContainerError, match="xgboost"):
        FittedXGBoost.from_bytes(store.to_bytes(header, arrays | {"model": model}))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_estimators", "0"),
        ("max_depth", "0"),
        ("learning_rate", "0"),
        ("learning_rate", "2"),
        ("min_child_weight", "-1"),
        ("subsample", "1.5"),
        ("colsample_bytree", "nan"),
        ("scale_pos_weight", "0"),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(UsageError, match=option):
        plugins.load("attacks", "xgboost", {option: value})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_library_sees_what_was_checked_and_nothing_else(encoding):
    # Of two entries of one name the last counts here; which one counts in the library must not matter.
    text = FITTED.model.decode()
    twice = text.replace('"num_feature":', '"num_feature":"1000000","num_feature":', 1)
    assert twice != text
    fitted = FittedXGBoost(FITTED.encoding, twice.encode(encoding))
    assert fitted.model == FITTED.model
