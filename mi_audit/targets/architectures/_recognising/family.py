"""How built-in networks are recognised from the names and shapes of a checkpoint's tensors; without torch."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

Option = int | str | bool | tuple[int, ...]
Options = Mapping[str, Option]
Shape = tuple[int, ...]

# Of batch normalisation, and of a layer with bias, at the end of a key; counters are dropped beforehand.
NORM = "(weight|bias|running_mean|running_var)"
BOTH = "(weight|bias)"
_COUNTER = "num_batches_tracked"


class Outline:
    """Names and shapes of a checkpoint's tensors, without the counters of batch normalisation.

    Attributes:
        shapes: of each tensor, by name.
    """

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.shapes = {name: tuple(shape) for name, shape in shapes.items() if not name.endswith(_COUNTER)}

    @cached_property
    def _modules(self) -> frozenset[str]:
        found: set[str] = set()
        for name in self.shapes:
            module = name.rpartition(".")[0]
            while module and module not in found:
                found.add(module)
                module = module.rpartition(".")[0]
        return frozenset(found)

    def __contains__(self, name: str) -> bool:
        """Whether there is such a tensor, or such a module with tensors."""
        return name in self.shapes or name in self._modules

    def shape(self, name: str) -> Shape:
        """Of a tensor; empty where there is none, so that it equals no other."""
        return self.shapes.get(name, ())

    def size(self, name: str, axis: int = 0) -> int:
        """Length of one axis of a tensor; 0 where there is none."""
        shape = self.shape(name)
        return shape[axis] if len(shape) > axis else 0

    def count(self, module: str) -> int:
        """How many children, numbered from 0 on, a module has."""
        number = 0
        while f"{module}.{number}" in self:
            number += 1
        return number

    def blocks(self, module: str, first: int = 1) -> tuple[int, ...]:
        """Children of each of the modules that ``module`` with a number from `first` on in place of ``{}`` names."""
        found: list[int] = []
        while number := self.count(module.format(first + len(found))):
            found.append(number)
        return tuple(found)

    def fits(self, expected: Mapping[str, Shape]) -> bool:
        """Whether all these tensors are there with these shapes, of which -1 is any length."""
        return all(_same(self.shape(name), shape) for name, shape in expected.items())


def _same(shape: Shape, expected: Shape) -> bool:
    return len(shape) == len(expected) and all(b in (-1, a) for a, b in zip(shape, expected, strict=True))


@dataclass(frozen=True)
class Family:
    """Networks that differ in their options only: built by one module, under the names of one repository.

    Attributes:
        name: stands in front of the names of networks that are not listed.
        module: in `architectures`, whose `build` takes the options.
        trained_as: tells which normalisation constants the public networks were trained with.
        title: what the networks are, in words.
        marks: tensors that all of them have; looked up before anything else.
        keys: regular expression that every tensor's name matches as a whole.
        read: the options of the networks that may have such tensors, most likely first; none where they do not fit.
        fixed: options that all of them share.
        listed: further options of the networks that have a name of their own.
        own_size: (height, width) of the images that they were designed for.
        depends_on_size: whether the weights have other shapes for images of another size.
    """

    name: str
    module: str
    trained_as: str
    title: str
    marks: tuple[str, ...]
    keys: str
    read: Callable[[Outline], Iterable[Options]]
    fixed: Options = field(default_factory=dict)
    listed: Mapping[str, Options] = field(default_factory=dict)
    own_size: tuple[int, int] = (32, 32)
    depends_on_size: bool = False

    def options(self, outline: Outline) -> tuple[Options, ...]:
        """Of the networks of the family that fit, without those that all share."""
        if not all(mark in outline.shapes for mark in self.marks):
            return ()
        pattern = re.compile(self.keys)
        if not all(pattern.fullmatch(name) for name in outline.shapes):
            return ()
        return tuple(self.read(outline))


def residual(outline: Outline, stage: str, conv: str, last: str, stem: str, head: str, first: int = 1) -> Options:
    """Blocks, bottleneck and width of a residual network whose stages double the channels; empty if it is none.

    Args:
        outline: of the checkpoint.
        stage: name of a stage, with ``{}`` for its number.
        conv: name within a block of the second convolution.
        last: name within a block of the third convolution, which only bottleneck blocks have.
        stem: name of the first convolution.
        head: name of the last layer.
        first: number of the first stage.
    """
    blocks, width = outline.blocks(stage, first), outline.size(f"{stem}.weight")
    begin = stage.format(first)
    bottleneck = f"{begin}.0.{last}.weight" in outline.shapes
    last_width = (width << len(blocks) >> 1) * (4 if bottleneck else 1)
    expected: dict[str, Shape] = {f"{head}.weight": (-1, last_width)}
    for number in range(len(blocks)):
        inner = width * 2**number
        expected[f"{stage.format(first + number)}.0.{conv}.weight"] = (inner, inner, 3, 3)
    is_one = bool(blocks) and width > 0 and outline.fits(expected)
    return {"blocks": blocks, "bottleneck": bottleneck, "width": width} if is_one else {}
