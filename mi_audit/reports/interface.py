"""What every report format gives: audits in, text out."""

import abc
from collections.abc import Sequence

from mi_audit.schema.audit import Audit


class Report(abc.ABC):
    """A format in which audits are shown; its options are the fields of the subclass.

    A report never computes: every number in it stands in the record, an undefined one with its reason. It shows no
    single sample. The same audits, options, width and colour give the same text.
    """

    @abc.abstractmethod
    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:
        """The text of the report, which ends in one newline; nothing is written anywhere.

        Args:
            audits: at least one, in the order of the report.
            width: columns of the terminal, at least 40; formats that are no terminal's ignore it.
            color: whether ANSI codes are wanted; never used by formats that are no terminal's.
        """
