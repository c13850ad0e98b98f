"""Pretrained weights: the file in the local cache, fetched only when the user asked for it."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

import torch

from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint.refusals import plain

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")


def from_url(spec: str, url: str, *, download: bool) -> Path:
    """The file of this address in torch's cache; a checksum in its name is checked when it is fetched.

    Raises:
        CheckpointError: it is not there and `download` is not set, or it cannot be fetched.
    """
    name = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    if not download:
        raise _not_here(spec)
    checksum = _HASH_IN_NAME.search(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), checksum[1] if checksum else None)
    except (OSError, RuntimeError, ValueError) as error:
        raise _not_fetched(spec, error) from error
    return path


def from_hub(spec: str, repository: str, names: Sequence[str], *, download: bool) -> Path:
    """The first of these files that the repository has, in the cache of huggingface_hub.

    Raises:
        CheckpointError: none is there and `download` is not set, or none can be fetched.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, _, revision = repository.partition("@")
    for name in names:
        cached = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    if not download:
        raise _not_here(spec)
    for name in names:
        try:
            return Path(hf_hub_download(repository, name, revision=revision or None))
        except LocalEntryNotFoundError as error:
            # No connection; it is told apart because it calls itself a missing entry too.
            raise _not_fetched(spec, OSError("there is no connection to the hub")) from error
        except EntryNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise _not_fetched(spec, error) from error
    raise CheckpointError(f"{spec}: its repository has none of {', '.join(names)}")


def _not_here(spec: str) -> CheckpointError:
    return CheckpointError(f"{spec}: its weights are not on this machine", tip="add --download to fetch them")


def _not_fetched(spec: str, error: Exception) -> CheckpointError:
    tip = "try again with a connection, or give a local file with --arch"
    return CheckpointError(f"{spec}: its weights cannot be fetched: {plain(str(error))}", tip=tip)
