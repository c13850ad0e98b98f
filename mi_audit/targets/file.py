"""A checkpoint file: a state dict, or a dict holding one; which network it is, is found or named by --arch."""

from dataclasses import dataclass
from pathlib import Path

from mi_audit.target_model import TargetModel
from mi_audit.targets._build import find
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._identification.identifying import identified
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
        # A name that is not known is refused before the file is read.
        blueprints = find(request.arch) if request.arch is not None else ()
        path = Path(spec)
        return identified(path, open_state_dict(path, request.weights), blueprints, request)
