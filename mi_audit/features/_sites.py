"""Where a network's parameters are used, and by which way each gets its per-sample gradients."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from mi_audit.features._folding import Fold
from mi_audit.features._layer_gradients import Rule, rule_for


@dataclass(eq=False)
class Site:
    """A module whose own parameters are taken care of where it is called.

    Attributes:
        name: of the module in the network, empty for the network itself.
        module: the module.
        keys: {name in the module: the parameter's first name in the network}.
        rule: the rule of its kind; ``None`` for a black box.
        fold: of the normalisation that is folded into it, whose parameters it has as ``gamma`` and ``beta``.
    """

    name: str
    module: nn.Module
    keys: Mapping[str, str]
    rule: Rule | None
    fold: Fold | None = None


@dataclass(frozen=True)
class Plan:
    """All parameters of a network, each in one of three ways.

    Attributes:
        groups: sites that share no parameter with another group, with a row each.
        leaves: parameters with a leading dimension of 1 (tokens, positions) that are replaced by a copy per sample.
        parameters: {first name: parameter}, all that were trainable.
    """

    groups: tuple[tuple[Site, ...], ...]
    leaves: tuple[str, ...]
    parameters: Mapping[str, torch.Tensor]

    def black_boxes(self) -> list[str]:
        """Names of the parameters without a rule."""
        sites = [site for group in self.groups for site in group if site.rule is None]
        sites = [site for site in sites if not isinstance(site.module, nn.MultiheadAttention)]
        return [key for site in sites for key in site.keys.values()]


def plan(
    network: nn.Module,
    trainable: Iterable[str],
    by_network: frozenset[str] = frozenset(),
    folds: Mapping[str, Fold] | None = None,
) -> Plan:
    """Decide for every trainable parameter.

    Args:
        network: the network.
        trainable: first names of the parameters that count.
        by_network: those for which nothing smaller than the whole network as a black box is right.
        folds: {convolution: the normalisation folded into it}.
    """
    names = set(trainable)
    parameters = {name: parameter for name, parameter in network.named_parameters() if name in names}
    first = {id(parameter): name for name, parameter in parameters.items()}
    sites, leaves = [], []
    for site, may_be_leaves in _sites(network, "", first):
        kept = {own: key for own, key in site.keys.items() if key not in by_network}
        if may_be_leaves:
            leaves += [key for key in kept.values() if _is_broadcast(parameters[key])]
            kept = {own: key for own, key in kept.items() if key not in leaves}
        if kept:
            sites.append(Site(site.name, site.module, kept, site.rule))
    if by_network:
        sites.append(Site("", network, {key: key for key in parameters if key in by_network}, None))
    return Plan(tuple(_grouped(_with_folds(sites, folds or {}))), tuple(leaves), parameters)


def _with_folds(sites: list[Site], folds: Mapping[str, Fold]) -> list[Site]:
    """Convolutions take over the parameters of the normalisations that are folded into them."""
    by_name = {site.name: site for site in sites}
    for name, fold in folds.items():
        norm = by_name.pop(fold.norm)
        theirs = {other: norm.keys[own] for own, other in (("weight", "gamma"), ("bias", "beta")) if own in norm.keys}
        by_name[name] = replace(by_name[name], keys={**by_name[name].keys, **theirs}, fold=fold)
    return list(by_name.values())


def _is_broadcast(parameter: torch.Tensor) -> bool:
    return parameter.ndim > 1 and parameter.shape[0] == 1


def _sites(module: nn.Module, name: str, first: Mapping[int, str]) -> Iterator[tuple[Site, bool]]:
    """Every module with parameters of its own, and whether those may be replaced by a copy per sample.

    A module that computes its weights, or uses those of its children without calling them, is one black box.
    """
    is_whole = hasattr(module, "parametrizations") or isinstance(module, nn.MultiheadAttention | nn.RNNBase)
    own = {key: first[id(each)] for key, each in module.named_parameters(recurse=is_whole) if id(each) in first}
    if own:
        rule = None if is_whole else rule_for(module)
        yield Site(name, module, own, rule), rule is None and not is_whole and next(module.children(), None) is not None
    if not is_whole:
        for child, each in module.named_children():
            yield from _sites(each, f"{name}.{child}" if name else child, first)


def _grouped(sites: list[Site]) -> Iterator[tuple[Site, ...]]:
    """Sites that share a parameter, directly or by way of others, together."""
    groups: list[tuple[set[str], list[Site]]] = []
    for site in sites:
        keys, members = set(site.keys.values()), [site]
        for other in [group for group in groups if group[0] & keys]:
            groups.remove(other)
            keys, members = keys | other[0], other[1] + members
        groups.append((keys, members))
    return (tuple(members) for _, members in groups)
