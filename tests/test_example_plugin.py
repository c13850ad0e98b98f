"""The plug-in package among the examples, installed as pip would leave it, in every command that may need it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

import mi_audit

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """An environment in which the package is there: its modules, and the metadata that an installer would write."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    head += f"Summary: {project['description']}\n"
    (metadata / "METADATA").write_text(head, encoding="utf-8")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in points.items())])
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n\n".join(groups) + "\n", encoding="utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (site, PLUGIN, ROOT)))}


def run(environment: dict[str, str], *arguments: object, cwd: Path = ROOT) -> str:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_names_are_listed_with_ours_and_with_what_its_package_says(environment):
    listed = dict(line.split("  ", 1) for line in run(environment, "mi_audit", "list", "features").splitlines())
    said = "A feature and an attack for mi-audit, from outside (package mi-audit-flips)"
    assert listed["flip-consistency"].strip() == said
    assert "gaussian" in run(environment, "mi_audit", "list", "attacks")


def test_extract_train_and_evaluate_with_both(environment, demo_checkpoint, tmp_path):
    audit = ("mi_audit", "extract", "--model", demo_checkpoint, "--data", "digits", "--features", "flip-consistency")
    run(environment, *audit, "--out", "features.npz", "--quiet", cwd=tmp_path)
    cache = mi_audit.read(tmp_path / "features.npz")
    assert cache.columns["flip-consistency"] == ("change", "loss-rise")
    assert np.isfinite(cache.features["flip-consistency"]).all()
    both = (
        "--on",
        "outputs",
        "--on",
        "flip-consistency",
        "--attack",
        "gaussian,naive",
        "--set",
        "gaussian.shrinkage=0.2",
    )
    run(environment, "mi_audit", "train-attack", "features.npz", *both, "--out", "attack.npz", "--quiet", cwd=tmp_path)
    evaluate = ("evaluate", "features.npz", "attack.npz", "--policy", "none", "--out", "audit.npz")
    printed = run(environment, "mi_audit", *evaluate, cwd=tmp_path)
    assert "gaussian" in printed
    rows = {row.attack: row for row in mi_audit.read(tmp_path / "audit.npz").rows if row.subset == "all"}
    seen = [label for label in rows if "gaussian" in label]
    assert len(seen) == 2
    for label in seen:
        assert 0.3 < rows[label].metrics["auc"].value < 0.7  # the demo hardly leaks


def test_the_contracts_of_both_rooms_hold_for_it(environment):
    contracts = [ROOT / "tests" / "contracts" / f"test_{room}.py" for room in ("attacks", "features")]
    options = ("-q", "-k", "gaussian or flip-consistency", "-p", "no:cacheprovider")
    printed = run(environment, "pytest", *contracts, *options)
    assert " passed" in printed
    assert "failed" not in printed


@pytest.fixture
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN))


@pytest.mark.usefixtures("importable")
def test_the_flip_of_a_linear_network_is_what_numpy_computes():
    import torch
    from mi_audit_flips.flip_consistency import NAME, FlipConsistency

    from tests.features.networks import SHAPE, batch_of, target_of

    target = target_of(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(SHAPE)), 5)))
    batch = batch_of(target, 6)
    values = FlipConsistency().bind(target, SHAPE).compute(batch).values[NAME].numpy()
    mirrored = torch.from_numpy(batch.images.numpy()[:, :, ::-1].copy())
    p, q = (softmax(logits.detach().numpy().astype(np.float64)) for logits in (target(batch.images), target(mirrored)))
    rows = np.arange(6)
    np.testing.assert_allclose(values[:, 0], np.linalg.norm(p - q, axis=1), rtol=1e-4)
    expected = np.log(p[rows, batch.label]) - np.log(q[rows, batch.label])
    np.testing.assert_allclose(values[:, 1], expected, rtol=1e-3, atol=1e-5)
    assert (values[:, 0] > 1e-3).all()


@pytest.mark.usefixtures("importable")
def test_an_image_that_is_its_own_mirror_image_does_not_change():
    import torch
    from mi_audit_flips.flip_consistency import NAME, FlipConsistency

    from tests.features.networks import SHAPE, target_of

    target = target_of(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(SHAPE)), 5)))
    half = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    images = torch.from_numpy(np.maximum(half, half[:, :, ::-1]))
    values = FlipConsistency().bind(target, SHAPE).compute(target.batch(images, torch.tensor([0, 1, 2]), ())).values
    np.testing.assert_allclose(values[NAME].numpy(), 0, atol=1e-6)


@pytest.mark.usefixtures("importable")
def test_the_scores_are_those_of_quadratic_discriminant_analysis():
    from mi_audit_flips.gaussian import Gaussian

    from tests.attacks.samples import balanced, plain

    rng = np.random.default_rng(0)
    is_member = np.arange(900) < 300
    inputs = rng.normal(size=(900, 3)) * np.where(is_member, 1.0, 2.0)[:, None] + np.where(is_member, 0.5, 0.0)[:, None]
    fitted = Gaussian(shrinkage=1e-9).fit(plain(inputs), is_member, balanced(is_member), rng)
    peer = QuadraticDiscriminantAnalysis(priors=[0.5, 0.5], store_covariance=True).fit(inputs, is_member)
    ours, theirs = fitted.score(plain(inputs)), peer.decision_function(inputs)
    np.testing.assert_allclose(ours, theirs, atol=0.1)  # it divides the squares by n - 1, we by n
    assert np.mean((ours > 0) == (theirs > 0)) > 0.99


@pytest.mark.usefixtures("importable")
def test_missing_infinite_and_constant_columns_leave_finite_scores():
    from mi_audit_flips.gaussian import Gaussian

    from tests.attacks.samples import balanced, plain

    inputs = np.random.default_rng(0).normal(size=(40, 4))
    inputs[:, 1], inputs[3, 0], inputs[4, 2], inputs[:, 3] = 7.0, np.nan, np.inf, np.nan
    is_member = np.arange(40) % 2 == 0
    fitted = Gaussian().fit(plain(inputs), is_member, balanced(is_member), np.random.default_rng(0))
    assert np.isfinite(fitted.score(plain(inputs))).all()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
