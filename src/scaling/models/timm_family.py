"""An architecture of timm as a family: ``timm/NAME``, made by timm's own functions with the arguments that a size moves.

No weights are downloaded and the initialisation is timm's. Images of any side are taken by one rule, in this order:

1. Where the architecture has a patch, it is the largest whole number of pixels, at most its usual one, that leaves 4 x 4
   positions in the last map; 1 where none does.
2. Where the image must be a multiple of a number of pixels (MaxViT), it is enlarged until the last map has 4 x 4 positions.
3. Otherwise strides are taken out, from the input on, until the last map has 4 x 4 positions.
"""

from __future__ import annotations

import difflib
import inspect
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache, partial
from importlib import import_module
from typing import Any, Final

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaling.models.counting import sketch
from scaling.models.family import SEARCHED_WIDTHS, Family, ImageSpec, Regularisation, channels
from scaling.models.outside import BY_DEPTH, BY_WIDTH, TIMM, facts_of
from scaling.models.registry import Option
from scaling.models.timm_rules import TimmRule, rule_of

LEAST_MAP: Final = 4
"""Positions on a side that the last map should have (assumption: half of the 7 that timm's models have at 224 pixels)."""
LEAST_HEAD, LARGEST_HEAD = 8, 64
"""Channels of an attention head; between them a third of the width, as in the ViT of this package."""
DROP_ARGUMENTS: Final = {"dropout": "drop_rate", "stochastic_depth": "drop_path_rate"}

SHAPE: Final = ("num_classes", "in_chans")


class TimmError(ValueError):
    """A model of timm that cannot be made as a study asks for it."""


def make(name: str, options: Iterable[tuple[str, Option]] = ()) -> Family:
    """The family that is called ``name`` (``timm/NAME``); ``options`` tell whether its width moves by a rule of the study's.

    Raises:
        TimmError: timm has no such model.
    """
    model = name.removeprefix(TIMM)
    rule = rule_of(model)
    if rule is None and not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=1, cutoff=0.5)
        raise TimmError(f"timm has no model {model}" + (f"; did you mean {TIMM}{near[0]}?" if near else ""))
    least, largest, whole = SEARCHED_WIDTHS
    step = rule.step if rule is not None and BY_WIDTH not in dict(options) else whole
    return Family(
        facts=facts_of(name),
        widths=(least, largest, step),
        depths=((least, 1),),
        depth_unit="times the depth of its rule",
        builder=partial(_build, model),
        residual=True,  # whether it drops branches is asked of it when it is built
        channels_last_from=None,  # strided 1x1 convolutions of few channels are unsafe there on CPUs
        searched=True,
    )


def _build(
    model: str, width: float, depth: int, image: ImageSpec, regularisation: Regularisation, **options: Option
) -> nn.Module:
    """The model in a size, fitted to the images."""
    said = {name: json.loads(str(options.pop(name))) for name in (BY_WIDTH, BY_DEPTH) if name in options}
    rule = rule_of(model)
    arguments = _arguments(rule, said, width, depth) | options
    drops = {argument: value for rate, argument in DROP_ARGUMENTS.items() if (value := asdict(regularisation)[rate])}
    if rule is not None and rule.patch is not None:
        argument, usual, further = rule.patch
        arguments.setdefault(argument, min(usual, max(1, image.side // (LEAST_MAP * further))))
    side = image.side
    if rule is not None and rule.strides_in_all:
        multiple = rule.strides_in_all
        side = max(multiple * math.ceil(side / multiple), multiple * LEAST_MAP)
    key = json.dumps([model, sorted(said.items()), sorted(options.items())])
    net = _create(model, rule, arguments | drops, image, side)
    if side == image.side and "patch_size" not in arguments:
        for name in _strides_out(key, image, _Sketched(lambda: _create(model, rule, arguments, image, side))):
            net.get_submodule(name).stride = _like(net.get_submodule(name).stride, 1)  # pyright: ignore[reportArgumentType]
    return net if side == image.side else Enlarged(net, side)


class Enlarged(nn.Module):
    """A model of larger images, which are enlarged by bilinear interpolation."""

    def __init__(self, model: nn.Module, side: int):
        super().__init__()
        self.model, self.side = model, side

    def forward(self, images: Tensor) -> Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        return self.model(F.interpolate(images, size=(self.side, self.side), mode="bilinear", align_corners=False))


# -- arguments ---------------------------------------------------------------------------------------------------------


def _arguments(rule: TimmRule | None, said: Mapping[str, Any], width: float, depth: int) -> dict[str, Any]:
    """What width and depth say, by the study's rule where it gives one, or by the built-in one."""
    real = rule.real if rule else ()
    by_width = said.get(BY_WIDTH, rule.width if rule else {})
    by_depth = said.get(BY_DEPTH, rule.depth if rule else {})
    found = dict(rule.settings) if rule else {}
    found |= {name: _times(one, width, name in real) for name, one in by_width.items()}
    found |= {name: _times(one, depth, name in real) for name, one in by_depth.items()}
    for name, multiple in (rule.multiple if rule else {}).items():
        if name in found and BY_WIDTH not in said:
            found[name] = _each(found[name], lambda value, m=multiple: m * channels(value, 1 / m))
    if rule is not None and rule.heads is not None and BY_WIDTH not in said:
        heads, divided = rule.heads
        found[heads] = channels(width, 1 / min(max(width / 3, LEAST_HEAD), LARGEST_HEAD))
        found[divided] = found[heads] * channels(width, 1 / found[heads])
    return found


def _times(one: Any, size: float, real: bool) -> Any:
    return _each(one, lambda value: value * size if real else channels(size, value))


def _each(value: Any, change: Any) -> Any:
    return tuple(change(part) for part in value) if isinstance(value, list | tuple) else change(value)


# -- timm --------------------------------------------------------------------------------------------------------------


def _create(model: str, rule: TimmRule | None, arguments: dict[str, Any], image: ImageSpec, side: int) -> nn.Module:
    """timm's ``model`` with ``arguments``. Raises TimmError."""
    shape = dict(zip(SHAPE, (image.classes, image.channels), strict=True))
    try:
        try:
            return _call(model, rule, arguments | shape | {"img_size": side})
        except TypeError as error:
            if "'img_size'" not in str(error):
                raise
        return _call(model, rule, arguments | shape)
    except Exception as error:
        raise TimmError(_told(model, arguments, error)) from error


def _call(model: str, rule: TimmRule | None, arguments: dict[str, Any]) -> nn.Module:
    base = model if timm.is_model(model) else rule.base if rule else model
    if rule is not None and rule.generator and base == rule.base:
        module, function = rule.generator.split(":")
        return getattr(import_module(f"timm.models.{module}"), function)(base, pretrained=False, **arguments)
    return timm.create_model(base, pretrained=False, **arguments)


def _told(model: str, arguments: Mapping[str, Any], error: Exception) -> str:
    """What went wrong in a line, with what is allowed where an argument is not known."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    unknown = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if unknown is None:
        said = ", ".join(f"{name}={value}" for name, value in arguments.items())
        return f"{TIMM}{model} cannot be made with {said} ({text})"
    owner, argument = unknown.groups()
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("timm.models.")]
    owners = [getattr(module, owner) for module in modules if hasattr(module, owner)]
    takes = [name for name in (inspect.signature(owners[0]).parameters if owners else ()) if name not in SHAPE]
    near = difflib.get_close_matches(argument, takes, n=1, cutoff=0.5)
    more = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(takes)}" if takes else ""
    return f"{TIMM}{model} takes no argument {argument!r}{more}"


# -- small images ------------------------------------------------------------------------------------------------------


class _Sketched:
    """A way to make a model, which is no part of what a result is remembered by."""

    def __init__(self, make: Any):
        self.make = make

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sketched)


@cache
def _strides_out(key: str, image: ImageSpec, sketched: _Sketched) -> tuple[str, ...]:
    """The layers, in the order in which they are called, that lose their stride so that the last map is large enough.

    They are the same in every width and depth, so they are looked for once for each ``key``.
    """
    model = sketch(sketched.make)
    names = {module: name for name, module in model.named_modules()}
    out: list[str] = []
    while True:
        strided, side = _run(model, image)
        if not strided or (side is not None and side >= LEAST_MAP):
            return tuple(out) if side is not None else ()
        strided[0].stride = _like(strided[0].stride, 1)
        out.append(names[strided[0]])


def _run(model: Any, image: ImageSpec) -> tuple[list[Any], int | None]:
    """The layers with strides in the order of their calls, and the side of the last map; None where the images do not fit."""
    strided: list[Any] = []

    def note(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and max(_pair(module.stride)) > 1:
            strided.append(module)

    hooks = [module.register_forward_pre_hook(note) for module in model.modules()]
    try:
        with torch.no_grad(), torch.device("meta"):
            features = model.eval().forward_features(torch.empty(2, image.channels, image.side, image.side))
        is_map = features.ndim == 4 and getattr(model, "output_fmt", "NCHW") == "NCHW"
        return strided, min(features.shape[-2:]) if is_map else LEAST_MAP
    except (RuntimeError, ValueError, AssertionError):
        return strided, None
    finally:
        for hook in hooks:
            hook.remove()


def _pair(stride: Any) -> tuple[int, ...]:
    return tuple(stride) if isinstance(stride, tuple | list) else (stride,)


def _like(stride: Any, value: int) -> Any:
    return tuple(value for _ in stride) if isinstance(stride, tuple | list) else value
