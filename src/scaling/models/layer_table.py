"""A model layer by layer: names, kinds, output shapes and weights, found by shapes alone, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from scaling.models.family import ImageSpec


@dataclass(frozen=True)
class Layer:
    """A layer, or ``times`` equal ones in a row, whose number then stands as a span in the name: blocks.0–5.attn.qkv.

    Attributes:
        name: its path in the model; a parameter that belongs to no layer stands under its own path.
        kind: its class, such as Conv2d.
        shape: what it gives for one image, without the dimension of the images where that is 1; empty where the model uses
            its parameters without calling it.
        params: trainable parameters of one of them.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    times: int = 1


@dataclass(frozen=True)
class Described:
    """A model in words: its ``outline``, one line, and its ``layers``."""

    outline: str
    layers: tuple[Layer, ...]


def described(model: nn.Module, image: ImageSpec) -> Described:
    """``model`` (on any device, `meta` too) as one image passes it; it is left in evaluation mode.

    ``layers`` are those that have parameters, equal blocks in a row folded; activations, pools and the like are left out, as
    are auxiliary classifiers, which are thrown away after training. Their parameters add up to N (``counting.count_params``).

    ``outline`` says which shapes an image has on its way, after each of the model's outermost parts:
    1×28×28 → stem 8×14×14 → stages 32×4×4 → head 10. Parts that leave the shape as it was are left out.

    Raises:
        RuntimeError: the model cannot be passed on its device.
    """
    shapes = _shapes(model, image)
    return Described(_outline(model, image, shapes), tuple(_layers(model, shapes)))


def _layers(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> list[Layer]:
    rows: list[Layer] = []
    counted: set[int] = set()
    order = _order(shapes)
    for path, module in sorted(model.named_modules(), key=lambda named: _turn(named[0], order)):
        if path.split(".")[0] == "auxiliary":
            continue
        direct = module.named_parameters(recurse=False)
        own = [(name, one) for name, one in direct if one.requires_grad and id(one) not in counted]
        counted |= {id(one) for _, one in own}
        if next(module.children(), None) is None and own:
            rows.append(Layer(path, type(module).__name__, shapes.get(path, ()), sum(one.numel() for _, one in own)))
        else:
            rows += [Layer(f"{path}.{name}".lstrip("."), "parameter", _of_one(one.shape), one.numel()) for name, one in own]
    return folded(rows)


def _outline(model: nn.Module, image: ImageSpec, shapes: dict[str, tuple[int, ...]]) -> str:
    said = [written((image.channels, image.side, image.side))]
    before = said[0]
    outer = [(name, child) for name, child in model.named_children() if name in shapes]
    order = _order(shapes)
    for name, child in sorted(outer, key=lambda named: order[named[0]]):
        if (shape := written(shapes[name])) != before:
            said.append(f"{type(child).__name__ if name.isdigit() else name} {shape}")
            before = shape
    return " → ".join(said)


def written(shape: Sequence[int]) -> str:
    """A shape as 16×7×7."""
    return "×".join(map(str, shape))


def folded(rows: list[Layer]) -> list[Layer]:
    """``rows`` with equal numbered parts in a row, such as the blocks of a stage, made one."""
    groups: list[tuple[str, list[Layer]]] = []
    for row in rows:
        head, _, rest = row.name.partition(".")
        inner = replace(row, name=rest)
        if groups and groups[-1][0] == head and rest:
            groups[-1][1].append(inner)
        else:
            groups.append((head, [inner]))
    parts = [(head, folded(inner) if inner[0].name else inner) for head, inner in groups]
    found: list[Layer] = []
    place = 0
    while place < len(parts):
        head, inner = parts[place]
        end = place + 1
        while head.isdigit() and end < len(parts) and parts[end][0].isdigit() and parts[end][1] == inner:
            end += 1
        count = end - place
        name = head if count == 1 else f"{head}–{parts[end - 1][0]}"
        found += [replace(row, name=f"{name}.{row.name}".rstrip("."), times=row.times * count) for row in inner]
        place = end
    return found


def _order(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Path of each module that is called -> its place in the order of the calls."""
    return {name: place for place, name in enumerate(shapes)}


def _turn(path: str, order: dict[str, int]) -> int:
    """The place of a module in ``order``; parts that are not called come where their parent is."""
    while path and path not in order:
        path = path.rpartition(".")[0]
    return order.get(path, -1)


def _shapes(model: nn.Module, image: ImageSpec) -> dict[str, tuple[int, ...]]:
    """Path of each module that one image passes -> the shape of what it gives, in the order in which they begin."""
    found: dict[str, tuple[int, ...]] = {}

    def begin(path: str) -> None:
        found.setdefault(path, ())

    def end(path: str, given: Any) -> None:
        found[path] = _shape(given)

    hooks = []
    for path, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda _, __, path=path: begin(path)))
        hooks.append(module.register_forward_hook(lambda _, __, given, path=path: end(path, given)))
    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, image.channels, image.side, image.side, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _shape(given: Any) -> tuple[int, ...]:
    """The shape of the first tensor in what a module gave."""
    while isinstance(given, (tuple, list)) and given:
        given = given[0]
    if not isinstance(given, Tensor):
        return ()
    return _of_one(given.shape)


def _of_one(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)
