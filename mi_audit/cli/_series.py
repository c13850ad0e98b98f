"""``evaluate --model 'PATTERN'``: audits of all checkpoints of a training run in one go."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mi_audit import plugins
from mi_audit.cli._edge import EXCEEDED, NO_VERDICT, has_color, is_ascii, make_folder, product, say, width
from mi_audit.errors import UsageError

if TYPE_CHECKING:
    from mi_audit.schema.audit import Audit

_WILD = "*?["


def is_series(model: str | None) -> bool:
    """Whether ``--model`` is a pattern of checkpoint files; a file that is really called so is none."""
    if model is None or model.partition(":")[0] in plugins.names("targets"):
        return False
    return any(char in model for char in _WILD) and not Path(model).exists()


def run_series(
    made: "Iterable[tuple[Path, Audit]]",
    out: Path | None,
    exit_code: "Callable[[Audit], int]",
    *,
    json: bool,
    quiet: bool,
) -> int:
    """Write every audit as soon as it is made, then report all of them.

    Args:
        made: checkpoints with their audits.
        out: the folder for ``NAME.npz``, one per checkpoint, or ``None``.
        exit_code: of one audit.
        json: print one JSON document instead of the tables.
        quiet: no remarks.

    Returns:
        the worst exit code: leakage above a limit, before no verdict, before success.

    Raises:
        UsageError: `out` is no folder, or two checkpoints have the same name.
    """
    from mi_audit import store
    from mi_audit.stages import report
    from mi_audit.stages._epochs import by_epoch

    check_folder(out)
    audits: dict[str, Audit] = {}
    for path, audit in made:
        if out is not None:
            target = out / f"{path.stem}.npz"
            if path.stem in audits:
                raise UsageError(f"two checkpoints would be written to {target}", tip="audit one folder at a time")
            store.write(target, audit)
            say(f"wrote {target}") if not quiet else None
        audits[path.stem if out is not None else str(path)] = audit
    found, has_epochs = list(audits.values()), all("series" in audit.provenance for audit in audits.values())
    if has_epochs:
        found = by_epoch(found, list(audits))
    by = "epoch" if has_epochs else "audit"
    kind = "json" if json else "console"
    product(report.render(found, kind, width=width(), color=has_color(), by=by, is_ascii=is_ascii()))
    return max(map(exit_code, found), key=(0, NO_VERDICT, EXCEEDED).index)


def check_folder(out: Path | None) -> None:
    """Make the folder for the audits of a series.

    Raises:
        UsageError: the name is that of a file.
        OutputError: it cannot be made.
    """
    if out is None:
        return
    if out.suffix == ".npz" or out.is_file():
        raise UsageError(f"a series is written to a folder, got --out {out}", tip=f"--out {out.with_suffix('')}")
    make_folder(out)
