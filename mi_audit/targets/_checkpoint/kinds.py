"""Which program wrote a checkpoint, told from the entries of its dict."""

import enum
from collections.abc import Mapping

from mi_audit.targets._checkpoint.unwrapping import WeightSet


class Saver(enum.Enum):
    """What is known to write checkpoints of a certain form; the values are words to be shown."""

    STATE_DICT = "state dict"
    SAFETENSORS = "safetensors file"
    WHOLE_NETWORK = "whole network, pickled"
    AVERAGE = "average of weights (SWA or EMA)"
    LIGHTNING = "Lightning checkpoint"
    TIMM = "training checkpoint of timm"
    TORCHVISION = "training checkpoint of torchvision's reference scripts"
    IMAGENET_EXAMPLE = "training checkpoint of PyTorch's ImageNet example"
    DEEPSPEED = "DeepSpeed checkpoint"
    TRAINING = "training checkpoint"


def saver_of(named: Mapping[str, object], file_format: str, chosen: WeightSet) -> Saver:
    """Which program wrote the checkpoint with these entries.

    Args:
        named: the entries of the outermost dict.
        file_format: ``"zip"``, ``"legacy"`` or ``"safetensors"``.
        chosen: the weights that are used.
    """
    if file_format == "safetensors":
        return Saver.SAFETENSORS
    if is_lightning(named):
        return Saver.LIGHTNING
    if chosen.class_name is not None:
        return Saver.WHOLE_NETWORK
    if chosen.wrapper is None:
        return Saver.AVERAGE if chosen.is_averaged else Saver.STATE_DICT
    return _trainer_of(set(named))


def is_lightning(named: Mapping[str, object]) -> bool:
    """Whether Lightning wrote the checkpoint."""
    return "pytorch-lightning_version" in named


def _trainer_of(keys: set[str]) -> Saver:
    if keys >= {"state_dict", "arch", "version"}:
        return Saver.TIMM
    if keys >= {"model", "args", "lr_scheduler", "optimizer"}:
        return Saver.TORCHVISION
    if keys >= {"state_dict", "arch", "epoch"}:
        return Saver.IMAGENET_EXAMPLE
    if "module" in keys and any(key.startswith("ds_") for key in keys):
        return Saver.DEEPSPEED
    return Saver.TRAINING
