"""Per-sample parameter gradients of any module, from what went in and the gradients of what came out."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vjp, vmap


@dataclass(frozen=True)
class Call:
    """One call of a module.

    Attributes:
        args: as they were given, tensors detached.
        per_sample: which of the tensors in `args`, in the order of `tensors`, have rows of the samples.
        cotangents: gradients of the output's tensors, in the order of `tensors`; ``None`` where nothing depends on it.
    """

    args: tuple[Any, dict[str, Any]]
    per_sample: tuple[bool, ...]
    cotangents: Sequence[torch.Tensor | None]


def tensors(nested: Any) -> Iterator[torch.Tensor]:
    """All tensors in tuples, lists and mappings, depth first."""
    if isinstance(nested, torch.Tensor):
        yield nested
    elif isinstance(nested, Mapping):
        for value in nested.values():
            yield from tensors(value)
    elif isinstance(nested, list | tuple):
        for value in nested:
            yield from tensors(value)


def replaced(nested: Any, by: Iterator[torch.Tensor]) -> Any:
    """The same structure with its tensors replaced, in the order of `tensors`; mappings become plain ones."""
    if isinstance(nested, torch.Tensor):
        return next(by)
    if isinstance(nested, Mapping):
        return {key: replaced(value, by) for key, value in nested.items()}
    if isinstance(nested, list | tuple):
        values = [replaced(value, by) for value in nested]
        return type(nested)(*values) if hasattr(nested, "_fields") else type(nested)(values)
    return nested


def gradients(
    module: nn.Module, parameters: Mapping[str, torch.Tensor], call: Call, n: int, rows: slice
) -> dict[str, torch.Tensor]:
    """{name: (n rows, *shape)} of the named parameters of a module, for some of the n samples of a call.

    A vectorised pass over the module alone; where something in it cannot be vectorised, sample by sample.

    Raises:
        RuntimeError: neither works, for example because rows are not those of samples.
    """
    inputs = [
        tensor.reshape(n, -1, *tensor.shape[1:])[rows] if is_per_sample else tensor
        for tensor, is_per_sample in zip(tensors(call.args), call.per_sample, strict=True)
    ]
    known = [index for index, cotangent in enumerate(call.cotangents) if cotangent is not None]
    of_outputs = [call.cotangents[index].reshape(n, -1, *call.cotangents[index].shape[1:])[rows] for index in known]  # type: ignore[union-attr]
    detached = {name: parameter.detach() for name, parameter in parameters.items()}

    def outputs(values: dict[str, torch.Tensor], own: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        args, named = replaced(call.args, iter(own))
        found = list(tensors(functional_call(module, values, args, named)))
        return [found[index] for index in known]

    def of_one(own: Sequence[torch.Tensor], cotangents: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        pull = vjp(lambda values: outputs(values, own), detached)[1]
        found: dict[str, torch.Tensor] = pull(cotangents)[0]
        return found

    dims = [0 if is_per_sample else None for is_per_sample in call.per_sample]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")
            together: dict[str, torch.Tensor] = vmap(of_one, in_dims=(dims, 0))(inputs, of_outputs)
    except (RuntimeError, ValueError):
        n_rows = len(range(*rows.indices(n)))
        each = [
            of_one(
                [tensor if dim is None else tensor[row] for tensor, dim in zip(inputs, dims, strict=True)],
                [cotangent[row] for cotangent in of_outputs],
            )
            for row in range(n_rows)
        ]
        together = {name: torch.stack([one[name] for one in each]) for name in detached}
    return together
