"""A network of torchvision: `torchvision:resnet18` untrained, `torchvision:resnet18.IMAGENET1K_V1` pretrained."""

from dataclasses import dataclass
from typing import Any

import torchvision
from torch import nn

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.target_model import Preprocessing, TargetModel
from mi_audit.targets._assembling import assembled, check_class_count, refuse_arch, refuse_weights, untrained
from mi_audit.targets._build import find, torchvision_blueprint
from mi_audit.targets._catalogue import Constants
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._fetching import from_url
from mi_audit.targets._fitting import fit, loaded
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets.interface import TargetRequest, TargetSource


@dataclass(frozen=True)
class Torchvision(TargetSource):
    """Networks of torchvision, with random weights from the seed or with pretrained weights."""

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network ``NAME`` or ``NAME.WEIGHTS``; weights come from the local cache unless a download was asked for.

        Raises:
            CheckpointError: the weights are not here, cannot be fetched, or do not belong to the data.
            UsageError: the name of the network or of the weights is not known.
        """
        refuse_arch(f"torchvision:{spec}", request)
        refuse_weights(f"torchvision:{spec}", request)
        name, _, weights = spec.partition(".")
        blueprint = find(f"torchvision:{name}")[0]
        return _pretrained(spec, _weights(name, weights), request) if weights else untrained(blueprint, request)


def _weights(name: str, weights: str) -> Any:
    """The entry of torchvision's list of weights: address, classes and transforms."""
    known = torchvision.models.get_model_weights(name)
    if weights not in known.__members__:
        raise UsageError(
            f"unknown weights {weights!r} of torchvision:{name}", tip=did_you_mean(weights, known.__members__)
        )
    return known[weights]


def _pretrained(spec: str, weights: Any, request: TargetRequest) -> TargetModel:
    source = f"torchvision:{spec}"
    n_classes = len(weights.meta["categories"])
    check_class_count(source, n_classes, request)
    transforms = weights.transforms()
    own = Constants(tuple(transforms.mean), tuple(transforms.std), f"torchvision's transforms of {spec}")
    constants, _ = constants_of(request, "torchvision", n_classes, 3, own)
    crop = transforms.crop_size[0]
    preprocessing = Preprocessing(
        constants.mean,
        constants.std,
        size=(crop, crop),
        resize=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        source=constants.source,
    )
    module = _network(spec, weights, request)
    return assembled(module, (preprocessing,), request, n_classes=n_classes, name=source, source=source, notes=())


def _network(spec: str, weights: Any, request: TargetRequest) -> nn.Module:
    """The network with these weights, opened by our own loader."""
    name = spec.partition(".")[0]
    path = from_url(f"torchvision:{spec}", weights.url, download=request.download)
    # Vision transformers are built for one size of image, which differs between their weights.
    options = {"image_size": weights.meta["min_size"][0]} if name.startswith("vit_") else {}
    tensors = open_state_dict(path).state_dict
    found = fit(torchvision_blueprint(name, **options), tensors, None)
    if not found.is_whole:
        misfits = [*found.missing, *found.unexpected, *found.wrong_shape]
        raise CheckpointError(f"torchvision:{spec}: the weights in {path} do not fit: {listing(misfits)}")
    module: Any = loaded(found, tensors, request.seed)
    if hasattr(module, "transform_input"):
        # The weights of the Inception networks were trained with other constants; the network converts from ours.
        module.transform_input = True
    network: nn.Module = module
    return network
