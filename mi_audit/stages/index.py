"""The stage ``index``: the classifiers of the installed timm and torchvision become an index to recognise them by."""

from pathlib import Path

from mi_audit import store
from mi_audit.errors import OutputError
from mi_audit.stages.progress import Progress, Silence
from mi_audit.targets._identification.index import installed_versions, user_path, written
from mi_audit.targets._identification.indexing import entries, names


def rebuild(out: Path | None = None, progress: Progress | None = None, most: int | None = None) -> tuple[Path, int]:
    """Lay out every classifier once and write the index; nothing is written when it is interrupted.

    Args:
        out: the file to write; ``None`` for the one in the user's cache folder, where it is found again.
        progress: told about it.
        most: only so many classifiers, to see that it works.

    Returns:
        The file and how many classifiers it holds.

    Raises:
        OutputError: the file cannot be written.
    """
    progress = progress or Silence()
    path = out if out is not None else _made_folder(user_path())
    classifiers = names()[:most]
    progress.start("index", len(classifiers))
    found = list(entries(classifiers, lambda number, _: progress.advance(1 if number else 0)))
    progress.finish()
    with store.replacing(path) as file:
        file.write(written(installed_versions(), found).encode("ascii"))
    return path, len(found)


def _made_folder(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot make this folder ({error.strerror})", tip="give --out FILE"
        ) from error
    return path
