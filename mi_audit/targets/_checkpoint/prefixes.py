"""What wrappers of a network put in front of the names of its tensors, taken off again."""

import re

# What wrappers of a module (DataParallel, torch.compile, FSDP, checkpointing) put anywhere into the names below it.
_ANYWHERE = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# What a class around the network puts in front of all its names.
COMMON = (
    "model.", "net.", "network.", "_model.", "backbone.", "encoder.", "_forward_module.", "online_model.", "ema_model.",
    "model_ema.", "ema.",
)  # fmt: skip
# The DenseNets of torchvision were named ``norm.1`` before PyTorch 0.4.1 and ``norm1`` since.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def without_prefixes(names: list[str], attribute: str | None = None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The names in the file by the names in the network, and the prefixes that were taken off.

    Names stay as they are where two of them would become one.

    Args:
        names: in the file.
        attribute: a further prefix that all may share, that of the network in the class around it.
    """
    shorter = {_without_wrappers(name): name for name in names}
    taken = [f"{part}." for part in _ANYWHERE if any(part in name.split(".")[:-1] for name in names)]
    known = (*COMMON, attribute) if attribute else COMMON
    while (prefix := _shared_prefix(list(shorter), known)) is not None:
        shorter = {name.removeprefix(prefix): saved for name, saved in shorter.items()}
        taken.append(prefix)
        known = COMMON
    if len(shorter) < len(names):
        return {name: name for name in names}, ()
    return shorter, tuple(taken)


def _without_wrappers(name: str) -> str:
    *path, last = name.split(".")
    shorter = ".".join([*(part for part in path if part not in _ANYWHERE), last])
    return _OLD_DENSENET.sub(r"\1\2", shorter)


def _shared_prefix(names: list[str], known: tuple[str, ...]) -> str | None:
    return next((prefix for prefix in known if names and all(name.startswith(prefix) for name in names)), None)
