"""Your own code, python:FILE.py:FUNCTION: runs it and audits the network that the function returns."""

from dataclasses import dataclass

from mi_audit.target_model import TargetModel
from mi_audit.targets._assembling import refuse_arch, refuse_weights
from mi_audit.targets._user_code.naming import code_of
from mi_audit.targets._user_code.opening import opened
from mi_audit.targets.interface import TargetRequest, TargetSource


@dataclass(frozen=True)
class Python(TargetSource):
    """A function of the user's that builds the target and loads its weights.

    It takes no argument, or ``n_classes`` (``num_classes``), and returns a ``torch.nn.Module`` (or anything that gives
    logits for a batch of normalised images), alone or as ``(module, dict(mean=, std=, size=, resize=,
    interpolation=))``. The same may follow ``--arch``, beside a checkpoint that has the weights.

    **Its code runs, with all that it imports, with the rights of whoever runs mi-audit.** It is what the user typed,
    never what a file of weights names.
    """

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network that ``FILE.py:FUNCTION`` builds.

        Raises:
            CheckpointError: the file cannot be read, its code stopped, or what it returns is no network for the data.
            UsageError: no function was named, or there is none of this name.
        """
        refuse_arch(f"python:{spec}", request)
        refuse_weights(f"python:{spec}", request)
        return opened(code_of("--model", spec), request)
