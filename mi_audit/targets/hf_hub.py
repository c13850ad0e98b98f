"""A classifier on the Hugging Face hub, hf-hub:USER/REPO[@REVISION], in timm's layout: config.json and weights."""

import re
from dataclasses import dataclass, replace

from mi_audit import plugins
from mi_audit.errors import CheckpointError, UsageError
from mi_audit.target_model import TargetModel
from mi_audit.targets._assembling import refuse_arch
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._fetching import from_hub
from mi_audit.targets.interface import TargetRequest, TargetSource

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_SPEC = re.compile(rf"(?P<repository>{_NAME}/{_NAME})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{{0,127}}))?")
_EXAMPLE = "hf-hub:USER/REPO or hf-hub:USER/REPO@REVISION, as in hf-hub:timm/resnet18.a1_in1k"
_CONFIG = ("config.json",)
# Both are opened by our own reader, which runs nothing; the first is the one that could not hold code anyway.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class HfHub(TargetSource):
    """A repository with ``config.json`` and weights, fetched when that is allowed and then opened like a local folder.

    No other file of the repository is fetched, and none of its code is run.
    """

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network in the repository; what is in the local cache already is not fetched again.

        Raises:
            CheckpointError: it is not here and may not be fetched, cannot be fetched, or is no classifier of timm's.
            UsageError: no name of a repository, or ``--arch`` was given.
        """
        refuse_arch(f"hf-hub:{spec}", request)
        found = _SPEC.fullmatch(spec)
        if found is None or ".." in spec or "--" in spec:
            raise UsageError(f"expected the name of a repository, got {plain(spec)!r}", tip=_EXAMPLE)
        source = f"hf-hub:{spec}"
        config = from_hub(source, spec, _CONFIG, download=request.download)
        weights = from_hub(source, spec, _WEIGHTS, download=request.download)
        if config.parent != weights.parent:
            raise CheckpointError(
                f"{source}: its config and its weights are of different revisions",
                tip="name one: hf-hub:USER/REPO@REVISION, with --download",
            )
        target: TargetModel = plugins.load("targets", "file").open(str(config.parent), request)
        return replace(target, source=source, notes=(f"revision {config.parent.name[:40]}", *target.notes))
