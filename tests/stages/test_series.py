"""Audits of a series of checkpoints, which open the data once."""

from pathlib import Path

import pytest
import torch

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.stages import series
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.audit import audit
from mi_audit.stages.evaluate import EvaluateOptions

TRAIN = TrainOptions(attacks=("naive", "threshold:loss"))


@pytest.fixture
def folder(demo_checkpoint, tmp_path):
    """Three checkpoints, of which the later ones are blurred less."""
    content = torch.load(demo_checkpoint, weights_only=True)
    generator = torch.Generator().manual_seed(0)
    for epoch, noise in ((2, 0.04), (10, 0.02), (100, 0.0)):
        blurred = {
            name: values + noise * torch.randn(values.shape, generator=generator)
            for name, values in content["state_dict"].items()
        }
        torch.save({"state_dict": blurred}, tmp_path / f"epoch-{epoch}.pt")
    return tmp_path


def run(folder: Path, pattern: str = "epoch-*.pt"):
    options = ExtractOptions(model=str(folder / pattern), data="digits", max_members=200, max_non_members=200)
    return series.audits(options, TRAIN, EvaluateOptions(), folder / "cache")


def test_checkpoints_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("b-9.pt", "b-10.pt", "a-11.pt", "b-010.pt", "b.txt"):
        (tmp_path / name).touch()
    (tmp_path / "b-1.pt").mkdir()
    found = [path.name for path in series.checkpoints(str(tmp_path / "*.pt"))]
    assert found == ["a-11.pt", "b-9.pt", "b-010.pt", "b-10.pt"]
    with pytest.raises(UsageError, match="no file matches"):
        series.checkpoints(str(tmp_path / "c*.pt"))


def test_every_audit_is_the_one_that_the_checkpoint_has_alone(folder):
    made = list(run(folder))
    assert [path.name for path, _ in made] == ["epoch-2.pt", "epoch-10.pt", "epoch-100.pt"]
    assert [one.provenance["series"] for _, one in made] == [{"epoch": 2}, {"epoch": 10}, {"epoch": 100}]
    alone = ExtractOptions(model=str(folder / "epoch-10.pt"), data="digits", max_members=200, max_non_members=200)
    assert made[1][1].rows == audit(alone, TRAIN, EvaluateOptions(), folder / "other").rows
    assert made[0][1].rows != made[1][1].rows


def test_the_data_set_is_opened_once(folder, monkeypatch):
    opened = []
    original = series.open_data
    monkeypatch.setattr(series, "open_data", lambda *arguments: opened.append(arguments) or original(*arguments))
    monkeypatch.setattr("mi_audit.stages.extract.open_data", lambda *_: pytest.fail("opened again"))
    assert len(list(run(folder))) == 3
    assert len(opened) == 1


def test_what_came_before_a_broken_checkpoint_is_given(folder):
    (folder / "epoch-50.pt").write_bytes(b"no checkpoint")
    given = []
    with pytest.raises(CheckpointError, match=r"epoch-50\.pt"):
        given.extend(path.name for path, _ in run(folder))
    assert given == ["epoch-2.pt", "epoch-10.pt"]


def test_names_without_epochs_are_audited_without_them(folder):
    (folder / "epoch-2.pt").rename(folder / "x.pt")
    (folder / "epoch-10.pt").rename(folder / "xx.pt")
    assert ["series" in one.provenance for _, one in run(folder, "x*.pt")] == [False, False]
