"""Groups from the data to the split: extraction carries them along, whatever leaves the audit on the way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mi_audit
from mi_audit.datasets.interface import MembershipData
from mi_audit.stages import extract
from mi_audit.stages._selecting import selected
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.extract import Extraction
from mi_audit.stages.train_attack import train_attacks
from tests.stages.test_preflight import of_files, spoil
from tests.targets.predictions_files import content, logits


def person_of(sample_id: str) -> str:
    """Four images of each person, by the number in their ids."""
    side, _, name = sample_id.partition("/")
    return f"{side} person {int(name.partition('.')[0]) // 4}"


def grouped(folder: Path, *, both: bool = True) -> Extraction:
    made = of_files(folder)
    members, non_members = (
        replace(side, group=[person_of(name) for name in side.sample_id])
        for side in (made.data.members, made.data.non_members)
    )
    data = replace(made.data, members=members, non_members=non_members if both else made.data.non_members)
    return replace(made, data=data)


def test_extraction_keeps_the_group_of_every_sample_that_could_be_read(tmp_path):
    made = grouped(tmp_path)
    spoil(tmp_path / "members" / "017.png")
    spoil(tmp_path / "non-members" / "101.png")
    cache = extract.run(made)
    assert len(cache.group) == 398
    assert cache.group.tolist() == [person_of(name) for name in cache.sample_id.tolist()]
    trained = train_attacks(cache, TrainOptions(attacks=("naive",)))
    is_known = np.isin(cache.sample_id, trained.known_id)
    assert set(cache.group[is_known]).isdisjoint(cache.group[~is_known])
    assert is_known.any()


def test_other_groups_are_another_extraction_and_none_is_none(tmp_path):
    made = grouped(tmp_path)
    without = of_files(tmp_path)
    assert without.group is None
    assert extract.run(without).group is None
    assert len({made.data_digest, without.data_digest, grouped(tmp_path, both=False).data_digest}) == 3


def test_on_a_side_that_names_no_groups_every_sample_stands_for_itself(tmp_path):
    made = grouped(tmp_path, both=False)
    assert len(set(made.group[:200].tolist())) == 50
    assert made.group[200:].tolist() == made.sample_id[200:].tolist()


def test_a_selection_keeps_groups_beside_their_samples(tmp_path):
    data: MembershipData = selected(grouped(tmp_path).data, None, 60, 40, 0)
    assert len(data.members) == 60
    for side in (data.members, data.non_members):
        assert list(side.group) == [person_of(name) for name in side.sample_id]


@pytest.mark.parametrize("maximum", [None, 40])
def test_predictions_keep_them_too(tmp_path, maximum):
    n = 160
    group = np.array([f"person {number // 4}" for number in range(n)])
    np.savez(tmp_path / "p.npz", **content(n, logits=logits(n), group=group))
    mi_audit.audit(
        f"predictions:{tmp_path / 'p.npz'}", attacks=["naive"], cache_dir=tmp_path / "cache", max_members=maximum
    )
    (path,) = (tmp_path / "cache").glob("*/features.npz")
    cache = mi_audit.read(path)
    assert len(cache.group) == (n if maximum is None else n // 2 + maximum)
    assert cache.group.tolist() == [f"person {int(name.split('/')[1]) // 4}" for name in cache.sample_id.tolist()]
