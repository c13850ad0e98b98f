"""A checkpoint file: a state dict, or a dict holding one; which network it is, is found or named by --arch."""

from dataclasses import dataclass
from pathlib import Path

from mi_audit.target_model import TargetModel
from mi_audit.targets._build import find
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._identification.identifying import identified
from mi_audit.targets._user_code.naming import code_of, is_code
from mi_audit.targets._user_code.opening import Weights, opened
from mi_audit.targets.interface import TargetRequest, TargetSource


@dataclass(frozen=True)
class File(TargetSource):
    """A checkpoint of torch (zip or legacy format) or safetensors, loaded strictly into the network it belongs to."""

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network with the weights in the file `spec`.

        Raises:
            CheckpointError: the file cannot be opened safely, does not fit, or does not belong to the data.
            UsageError: ``--arch`` is not known, or is needed since more than one network stands; the weights that
                ``--weights`` names are not in the file.
        """
        path = Path(spec)
        # What --arch names wrongly is refused before the file is read, and a file that is none before code is run.
        if request.arch is not None and is_code(request.arch):
            code = code_of("--arch", request.arch)
            return opened(code, request, Weights(path, open_state_dict(path, request.weights)))
        blueprints = find(request.arch) if request.arch is not None else ()
        return identified(path, open_state_dict(path, request.weights), blueprints, request)
