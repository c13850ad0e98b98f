"""What the container costs: resident memory of a streamed write of any size, speed beside `numpy.savez`, mapped open.

    python tests/benchmarks/container.py                    200,000 rows x 1,000 float32, 0.8 GB of disk
    python tests/benchmarks/container.py --rows 1300000     5.2 GB: goal < 64 MB of resident memory above start

Linux only, since resident memory is read from /proc. Files go to a temporary folder and are deleted.
"""

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from mi_audit import container, store
from mi_audit.schema.arrays import BLOCK_BYTES, Array

MB = 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the temporary folder is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        n_bytes = options.rows * options.columns * 4
        free = shutil.disk_usage(folder).free
        if free < 2.5 * n_bytes + 2e9:
            parser.error(f"expected {(2.5 * n_bytes + 2e9) / 1e9:.1f} GB of free disk, got {free / 1e9:.1f} GB")
        stream(folder / "streamed.npz", options.rows, options.columns)
        rewrite(folder / "streamed.npz", folder / "rewritten.npz")
        for file in folder.iterdir():
            file.unlink()
        beside_savez(folder)
        for n_columns in (96, 1024):
            mapped_open(folder, np.zeros((60_000, n_columns), np.float32))


def stream(path: Path, n_rows: int, n_columns: int) -> None:
    """Write rows that are generated block by block."""

    def blocks() -> Iterator[Array]:
        rows = np.random.default_rng(0).standard_normal((BLOCK_BYTES // (4 * n_columns), n_columns), np.float32)
        for start in range(0, n_rows, len(rows)):
            yield rows[: n_rows - start]

    outputs = container.RowBlocks((n_rows, n_columns), np.dtype(np.float32), blocks())
    report("streamed write", n_rows * n_columns * 4, lambda: save(path, {"outputs": outputs}))


def rewrite(old: Path, new: Path) -> None:
    """Write arrays that are mapped from another file, as adding a feature does, and verify them."""
    with store._mapped(old) as buffer:
        _, arrays = container.read(buffer, verify=False)
    n_bytes = arrays["outputs"].nbytes
    report("mapped to mapped", n_bytes, lambda: save(new, arrays))
    with store._mapped(new) as buffer:
        report("verified read", n_bytes, lambda: container.read(buffer, verify=True))


def report(label: str, n_bytes: int, work: Callable[[], object]) -> None:
    """Time it, and print by how much the peak of resident memory is above what was resident before."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    before, start = pages * os.sysconf("SC_PAGE_SIZE"), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(
        f"{label:18} {n_bytes / MB:8,.0f} MB in {seconds:6.2f} s, {n_bytes / MB / seconds:6,.0f} MB/s, "
        f"resident memory at most {above / MB:5.1f} MB above start"
    )


def beside_savez(folder: Path) -> None:
    """The same array by `numpy.savez`, by `container.write` (digests included), and with fsync as `store` does it."""
    array = np.random.default_rng(0).standard_normal((100_000, 1_000), np.float32)
    path = folder / "beside.npz"

    def unsynced() -> None:
        with path.open("wb") as file:
            container.write(file, {}, {"outputs": array})

    ways: dict[str, Callable[[], object]] = {
        "numpy.savez": lambda: np.savez(path, outputs=array),
        "container.write": unsynced,
        "and fsync, rename": lambda: save(path, {"outputs": array}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            path.unlink(missing_ok=True)
            os.sync()
            seconds[name].append(timed(way))
    base = statistics.median(seconds["numpy.savez"])
    for name, values in seconds.items():
        took = statistics.median(values)
        print(
            f"{name:18} {array.nbytes / MB:8,.0f} MB, {array.nbytes / MB / took:6,.0f} MB/s, {took / base:.2f} x savez"
        )


def mapped_open(folder: Path, array: Array) -> None:
    """Opening without verification beside loading."""
    path = folder / "open.npz"
    save(path, {"outputs": array})

    def load() -> None:
        with np.load(path) as file:
            file["outputs"]

    def open_mapped() -> None:
        with store._mapped(path) as buffer:
            container.read(buffer, verify=False)

    loaded = statistics.median(timed(load) for _ in range(9))
    opened = statistics.median(timed(open_mapped) for _ in range(9))
    print(
        f"open {array.nbytes / MB:6.0f} MB: np.load {loaded * 1e3:7.2f} ms, mapped {opened * 1e3:6.3f} ms, "
        f"1/{loaded / opened:,.0f}"
    )


def save(path: Path, arrays: Mapping[str, Array | container.RowBlocks]) -> None:
    """As `store.write` does it."""
    with store.replacing(path) as file:
        container.write(file, {}, arrays)


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
