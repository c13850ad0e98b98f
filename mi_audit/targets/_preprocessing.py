"""Which normalisation a target gets: what the user says, then what is known of its weights, its family and its data."""

import math

from mi_audit.errors import UsageError
from mi_audit.targets._catalogue import Constants, identity, known_constants
from mi_audit.targets.interface import TargetRequest

NOTHING_KNOWN = "--mean/--std were not given and nothing is known: pixels in [0, 1]"


def constants_of(
    request: TargetRequest, family: str, n_classes: int, n_channels: int, own: Constants | None = None
) -> tuple[Constants, tuple[str, ...]]:
    """Mean and standard deviation for a network of so many channels, and notes on what was assumed.

    Args:
        request: whose ``--mean`` and ``--std`` come first.
        family: of the network.
        n_classes: of the network.
        n_channels: of the network's input.
        own: what the makers of the weights say, which comes second.

    Raises:
        UsageError: ``--mean`` without ``--std``, a number of values that does not fit, or a value that makes no sense.
    """
    if request.mean is not None or request.std is not None:
        return _given(request, n_channels), ()
    known = own or known_constants(family, request.data_name, n_classes, n_channels)
    return (known, ()) if known is not None else (identity(n_channels), (NOTHING_KNOWN,))


def _given(request: TargetRequest, n_channels: int) -> Constants:
    if request.mean is None or request.std is None:
        raise UsageError("expected --mean and --std together, got one of them", tip="for none: --mean 0 --std 1")
    mean, std = _broadcast("--mean", request.mean, n_channels), _broadcast("--std", request.std, n_channels)
    if not all(value > 0 for value in std):
        raise UsageError(f"expected every --std above 0, got {', '.join(map(str, std))}")
    if max(mean) > 1:
        scaled = (",".join(f"{value / 255:.4g}" for value in values) for values in (mean, std))
        raise UsageError(
            f"expected --mean for pixels in [0, 1], got {', '.join(map(str, mean))}",
            tip="for pixels up to 255 it is --mean {} --std {}".format(*scaled),
        )
    return Constants(mean, std, "--mean/--std")


def _broadcast(flag: str, values: tuple[float, ...], n_channels: int) -> tuple[float, ...]:
    """One value per channel; a single one stands for all."""
    if not all(math.isfinite(value) for value in values):
        raise UsageError(f"expected finite numbers for {flag}, got {', '.join(map(str, values))}")
    if len(values) == 1:
        return values * n_channels
    if len(values) != n_channels:
        raise UsageError(f"expected 1 or {n_channels} values for {flag}, got {len(values)}")
    return values
