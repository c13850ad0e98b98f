"""The samples of a pool by what people call them: their ids, or the files that they are."""

import os
import posixpath
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mi_audit.datasets._images import FileImages
from mi_audit.datasets._words import printable
from mi_audit.datasets.interface import Side


class SampleNames:
    """Finds the samples of a pool.

    An id is what `Side` says. Where the samples are files, so are their paths, absolute or from the current folder,
    and the bare name of a file where no other has it.

    Attributes:
        ids: of all samples, in order.
    """

    def __init__(self, pool: Side) -> None:
        self.ids: Sequence[str] = pool.sample_id
        self._images = pool.images

    def __len__(self) -> int:
        return len(self.ids)

    def position(self, name: str) -> int | None:
        """Of the sample of this name; ``None`` where there is none, or more than one."""
        for known in (name, posixpath.normpath(name)):
            if known in self._by_id:
                return self._by_id[known]
        position = self._by_path.get(os.path.abspath(name))  # noqa: PTH100 - links stay as they are
        return self._by_file_name.get(name) if position is None else position

    def examples(self) -> str:
        """A few ids, from the first to the last."""
        last = len(self.ids) - 1
        rows = dict.fromkeys((0, last // 2, last))
        return ", ".join(printable(self.ids[row]) for row in rows)

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.ids)}

    @cached_property
    def _by_path(self) -> dict[str, int]:
        """By absolute paths; none where the samples are no files of their own."""
        if not (isinstance(self._images, FileImages) and isinstance(self._images.root, Path)):
            return {}
        root = os.path.abspath(self._images.root)  # noqa: PTH100
        return {os.path.join(root, path): position for position, path in enumerate(self._images.paths)}  # noqa: PTH118

    @cached_property
    def _by_file_name(self) -> dict[str, int]:
        """By the last part of their ids, those that have it alone."""
        if not isinstance(self._images, FileImages):
            return {}
        names = [posixpath.basename(name) for name in self.ids]
        count = Counter(names)
        return {name: position for position, name in enumerate(names) if count[name] == 1}
