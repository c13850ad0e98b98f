"""From what layers saw to power sums: gradients are formed for some samples at a time, reduced and dropped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mi_audit.features import _attention_gradients, _black_box, _moments
from mi_audit.features._folding import Fold
from mi_audit.features._layer_gradients import CONVOLUTION, Rule, Tensors, Vectors
from mi_audit.features._sites import Site

CHUNK_BYTES = 16 << 20
_SQUARES, _N_SUMS = 2, 7
_CHANNELS_LAST = (0, 2, 3, 1)


class NeedsNetworkError(Exception):
    """Parameters of a site that cannot be taken care of where its module is called."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.name)
        self.keys = frozenset(site.keys.values())


class ChangedInPlaceError(Exception):
    """A layer's input was written over before its gradient arrived; it has to be copied."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.name)
        self.site = site


@dataclass(eq=False)
class Use:
    """One call of a site's module in this pass."""

    site: Site
    args: Any
    per_sample: tuple[bool, ...] = ()
    versions: tuple[int, ...] = ()
    cotangents: list[torch.Tensor | None] = field(default_factory=lambda: [None])


class LayerSums:
    """Power sums of the parameters of one batch.

    Args:
        n: samples.
        parameters: {first name: parameter}, all that count.
        kernels: what runs over much memory.
        keeps_squares: whether sums of squares are kept for each parameter.
    """

    def __init__(
        self, n: int, parameters: Mapping[str, torch.Tensor], kernels: _moments.Kernels, *, keeps_squares: bool
    ) -> None:
        self.n, self.parameters, self.kernels, self.keeps_squares = n, parameters, kernels, keeps_squares
        self.sums: list[torch.Tensor] = []
        self.vectors: dict[str, torch.Tensor] = {}
        self.squares: dict[str, torch.Tensor] = {}
        self.met: set[str] = set()

    def add_uses(self, uses: list[Use]) -> None:
        """The calls of modules that share parameters, all of them in this pass; what they kept is let go.

        Raises:
            ChangedInPlaceError: an input is not what it was.
            NeedsNetworkError: the gradients cannot be had from the call of this module.
        """
        for use in uses:
            if use.versions != tuple(tensor._version for tensor in _black_box.tensors(use.args)):  # noqa: SLF001
                raise ChangedInPlaceError(use.site)
        with torch.no_grad():
            self._add_vectors(uses)
            if len(uses) == 1 and self._is_rank_one(uses[0]):
                (a, d), key = self._pair(uses[0]), uses[0].site.keys["weight"]
                self._add(key, _moments.rank_one(d, a))
            elif uses:
                self._add_matrices(uses)
        for use in uses:  # autograd's graph still holds the hooks that hold it
            use.args, use.cotangents = (), []

    def _is_rank_one(self, use: Use) -> bool:
        rule, (a, d) = use.site.rule, self._pair(use)
        is_single = rule is not None and rule.is_linear and a.ndim == 2 and len(a) == self.n
        return is_single and "weight" in use.site.keys and d.ndim == 2

    @staticmethod
    def _pair(use: Use) -> tuple[torch.Tensor, torch.Tensor]:
        a, d = next(_black_box.tensors(use.args)), use.cotangents[0]
        assert d is not None, "uses without a gradient are left out"
        return a, d

    def _add_vectors(self, uses: list[Use]) -> None:
        for use in uses:
            if use.site.rule is None or use.site.rule.vectors is None:
                continue
            for own, gradient in self._vectors(use, use.site.rule.vectors).items():
                if own in use.site.keys:
                    self.add_vector(use.site.keys[own], self._per_sample(gradient))

    def _vectors(self, use: Use, rule: Vectors) -> Tensors:
        a, d = self._pair(use)
        fold = use.site.fold
        return fold.vectors(d) if fold else rule(use.site.module, a, d, self.kernels.channel_sums)

    def _per_sample(self, gradient: torch.Tensor) -> torch.Tensor:
        """(n, numbers) where a layer saw several rows of each sample (windows of an image, say): their sum."""
        return (
            gradient.reshape(self.n, -1, gradient[0].numel()).sum(1) if len(gradient) != self.n else gradient.flatten(1)
        )

    def add_vector(self, key: str, gradient: torch.Tensor) -> None:
        """(n, ...) gradients of a small parameter; those of several uses add up."""
        gradient = gradient.reshape(self.n, -1)
        self.vectors[key] = self.vectors[key] + gradient if key in self.vectors else gradient

    def _add_matrices(self, uses: list[Use]) -> None:
        """Power sums of the large parameters of a group, some samples at a time; several uses add up first."""
        keys = {key for use in uses for key in self._matrix_keys(use)}
        n_numbers = sum(self.parameters[key].numel() for key in keys)
        if not keys:
            return
        size = max(1, CHUNK_BYTES // (4 * n_numbers))
        parts: dict[str, list[torch.Tensor]] = {key: [] for key in keys}
        of_gamma: list[torch.Tensor] = []
        for start in range(0, self.n, size):
            rows = slice(start, min(start + size, self.n))
            gradients: dict[str, torch.Tensor] = {}
            for use in uses:
                for key, gradient in self._matrices(use, rows).items():
                    gradients[key] = gradients[key] + gradient if key in gradients else gradient
            for key, gradient in gradients.items():
                flat = _as_it_lies(gradient)
                if (site := uses[0].site).fold is not None:
                    of_gamma.append(self._unfold(site.fold, flat, gradient))
                parts[key].append(_moments.power_sums(flat, self.kernels.power_sums))
        for key, sums in parts.items():
            self._add(key, torch.cat(sums))
        if of_gamma and "gamma" in uses[0].site.keys:
            self.add_vector(uses[0].site.keys["gamma"], torch.cat(of_gamma))

    def _unfold(self, fold: Fold, flat: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Turn gradients of a folded weight into those of the weight, in place; (rows, out), the other part of gamma's.

        Args:
            fold: of the normalisation.
            flat: (rows, numbers) as `gradient` lies in memory.
            gradient: (rows, *shape).
        """
        weight = fold.by_gamma if gradient.is_contiguous() else fold.by_gamma.permute(*_CHANNELS_LAST)
        by_row = flat.view(len(flat), len(fold.factor), -1)
        return self.kernels.row_products(by_row, weight.flatten(1), fold.factor)

    @staticmethod
    def _matrix_keys(use: Use) -> list[str]:
        rule = use.site.rule
        if rule is None:
            return list(use.site.keys.values())
        return [use.site.keys["weight"]] if rule.matrix is not None and "weight" in use.site.keys else []

    def _matrices(self, use: Use, rows: slice) -> dict[str, torch.Tensor]:
        """{parameter: (rows, *shape)} of the large parameters of one use."""
        site = use.site
        if site.rule is None:
            d = use.cotangents[0]
            is_usual = d is not None and all(other is None for other in use.cotangents[1:])
            if is_usual and _attention_gradients.suits(site.module, use.args, self.n):
                of_call = _attention_gradients.gradients(site.module, use.args, d, rows)  # type: ignore[arg-type]
                return {key: of_call[name] for name, key in site.keys.items()}
            own = {name: self.parameters[key] for name, key in site.keys.items()}
            call = _black_box.Call(use.args, use.per_sample, use.cotangents)
            try:
                found = _black_box.gradients(site.module, own, call, self.n, rows)
            except (RuntimeError, ValueError) as error:
                if site.name == "":
                    raise
                raise NeedsNetworkError(site) from error
            return {key: found[name] for name, key in site.keys.items()}
        if not self._matrix_keys(use):
            return {}
        return {site.keys["weight"]: self._rule_matrix(site.rule, use, rows)}

    def _rule_matrix(self, rule: Rule, use: Use, rows: slice) -> torch.Tensor:
        assert rule.matrix is not None
        a, d = self._pair(use)
        folded = len(a) // self.n
        if rule.is_linear:
            a, d = (tensor.reshape(self.n, -1, tensor.shape[-1]) for tensor in (a, d))
            folded = 1
        part = slice(rows.start * folded, rows.stop * folded)
        quicker = self.kernels.convolution_weight if rule is CONVOLUTION else None
        gradient = quicker(use.site.module, a[part], d[part]) if quicker else None
        if gradient is None:
            gradient = rule.matrix(use.site.module, a[part], d[part])
        n_rows, shape = rows.stop - rows.start, gradient.shape[1:]
        return gradient.reshape(n_rows, folded, *shape).sum(1) if folded > 1 else gradient

    def _add(self, key: str, sums: torch.Tensor) -> None:
        self.met.add(key)
        self.sums.append(sums)
        if self.keeps_squares:
            self.squares[key] = sums[:, _SQUARES]

    def total(self, device: torch.device) -> torch.Tensor:
        """All parameters together; the small vectors of the whole network are reduced at once."""
        if self.keeps_squares:
            for key, vector in self.vectors.items():
                self.squares[key] = vector.double().square().sum(1)
        if self.vectors:
            self.sums.append(
                _moments.power_sums(torch.cat(list(self.vectors.values()), dim=1), self.kernels.power_sums)
            )
        if self.met | set(self.vectors) != set(self.parameters):  # some took no part: their gradient is 0
            self.sums.append(torch.zeros((self.n, _N_SUMS), dtype=torch.float64, device=device))
        return _moments.combined(torch.stack(self.sums))


def _as_it_lies(gradient: torch.Tensor) -> torch.Tensor:
    """(n, numbers) in the order of memory where that is channels first or channels last."""
    if gradient.is_contiguous() or gradient.ndim != 5:
        return gradient.flatten(1).contiguous()
    return gradient.permute(0, 1, 3, 4, 2).flatten(1).contiguous()
