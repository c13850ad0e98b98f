"""Whether two networks with the same tensors are one: whether they answer the same image alike.

timm and torchvision have many networks in common, and timm has some under several names. What tells networks of equal
names and shapes apart (padding, stride, activation, window, the epsilon of a normalisation) shows in their answers.
"""

import hashlib

import torch
from torch import nn

from mi_audit.targets._build import WithoutInitialisation, build
from mi_audit.targets._fitting import Fit, Tensors

# Relative to the spread of the logits: far above the noise of float32, far below any difference in the networks.
_ALIKE = 1e-4
# Answers of larger networks take longer than a person waits for; two of those are then two candidates.
_MOST_NUMBERS = 100_000_000
# Small images first: what takes them answers in a tenth of the time. Two that take only large ones stay two candidates.
_SMALL, _LARGEST_SIDE = (64, 64), 256
_NOT_TAKEN = (RuntimeError, ValueError, AssertionError, IndexError, AttributeError, TypeError)


def answer_alike(one: Fit, other: Fit, tensors: Tensors) -> bool:
    """Whether the two networks, with these tensors stirred a little, answer a random image alike.

    The tensors are stirred since weights as they are initialised hide differences: a head of zeros answers zeros.
    """
    if (one.n_classes, one.n_channels) != (other.n_classes, other.n_channels):
        return False
    if sum(tensor.numel() for tensor in tensors.values()) > _MOST_NUMBERS:
        return False
    stirred = {name: _stirred(name, tensor) for name, tensor in tensors.items()}
    with torch.no_grad():
        modules = [_built(found, stirred) for found in (one, other)]
        for size in (_SMALL, *(own for own in (one.size, other.size) if max(own) <= _LARGEST_SIDE)):
            answers = [_answer(module, size, one.n_channels) for module in modules if module is not None]
            if len(answers) == 2 and all(answer is not None for answer in answers):
                return _are_close(*(answer for answer in answers if answer is not None))
    return False


def _stirred(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with noise: all of it where its numbers are one number, a tenth otherwise where it is a vector."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return tensor
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest())
    generator = torch.Generator().manual_seed(seed)
    if tensor.ndim <= 1:
        noise = torch.rand(tensor.shape, generator=generator)
        return tensor + 0.1 * (noise if name.endswith("running_var") else noise - 0.5)
    low, high = torch.aminmax(tensor)
    if bool(low == high):
        return tensor + 0.1 * torch.randn(tensor.shape, generator=generator)
    return tensor


def _built(found: Fit, tensors: Tensors) -> nn.Module | None:
    try:
        with WithoutInitialisation():
            module = build(found.blueprint, found.n_classes, (*found.size, found.n_channels), seed=0)
        weights = {**module.state_dict(), **tensors}
        module.load_state_dict(weights, strict=True, assign=True)
    except _NOT_TAKEN:
        return None
    return module.eval()


def _answer(module: nn.Module, size: tuple[int, int], n_channels: int) -> torch.Tensor | None:
    image = torch.randn((1, n_channels, *size), generator=torch.Generator().manual_seed(0))
    try:
        answer = module(image)
    except _NOT_TAKEN:
        return None
    return answer if isinstance(answer, torch.Tensor) else None


def _are_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or not bool(torch.isfinite(one).all() and torch.isfinite(other).all()):
        return False
    spread = float((one - one.mean()).abs().max())
    return spread > 0 and float((one - other).abs().max()) < _ALIKE * spread
