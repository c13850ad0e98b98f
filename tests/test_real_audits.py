"""Whole audits of public checkpoints on the data that they were trained on, at full size, through the console script.

The accuracies are those that the training repositories published, or that were measured with their own code.
"""

import resource
from dataclasses import dataclass
from pathlib import Path

import pytest

import mi_audit
from tests.cli.conftest import Done, run_script

# Audits at full size are made once and looked at by several tests, which have to be run by the same worker.
pytestmark = pytest.mark.xdist_group("audits at full size")

QUICK = ("--attack", "naive,threshold:loss,xgboost")


@dataclass(frozen=True)
class Public:
    """A public checkpoint, its data, and its accuracy in percent on both sides (``None``: not published)."""

    file: str
    arch: str
    data: str
    member: float | None
    non_member: float


CHECKPOINTS = [
    Public("cifar100_resnet20.pth", "cifar_resnet20", "cifar100", 93.42, 68.83),
    Public("cifar10_resnet20_chenyaofo.pth", "cifar_resnet20", "cifar10_subset.npz", None, 92.60),
    Public("cifar10_resnet20_akamaster.th", "cifar_resnet20_a", "cifar10_subset.npz", 99.84, 91.73),
    Public("cifar10_resnet56_akamaster.th", "cifar_resnet56_a", "cifar10_subset.npz", 99.98, 93.39),
    Public("mnist_lenet5.pt", "lenet_32_64_200", "mnist", None, 98.89),
]


def run_audit(assets: Path, folder: Path, checkpoint: Public, *options: object) -> Done:
    data = assets / "data" / checkpoint.data if checkpoint.data.endswith(".npz") else checkpoint.data
    target = ("--model", assets / "checkpoints" / checkpoint.file, "--arch", checkpoint.arch)
    source = ("--data", data, "--data-dir", assets / "data", "--out", "audit.npz")
    done = run_script("evaluate", *target, *source, *options, "--exit-zero", cwd=folder)
    assert done.code == 0, done.stderr
    return done


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda checkpoint: checkpoint.file)
def test_the_target_has_its_published_accuracy_and_naive_follows_from_it(assets, tmp_path, checkpoint):
    run_audit(assets, tmp_path, checkpoint, *QUICK)
    audit = mi_audit.read(tmp_path / "audit.npz")
    full = next(row for row in audit.accuracy if row.samples == "full")
    assert 100 * full.non_member.value == pytest.approx(checkpoint.non_member, abs=0.1)
    if checkpoint.member is not None:
        assert 100 * full.member.value == pytest.approx(checkpoint.member, abs=0.1)
    naive = audit.row("naive", samples="full").metrics
    assert naive["false_alarm_rate"].value == full.non_member.value
    assert naive["balanced_accuracy"].value == pytest.approx(0.5 + full.generalisation_gap.value / 2)


@pytest.fixture(scope="module")
def resnet56(assets, tmp_path_factory) -> tuple[Path, Done]:
    """The folder of an audit of the CIFAR-100 ResNet-56 on all 60,000 images, and what the command printed."""
    folder = tmp_path_factory.mktemp("resnet56")
    checkpoint = Public("cifar100_resnet56.pt", "cifar_resnet56", "cifar100", 99.90, 72.63)
    return folder, run_audit(assets, folder, checkpoint)


def test_resnet56_shows_its_accuracy_the_naive_attack_and_a_better_one(resnet56):
    folder, done = resnet56
    audit = mi_audit.read(folder / "audit.npz")
    full = next(row for row in audit.accuracy if row.samples == "full")
    assert (round(100 * full.member.value, 2), round(100 * full.non_member.value, 2)) == (99.90, 72.63)
    naive = audit.row("naive", samples="full").metrics
    assert 100 * naive["balanced_accuracy"].value == pytest.approx(63.64, abs=0.005)
    assert 100 * naive["false_alarm_rate"].value == pytest.approx(72.63, abs=0.005)
    learned = max(audit.row(name).metrics["balanced_accuracy"].value for name in ("xgboost", "random-forest", "mlp"))
    assert learned >= 0.69
    assert learned >= audit.row("naive").metrics["balanced_accuracy"].value + 0.05
    assert "63.64" in done.stdout
    assert "72.63" in done.stdout


def test_resnet56_misclassifies_a_handful_of_members_and_the_report_says_so(resnet56):
    folder, done = resnet56
    n_members = mi_audit.read(folder / "audit.npz").row("naive", "misclassified").n_members
    assert 0 < n_members < 60
    assert f"Only {n_members} held-out members are misclassified" in done.stdout


def test_ten_test_images_of_cifar100_are_training_images(resnet56):
    audit = mi_audit.read(resnet56[0] / "audit.npz")
    assert {row.samples: row.n_non_members for row in audit.accuracy}["audited"] == 9990
    assert any(finding.slug == "exact-duplicates" and "10 non-members" in finding.message for finding in audit.findings)


@pytest.mark.usefixtures("resnet56")
def test_no_command_of_these_needed_three_gigabytes():
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3e6  # in kB: the largest child so far


def test_the_paper_protocol_prints_tables_1_to_4_for_resnet56(resnet56):
    folder, _ = resnet56
    features = next((folder / ".mi-audit").glob("*/features.npz"))
    options = ("--protocol", "paper", "--attack", "naive,mlp", "--search", 0, "--out", "paper.npz")
    assert run_script("train-attack", features, *options, cwd=folder).code == 0
    done = run_script("evaluate", features, "paper.npz", cwd=folder)
    assert done.code == 0, done.stderr
    for number in range(1, 5):
        assert f"Table {number}." in done.stdout
    assert "accuracy is not estimable for" in done.stdout
