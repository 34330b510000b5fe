"""The blocks of a model in their order, from the images to the classifier: what layer decay counts."""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters
from torch import nn


def blocks_of(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of ``model``, block by block, those nearest to the images first.

    The order is that of the model's own ``group_matcher``, where it has one, as models of timm do. Otherwise blocks are the
    children of the model, and of its sequences and lists, in the order in which the model has them; parameters of the model
    itself, such as positions, belong to the first. Parameters without a matrix, such as those of a norm, are no block of their
    own: they belong to the block before them.
    """
    model = _unwrapped(model)
    parameters = dict(model.named_parameters())
    matcher: Any = getattr(model, "group_matcher", None)
    places = group_parameters(model, matcher(coarse=False), reverse=True) if matcher else _places(model)
    blocks: list[list[nn.Parameter]] = []
    for place in sorted(set(places.values())):
        group = [parameters[name] for name, own in places.items() if own == place]
        if blocks and not (_has_matrix(group) and _has_matrix(blocks[-1])):
            blocks[-1] += group
        else:
            blocks.append(group)
    return blocks


def _unwrapped(model: nn.Module) -> nn.Module:
    """``model`` without modules around it that have no parameters of their own and one child."""
    while not hasattr(model, "group_matcher"):
        children = list(model.children())
        if len(children) != 1 or list(model.parameters(recurse=False)):
            break
        model = children[0]
    return model


def _places(model: nn.Module) -> dict[str, int]:
    """The place of the block of each parameter, by the parameter's name."""
    owners = {name: _owner(model, name.split(".")[:-1]) for name, _ in model.named_parameters()}
    order = {owner: place for place, owner in enumerate(dict.fromkeys(owner for owner in owners.values() if owner))}
    return {name: order.get(owner, 0) for name, owner in owners.items()}


def _owner(model: nn.Module, path: list[str]) -> str:
    """The name of the block on the ``path`` of names from ``model`` to a module; empty for the model itself."""
    module = model
    for depth, name in enumerate(path, 1):
        module = module.get_submodule(name)
        if not isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            return ".".join(path[:depth])
    return ".".join(path)


def _has_matrix(group: list[nn.Parameter]) -> bool:
    return any(parameter.ndim > 1 for parameter in group)
