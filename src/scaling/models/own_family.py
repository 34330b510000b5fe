"""A model of a user's own as a family: ``PATH.py:NAME``, a class or a function that is called with a size and returns a module.

What it must do is in docs/own_models.md.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from torch import nn

from scaling.models.family import SEARCHED_WIDTHS, Family, ImageSpec, Regularisation
from scaling.models.outside import facts_of, own_place
from scaling.models.own_files import OwnModelError, check_defined, contents, local_files, told
from scaling.models.registry import Option

_ours: Final[set[str]] = set()
"""Names of modules beside a user's file that were imported for it."""


def make(name: str, options: Iterable[tuple[str, Option]] = ()) -> Family:
    """The family that is called ``name`` (``PATH.py:NAME``). Raises OwnModelError."""
    place = own_place(name)
    assert place is not None
    path, defined = place
    return Family(
        facts=facts_of(name),
        widths=SEARCHED_WIDTHS,
        depths=((SEARCHED_WIDTHS[0], 1),),
        depth_unit="its own depth",
        builder=partial(_build, _loaded(path, defined, contents(path)), path, defined),
        residual=True,  # whether it drops branches is asked of it when it is built
        channels_last_from=None,
        searched=True,
    )


def _build(
    target: Callable[..., Any],
    path: Path,
    defined: str,
    width: float,
    depth: int,
    image: ImageSpec,
    regularisation: Regularisation,
    **options: Option,
) -> nn.Module:
    """What ``target`` makes of a size; the rates of a recipe are handed over where it takes them."""
    takes = inspect.signature(target).parameters
    everything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    for rate, value in asdict(regularisation).items():
        if rate in takes or everything:
            options[rate] = value
        elif value:
            raise OwnModelError(f"{path}: {defined} takes no {rate}, which the recipe says is {value}")
    try:
        model = target(width=round(width), depth=depth, image=image, **options)
    except Exception as error:
        call = f"{defined}(width={round(width)}, depth={depth}, image: {image})"
        raise OwnModelError(f"{told(error, path)} (called as {call}; docs/own_models.md says what it must take)") from error
    if not isinstance(model, nn.Module):
        raise OwnModelError(f"{path}: {defined} returned a {type(model).__name__}; it must return a torch.nn.Module")
    return model


@cache
def _loaded(path: Path, defined: str, content: str) -> Callable[..., Any]:
    """What the file defines, imported anew for each ``content``; modules beside it are imported from there."""
    check_defined(path, defined)
    folder = path.parent.resolve()
    for file in local_files(path):
        beside = file.relative_to(path.parent).parts[0].removesuffix(".py")
        if file != path and beside in sys.modules and beside not in _ours:
            raise OwnModelError(f"{file}: another module is called {beside}; choose another name for it")
    for module in list(sys.modules):
        if module.split(".")[0] in _ours:
            del sys.modules[module]
    _ours.update(file.relative_to(path.parent).parts[0].removesuffix(".py") for file in local_files(path) if file != path)
    spec = importlib.util.spec_from_file_location(f"own_{content[:16]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as dataclasses and copies expect
    writes = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # of edits within a second Python's own caches know nothing
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise OwnModelError(told(error, path)) from error
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
    found = getattr(module, defined)
    if not callable(found):
        raise OwnModelError(f"{path}: {defined} is a {type(found).__name__}; it must be a class or a function")
    return found
