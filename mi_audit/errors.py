"""What can go wrong, as one tree.

    MiAuditError                  anything that mi-audit says to its user; exit code 2
    ├── UsageError                an option, a name or a combination that makes no sense
    ├── InputError                something that was read is not what it has to be
    │   ├── ContainerError        an .npz that is truncated, foreign, newer, hostile
    │   ├── CheckpointError       a model file: not weights, truncated, does not fit the architecture
    │   ├── DataSetError          images, labels, membership
    │   ├── OutputsError          the target returned something that cannot be audited
    │   ├── PolicyError           a policy that cannot be read, or says what makes no sense
    │   └── MismatchError         two inputs that do not belong together
    ├── OutputError               a file that cannot be written
    └── MissingLibraryError       an optional library is needed

Every error says what is wrong (``<file>: <what>`` or ``expected ..., got ...``) and may carry a tip: the flag or
command to try next. Any other exception that reaches the edge is a bug of ours.
"""

from typing import ClassVar


class MiAuditError(Exception):
    """Base of all errors that are the user's to read: a message, and a tip that says what to type next.

    Attributes:
        tip: the one that the place of the error gives, or else `usual_tip`, that of its kind.
    """

    usual_tip: ClassVar[str | None] = None

    def __init__(self, message: str, tip: str | None = None) -> None:
        super().__init__(message)
        self.tip = tip or self.usual_tip


class UsageError(MiAuditError):
    """An option, a name or a combination of them that makes no sense."""

    usual_tip = "`mi-audit COMMAND --help` lists the options, `mi-audit list` the names"


class InputError(MiAuditError):
    """Something that was read is not what it has to be."""


class ContainerError(InputError):
    """A container file that is truncated, foreign, of a newer format, hostile, or does not match its digests."""

    usual_tip = "such files are made by `mi-audit extract`, `mi-audit train-attack` and `mi-audit evaluate --out`"


class CheckpointError(InputError):
    """A model file that cannot be opened safely, or does not fit the architecture."""

    usual_tip = "save the state dict of the model again: torch.save(model.state_dict(), FILE)"


class DataSetError(InputError):
    """Images, labels or membership that cannot be audited."""

    usual_tip = "`mi-audit list datasets` says what data can be read"


class OutputsError(InputError):
    """The target returned something that cannot be audited: NaN, infinity, another shape than promised."""

    usual_tip = "check the weights and the preprocessing (--mean, --std)"


class PolicyError(InputError):
    """A policy that cannot be read, misspells something, or sets a limit outside its range."""

    usual_tip = "`mi-audit policy show standard` prints a whole one, `mi-audit policy init` writes one to start from"


class MismatchError(InputError):
    """Two inputs that do not belong together."""

    usual_tip = "run the commands in order: extract, train-attack, evaluate"


class OutputError(MiAuditError):
    """A file that cannot be written."""

    usual_tip = "choose another --out"


class MissingLibraryError(MiAuditError):
    """An optional library is needed; the tip names the extra that brings it."""
