"""What a user types after ``--data``: names, names with a path, and bare paths of every kind."""

from pathlib import Path

import pytest

from mi_audit.errors import UsageError
from mi_audit.stages._sources import _split_data_spec


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("cifar100", ("cifar100", None)),
        ("emnist-letters", ("emnist-letters", None)),
        ("folder", ("folder", None)),
        ("folder:a:b", ("folder", "a:b")),
        ("tar:", ("tar", "")),
        ("mine.npz", ("arrays", "mine.npz")),
        ("a/mine.CSV", ("manifest", "a/mine.CSV")),
        ("mine.tsv", ("manifest", "mine.tsv")),
        ("mine.parquet", ("manifest", "mine.parquet")),
        ("mine.tar", ("tar", "mine.tar")),
        ("mine.tar.gz", ("tar", "mine.tar.gz")),
        ("mine.tgz", ("tar", "mine.tgz")),
        ("v1.2.csv", ("folder", "v1.2.csv")),
        ("images", ("folder", "images")),
    ],
)
def test_a_spec_is_a_name_or_a_path(
    spec: str, expected: tuple[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "v1.2.csv").mkdir()
    assert _split_data_spec(spec) == expected


def test_what_is_neither_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown data set 'cifar-100'") as caught:
        _split_data_spec("cifar-100")
    assert "did you mean 'cifar100'?" in str(caught.value.tip)
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"images\.zip: expected a data set, got a file of another kind"):
        _split_data_spec(str(tmp_path / "images.zip"))
    for gone in ("./gone", "gone/images", str(tmp_path / "gone"), "gone.zip"):
        with pytest.raises(UsageError, match=r"gone.*: no such file or folder"):
            _split_data_spec(gone)
