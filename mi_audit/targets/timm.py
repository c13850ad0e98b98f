"""A network of timm: `timm:resnet18` untrained, `timm:resnet18.a1_in1k` with the pretrained weights of that tag."""

import math
from dataclasses import dataclass
from typing import Any

import timm
from torch import nn

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.target_model import Preprocessing, TargetModel
from mi_audit.targets._assembling import assembled, check_class_count, refuse_arch, refuse_weights, untrained
from mi_audit.targets._build import find
from mi_audit.targets._catalogue import Constants
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._fetching import from_hub, from_url
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets.interface import TargetRequest, TargetSource

_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Timm(TargetSource):
    """Networks of the timm library, with random weights from the seed or with the weights of a pretrained tag."""

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network ``NAME`` or ``NAME.TAG``; weights come from the local cache unless a download was asked for.

        Raises:
            CheckpointError: the weights are not here, cannot be fetched, or do not belong to the data.
            UsageError: the name or the tag is not known.
        """
        refuse_arch(f"timm:{spec}", request)
        refuse_weights(f"timm:{spec}", request)
        name, _, tag = spec.partition(".")
        blueprint = find(f"timm:{name}")[0]
        return _pretrained(spec, _settings(name, tag), request) if tag else untrained(blueprint, request)


def _settings(name: str, tag: str) -> dict[str, Any]:
    """What timm knows of the weights of a tag: where they are, and how images have to be prepared."""
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{name}.*")]
    if tag not in tags:
        raise UsageError(f"unknown weights {tag!r} of timm:{name}", tip=did_you_mean(tag, tags))
    registered: Any = timm.models.get_pretrained_cfg(f"{name}.{tag}")
    settings: dict[str, Any] = registered.to_dict()
    return settings


def _pretrained(spec: str, settings: dict[str, Any], request: TargetRequest) -> TargetModel:
    source = f"timm:{spec}"
    n_classes = settings["num_classes"]
    if n_classes == 0:
        raise CheckpointError(f"{source}: these weights have no classifier", tip="choose a tag that ends in a data set")
    check_class_count(source, n_classes, request)
    own = Constants(settings["mean"], settings["std"], f"timm's settings of {spec}")
    constants, _ = constants_of(request, "timm", n_classes, len(own.mean), own)
    return assembled(
        _network(spec, settings, request),
        (_preprocessing(settings, constants),),
        request,
        n_classes=n_classes,
        name=source,
        source=source,
        notes=_notes_on_cropping(settings),
    )


def _network(spec: str, settings: dict[str, Any], request: TargetRequest) -> nn.Module:
    """The network with the weights of its tag, opened by our own loader and renamed by timm where they need it."""
    source = f"timm:{spec}"
    if settings.get("hf_hub_id"):
        path = from_hub(source, settings["hf_hub_id"], _FILES, download=request.download)
    elif settings.get("custom_load"):
        raise CheckpointError(f"{source}: these weights are not in a PyTorch format", tip="choose another tag")
    else:
        path = from_url(source, settings["url"], download=request.download)
    weights = open_state_dict(path).as_saved()
    try:
        module: Any = timm.create_model(spec, pretrained=True, pretrained_cfg_overlay={"state_dict": weights})
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{source}: the weights in {path} do not fit: {plain(str(error))}") from error
    # timm keeps its settings on the network, and with them a second copy of the weights.
    module.pretrained_cfg = {key: value for key, value in module.pretrained_cfg.items() if key != "state_dict"}
    network: nn.Module = module
    return network


def _preprocessing(settings: dict[str, Any], constants: Constants) -> Preprocessing:
    """The shorter side to size / crop_pct, then the centre; squashed weights saw the whole image at that size."""
    _, height, width = settings["input_size"]
    is_squashed = settings["crop_mode"] == "squash" and settings["crop_pct"] == 1.0
    return Preprocessing(
        constants.mean,
        constants.std,
        size=(height, width),
        resize=None if is_squashed else math.floor(min(height, width) / settings["crop_pct"]),
        interpolation=settings["interpolation"],
        source=constants.source,
    )


def _notes_on_cropping(settings: dict[str, Any]) -> tuple[str, ...]:
    mode = settings["crop_mode"]
    if mode == "center" or (mode == "squash" and settings["crop_pct"] == 1.0):
        return ()
    return (f"images that are not square are cropped at the centre; the weights were evaluated with {mode!r}",)
