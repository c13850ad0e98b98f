"""A folder with weights and what describes them, as timm and Hugging Face save one."""

from pathlib import Path

from mi_audit.targets._checkpoint.recognising import WEIGHT_SUFFIXES
from mi_audit.targets._checkpoint.refusals import refusal
from mi_audit.targets._checkpoint.sidecars import CONFIG, WEIGHT_FILES


def file_in(path: Path) -> Path:
    """The file of weights in a folder; any other path as it is.

    Raises:
        CheckpointError: the weights in the folder are in several parts, or are not there.
    """
    if not path.is_dir():
        return path
    inside = next((path / name for name in WEIGHT_FILES if (path / name).is_file()), None)
    if inside is not None and (path / CONFIG).is_file():
        return inside
    parts = sorted(entry.name for entry in path.glob("*.index.json"))
    if parts:
        what = f"holds its weights in several parts ({parts[0]})"
        raise refusal(path, what, "save them again in one file: model.save_pretrained(DIR, max_shard_size='100GB')")
    if (path / CONFIG).is_file() and not any(entry.suffix in WEIGHT_SUFFIXES for entry in path.iterdir()):
        what = f"holds {CONFIG} and no weights: neither {' nor '.join(WEIGHT_FILES)}"
        raise refusal(path, what, "copy or download the weights into it too")
    return path
