"""Repeated splits: everything again on each, and nothing of it in the audit's own numbers."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit.errors import UsageError
from mi_audit.stages._training_plan import TrainOptions, planned
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache

OPTIONS = TrainOptions(attacks=("naive", "threshold:loss", "logistic-regression"), repeats=3, seed=7)


class Told:
    """A listener that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, what: str, total: int, done: int = 0) -> None:  # noqa: ARG002
        self.lines.append(f"{what} {total}")

    def advance(self, steps: int) -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, message: str) -> None:
        self.lines.append(message)


def test_the_spread_is_that_of_the_audits_with_the_seeds_that_follow():
    made = cache("planted")
    trained = train_attacks(made, OPTIONS)
    rows = {(row.attack, row.metric): row for row in trained.spread}
    assert len(rows) == 3 * 3
    audits = [
        evaluate(made, train_attacks(made, replace(OPTIONS, seed=seed, repeats=0)), EvaluateOptions())
        for seed in (8, 9, 10)
    ]
    for (attack, metric), row in rows.items():
        values = [audit.row(attack).metrics[metric].value for audit in audits]
        assert row.values == pytest.approx(values)
        assert (row.mean, row.sd) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values)))


def test_repeats_change_nothing_else():
    made = cache("planted")
    once, more = (train_attacks(made, replace(OPTIONS, repeats=repeats)) for repeats in (0, 2))
    assert once.spread == ()
    assert (once.attacks, once.selected, once.findings) == (more.attacks, more.selected, more.findings)
    assert np.array_equal(once.known_id, more.known_id)
    assert all(np.array_equal(once.payloads[label], more.payloads[label]) for label in once.payloads)


def test_the_cost_is_announced_before_and_after_the_first_repeat():
    told = Told()
    train_attacks(cache("planted"), OPTIONS, told)
    assert "--repeats 3: everything again on 3 further splits" in told.lines
    assert "repeating on other splits 3" in told.lines
    assert any(line.startswith("  about") and "first split" in line for line in told.lines)


def test_a_number_that_no_split_defines_has_no_row_and_samples_without_a_score_are_left_out():
    made = cache("planted", n_side=240)
    label = np.where(made.label == 3, np.where(np.arange(480) % 40 == 3, 3, 0), made.label)
    small = replace(made, label=label)
    options = TrainOptions(attacks=("threshold:loss",), per_class=True, repeats=2)
    assert [len(row.values) for row in train_attacks(small, options).spread] == [2, 2, 2]
    # Four audited non-members, and 99 of 100 are known: no non-member is held out in any of these splits.
    few = replace(made, is_audited=made.is_member | (np.arange(480) < 244), label=np.zeros(480, np.int64))
    assert train_attacks(few, replace(options, per_class=False, known_fraction=0.99)).spread == ()


@pytest.mark.parametrize("repeats", [-1, 1001])
def test_an_impossible_number_of_repeats_is_refused(repeats):
    with pytest.raises(UsageError, match="expected --repeats from 0 to 1000"):
        planned(TrainOptions(repeats=repeats))


def test_it_travels_through_a_file(tmp_path):
    from mi_audit import store

    trained = train_attacks(cache("gap"), replace(OPTIONS, repeats=1))
    store.write(tmp_path / "attack.npz", trained)
    assert store.read(tmp_path / "attack.npz").spread == trained.spread
