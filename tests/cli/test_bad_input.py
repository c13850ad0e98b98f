"""Bad input: one clear error with a tip, exit code 2, no traceback, no half-written file."""

import shutil

import numpy as np
import pytest
import torch

from mi_audit.targets._build import build, find

ARCH = ("--arch", "lenet_32_64_200")
OUT = ("--out", "out.npz")


@pytest.fixture(scope="module")
def folder(demo, tmp_path_factory):
    """The files of the demo, and damaged ones beside them."""
    folder = tmp_path_factory.mktemp("bad")
    for path in demo[0].iterdir():
        shutil.copy(path, folder)
    whole = (folder / "digits.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(whole[: len(whole) // 2])
    features = (folder / "features.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(features[: len(features) // 2])
    (folder / "notes.txt").write_text("not weights")
    np.savez(
        folder / "objects.npz", images=np.array([{}], dtype=object), labels=np.zeros(1), is_member=np.ones(1, bool)
    )
    np.savez(folder / "foreign.npz", a=np.zeros(3))
    images = np.zeros((4, 8, 8, 1), np.uint8)
    sides = np.array([True, True, False, False])
    np.savez(folder / "labels.npz", images=images, labels=np.array([0, -1, 0, 1]), is_member=sides)
    np.savez(folder / "few_classes.npz", images=images, labels=np.array([0, 1, 0, 1]), is_member=sides)
    np.savez(folder / "one_side.npz", images=images, labels=np.array([0, 1, 0, 1]), is_member=np.ones(4, bool))
    network = build(find("lenet_32_64_200")[0], 10, (8, 8, 1), seed=0)
    torch.save(torch.nn.Linear(3, 3), folder / "module.pt")
    with torch.no_grad():
        network.get_parameter(next(name for name, _ in network.named_parameters()))[:] = 1e38
    torch.save(network.state_dict(), folder / "infinite.pt")
    (folder / "images" / "members" / "cat").mkdir(parents=True)
    (folder / "is_a_folder").mkdir()
    return folder


CASES = {
    "missing model": (("extract", "--model", "gone.pt", *ARCH, "--data", "digits", *OUT), "gone.pt"),
    "truncated checkpoint": (("extract", "--model", "truncated.pt", *ARCH, "--data", "digits", *OUT), "truncated.pt"),
    "text as checkpoint": (("extract", "--model", "notes.txt", *ARCH, "--data", "digits", *OUT), "notes.txt"),
    "pickle of a module": (("extract", "--model", "module.pt", *ARCH, "--data", "digits", *OUT), "module.pt"),
    "wrong arch": (
        ("extract", "--model", "digits.pt", "--arch", "cifar_resnet20", "--data", "digits", *OUT),
        "lenet_32_64_200",
    ),
    "unknown arch": (
        ("extract", "--model", "digits.pt", "--arch", "cifar_resnet57", "--data", "digits", *OUT),
        "did you mean",
    ),
    "no such arch": (("extract", "--model", "digits.pt", "--arch", "lenat", "--data", "digits", *OUT), "lenet"),
    "class count": (("extract", "--model", "digits.pt", *ARCH, "--data", "few_classes.npz", *OUT), "10"),
    "infinite outputs": (("extract", "--model", "infinite.pt", *ARCH, "--data", "digits", *OUT), "NaN or infinity"),
    "labels out of range": (("extract", "--model", "digits.pt", *ARCH, "--data", "labels.npz", *OUT), "label"),
    "one side only": (("extract", "--model", "digits.pt", *ARCH, "--data", "one_side.npz", *OUT), "non-member"),
    "folder without one side": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "folder:images", *OUT),
        "non-members",
    ),
    "object array as data": (("extract", "--model", "digits.pt", *ARCH, "--data", "objects.npz", *OUT), "object"),
    "data not there": (("extract", "--model", "timm:resnet10t", "--data", "cifar10", *OUT), "--data-dir"),
    "unknown data": (("extract", "--model", "digits.pt", *ARCH, "--data", "digit", *OUT), "did you mean 'digits'"),
    "unknown feature": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--features", "x", *OUT),
        "outputs",
    ),
    "unknown device": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--device", "tpu", *OUT),
        "--device",
    ),
    "mean that is no number": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--mean", "a", *OUT),
        "--mean",
    ),
    "expected accuracy that is no number": (
        ("extract", "--model", "digits.pt", "--data", "digits", "--expect-accuracy", "a", *OUT),
        "for example --expect-accuracy .726",
    ),
    "mean of pixels up to 255": (
        ("extract", "--model", "digits.pt", "--data", "digits", "--mean", "77.85", "--std", "95.88", *OUT),
        "it is --mean 0.3053 --std 0.376",
    ),
    "weights of a network that is no file": (
        ("extract", "--model", "timm:resnet10t", "--data", "digits", "--weights", "ema", *OUT),
        "leave --weights out",
    ),
    "unknown source of models": (
        ("extract", "--model", "tim:resnet18", "--data", "digits", *OUT),
        "did you mean 'timm'?",
    ),
    "no model": (("extract", "--data", "digits", *OUT), "got only --data"),
    "no data": (("evaluate", "--model", "digits.pt"), "got only --model"),
    "features missing": (("train-attack", "gone.npz", *OUT), "gone.npz"),
    "features truncated": (("train-attack", "truncated.npz", *OUT), "truncated.npz"),
    "features foreign": (("train-attack", "foreign.npz", *OUT), "foreign.npz"),
    "features of another kind": (("train-attack", "attack.npz", *OUT), "attack.npz"),
    "unknown attack": (("train-attack", "features.npz", "--attack", "xgbost", *OUT), "did you mean 'xgboost'"),
    "unknown signal": (("train-attack", "features.npz", "--attack", "threshold:los", *OUT), "loss"),
    "attack of one form": (("train-attack", "features.npz", "--attack", "mlp:big", *OUT), "one form"),
    "unknown option": (("train-attack", "features.npz", "--set", "xgboost.depth=3", *OUT), "max_depth"),
    "unknown balance": (("train-attack", "features.npz", "--balance", "smote", *OUT), "oversample"),
    "unknown protocol": (("train-attack", "features.npz", "--protocol", "papers", *OUT), "paper"),
    "known fraction": (("train-attack", "features.npz", "--known-fraction", "1.5", *OUT), "between 0 and 1"),
    "search": (("train-attack", "features.npz", "--search", "many", *OUT), "full"),
    "three files": (("evaluate", "features.npz", "attack.npz", "attack.npz"), "two files"),
    "files and model": (("evaluate", "features.npz", "attack.npz", "--model", "digits.pt"), "--model"),
    "nothing to evaluate": (("evaluate",), "--model"),
    "files swapped": (("evaluate", "attack.npz", "features.npz"), "features"),
    "ratio": (("evaluate", "features.npz", "attack.npz", "--ratios", "5:0"), "5:0"),
    "limit": (("evaluate", "features.npz", "attack.npz", "--fail-above", "acc=1"), "metric"),
    "report of features": (("report", "features.npz"), "audit"),
    "report format": (("report", "audit.npz", "--format", "pdf"), "console"),
    "limit that is empty": (("evaluate", "features.npz", "attack.npz", "--fail-above", ""), "expected values"),
    "numbers without commas": (
        ("evaluate", "--model", "a.pt", "--data", "digits", "--mean", ".4", ".5"),
        "with commas",
    ),
    "attacks that are empty": (("train-attack", "features.npz", "--attack", ",", *OUT), "expected values"),
    "negative seed": (("train-attack", "features.npz", "--seed", "-1", *OUT), "expected --seed from 0"),
    "huge seed": (("extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--seed", 2**63, *OUT), "--seed"),
    "huge seed of the demo": (("demo", "--seed", 10**40, "--out", "is_a_folder"), "--seed"),
    "features overwritten": (("train-attack", "features.npz", "--out", "features.npz"), "overwritten"),
    "attack overwritten": (("evaluate", "features.npz", "attack.npz", "--out", "attack.npz"), "overwritten"),
    "model overwritten": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--out", "digits.pt"),
        "overwritten",
    ),
    "data overwritten": (
        ("extract", "--model", "digits.pt", *ARCH, "--data", "arrays:labels.npz", "--out", "labels.npz"),
        "overwritten",
    ),
    "list overwritten": (
        ("extract", "--model", "digits.pt", "--data", "digits", "--members-index", "labels.npz", "--out", "labels.npz"),
        "overwritten",
    ),
    "audit overwritten": (("report", "audit.npz", "--out", "audit.npz"), "overwritten"),
    "features with a report's suffix": (
        ("extract", "--model", "digits.pt", "--data", "digits", "-o", "a.html"),
        "a.npz",
    ),
    "attacks with a report's suffix": (("train-attack", "features.npz", "-o", "a.json"), "--out a.npz"),
    "audit with a report's suffix": (
        ("evaluate", "features.npz", "attack.npz", "-o", "a.pdf"),
        "then mi-audit report audit.npz --out a.pdf",
    ),
    "report of an unknown suffix": (("report", "audit.npz", "-o", "r.pdf"), ".html, .htm, .xml"),
    "data that is not there": (
        ("extract", "--model", "digits.pt", "--data", "./gone", *OUT),
        "./gone: no such file or",
    ),
    "model in a folder that is not there": (
        ("extract", "--model", "gone/net.pt", "--data", "digits", *OUT),
        "there is no folder gone",
    ),
    "model beside others": (("extract", "--model", "x.bin", "--data", "digits", *OUT), "there is: digits.pt"),
    "topic": (("list", "attack"), "did you mean 'attacks'"),
    "output in a folder that is not there": (("report", "audit.npz", "--out", "gone/report.md"), "gone"),
    "output that is a folder": (("report", "audit.npz", "--out", "is_a_folder"), "folder"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_error(case, folder, command, monkeypatch):
    arguments, expected = CASES[case]
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    done = command(*arguments)
    assert done.code == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert "tip: " in done.stderr
    assert expected in done.stderr
    assert "\x1b" not in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_attacks_of_another_cache_are_refused(folder, command, monkeypatch):
    monkeypatch.chdir(folder)
    other = command(
        "extract", "--model", "digits.pt", *ARCH, "--data", "digits", "--max-members", 300, "--out", "other.npz"
    )
    assert other.code == 0, other.stderr
    done = command("evaluate", "other.npz", "attack.npz")
    assert done.code == 2
    assert "not trained on this feature cache" in done.stderr


def test_a_batch_size_beyond_the_samples_is_all_of_them(folder, command, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    samples = ("--data", "digits", "--max-members", 5, "--max-non-members", 5)
    done = command(
        "extract", "--model", "digits.pt", *ARCH, *samples, "--batch-size", 10**20, "--out", tmp_path / "a.npz"
    )
    assert done.code == 0, done.stderr


def test_a_crash_is_never_a_failed_gate(folder, command, monkeypatch):
    from mi_audit.stages import evaluate

    def crash(*_):
        raise ZeroDivisionError

    monkeypatch.chdir(folder)
    monkeypatch.setattr(evaluate, "evaluate", crash)
    done = command("evaluate", "features.npz", "attack.npz", "--fail-above", "auc=0.1")
    assert done.code == 2
    assert "Traceback" in done.stderr
    assert "bug of mi-audit" in done.stderr


def test_a_typer_usage_error_is_2(command):
    assert command("extract", "--no-such-option").code == 2


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("audit", "net.pt"), "'evaluate'"),
        (("evaluate", "--checkpoint", "net.pt"), "--model"),
        (("extract", "--dataset=digits"), "--data"),
        (("train-attack", "--output", "a.npz"), "--out"),
    ],
)
def test_words_of_other_tools_are_told_ours(command, arguments, meant):
    done = command(*arguments)
    assert done.code == 2
    assert meant in done.stderr
