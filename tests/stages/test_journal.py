"""The journal of an extraction: what is promised is there, and nothing of another extraction is."""

import contextlib
import json
import os
import resource
import signal
import stat

import numpy as np
import pytest

from mi_audit.errors import OutputError
from mi_audit.stages._journal import RowFormat, RowJournal, RowsInMemory

OUTPUTS = {"outputs": RowFormat(3)}
BLOCK = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_rows_are_found_again_after_an_interruption(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
        raise KeyboardInterrupt
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        assert rows.n_done == 4
        rows.append({"outputs": BLOCK + 100})
        assert np.array_equal(rows.finished("outputs"), np.concatenate([BLOCK, BLOCK + 100]))


@pytest.mark.parametrize(
    "other", [("another", 8, 3, "<f4"), ("key", 9, 3, "<f4"), ("key", 8, 2, "<f4"), ("key", 8, 3, "<f8")]
)
def test_another_extraction_starts_anew(tmp_path, other):
    key, n_rows, n_columns, dtype = other
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
    with RowJournal(tmp_path / "a.part", key, n_rows, {"outputs": RowFormat(n_columns, dtype)}) as rows:
        assert rows.n_done == 0


def test_a_row_that_was_cut_off_is_written_again(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
    os.truncate(tmp_path / "a.part" / "outputs.rows", 3 * 12 + 5)
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        assert rows.n_done == 3
        rows.append({"outputs": BLOCK[3:]})
        rows.append({"outputs": BLOCK})
        assert np.array_equal(rows.finished("outputs"), np.concatenate([BLOCK, BLOCK]))


@pytest.mark.parametrize("journal", ["", "[]", "{}", '{"n_done": "4"}', "no json", '{"n_done": -1}'])
def test_a_damaged_journal_starts_anew(tmp_path, journal):
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
    (tmp_path / "a.part" / "journal.json").write_text(journal)
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        assert rows.n_done == 0


def test_a_journal_that_promises_too_much_is_not_believed(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
    path = tmp_path / "a.part" / "journal.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n_done": 8}))
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        assert rows.n_done == 4


def test_the_folder_is_private(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS):
        assert stat.S_IMODE((tmp_path / "a.part").stat().st_mode) == 0o700


def test_remove_takes_the_folder_away(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 4, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
    rows.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk():
    """No file may grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


def fill(folder, n_blocks):
    with RowJournal(folder, "key", 10**6, OUTPUTS) as rows:
        for _ in range(n_blocks):
            rows.append({"outputs": np.zeros((1000, 3), np.float32)})


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_fills_up_is_one_clear_error_and_the_rows_are_kept(tmp_path):
    with pytest.raises(OutputError, match="cannot write the extracted rows"):
        fill(tmp_path / "a.part", 1000)
    with RowJournal(tmp_path / "a.part", "key", 10**6, OUTPUTS) as rows:
        assert rows.n_done * 12 <= 1 << 16


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        RowJournal(tmp_path / "file" / "a.part", "key", 8, OUTPUTS)


def test_a_second_process_is_kept_out_until_the_first_is_through(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        rows.append({"outputs": BLOCK})
        with pytest.raises(OutputError, match="another mi-audit is writing there"):
            RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS)
        rows.append({"outputs": BLOCK})
        assert np.array_equal(rows.finished("outputs"), np.concatenate([BLOCK, BLOCK]))
    with RowJournal(tmp_path / "a.part", "key", 8, OUTPUTS) as rows:
        assert rows.n_done == 8


SEVERAL = {"outputs": RowFormat(3), "layer:-1/a": RowFormat(2, "<u8")}
COUNTS = np.arange(8, dtype=np.uint64).reshape(4, 2)


def test_rows_of_several_kinds_are_found_again_together(tmp_path):
    with RowJournal(tmp_path / "a.part", "key", 8, SEVERAL) as rows:
        rows.append({"outputs": BLOCK, "layer:-1/a": COUNTS})
    files = sorted(path.name for path in (tmp_path / "a.part").iterdir())
    assert files == ["journal.json", "layer%3A-1%2Fa.rows", "outputs.rows"]
    os.truncate(tmp_path / "a.part" / files[1], 2 * 16 + 9)
    in_memory = RowsInMemory(8, SEVERAL)
    with RowJournal(tmp_path / "a.part", "key", 8, SEVERAL) as rows:
        assert rows.n_done == 2
        for n, each in ((2, rows), (0, in_memory)):
            each.append({"outputs": BLOCK[n:], "layer:-1/a": COUNTS[n:]})
            each.append({"layer:-1/a": COUNTS + np.uint64(2**63), "outputs": -BLOCK})
            assert np.array_equal(each.finished("outputs"), np.concatenate([BLOCK, -BLOCK]))
            assert np.array_equal(each.finished("layer:-1/a"), np.concatenate([COUNTS, COUNTS + np.uint64(2**63)]))


@pytest.mark.parametrize(
    "blocks", [{"outputs": BLOCK}, {"outputs": BLOCK, "layer:-1/a": COUNTS[1:]}, {"outputs": BLOCK, "other": COUNTS}]
)
def test_kinds_that_are_missing_or_of_unequal_length_are_refused_before_a_byte_is_written(tmp_path, blocks):
    with RowJournal(tmp_path / "a.part", "key", 8, SEVERAL) as rows:
        for each in (rows, RowsInMemory(8, SEVERAL)):
            with pytest.raises(ValueError, match="expected one block of equal length"):
                each.append(blocks)
            assert each.n_done == 0
    assert (tmp_path / "a.part" / "outputs.rows").stat().st_size == 0
