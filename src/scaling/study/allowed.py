"""What the models behind a study file allow at a key: the fields beside it, the words, the other types."""

from __future__ import annotations

from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from scaling.study.older_keys import OLDER_KEYS
from scaling.study.schema import Study

Keys = tuple[str | int, ...]
"""The keys and positions that lead to a value of a study file: ("grid", "params", 0)."""


def keys_in(data: Any, location: Keys, missing: bool) -> Keys:
    """The part of one of pydantic's locations that is in the file.

    Pydantic also names the member of a union that it tried, and "[key]" for a key that is wrong itself; neither is in ``data``.

    Args:
        data: the contents of the file as dicts, lists and scalars.
        location: ``loc`` of an error.
        missing: whether the last part names a key that should be there and is not.
    """
    found: list[str | int] = []
    for position, part in enumerate(location):
        named = {str(key): key for key in data} if isinstance(data, dict) else {}
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif (key := named.get(str(part), OLDER_KEYS.get(str(part)))) in named.values():
            data = data[key]
        elif not (missing and position == len(location) - 1):
            continue
        found.append(part)
    return tuple(found)


def types_at(keys: Keys) -> list[Any]:
    """The types that the models allow at ``keys``, None left out; an empty list if there is no such key."""
    found: list[Any] = [Study]
    for key in keys:
        found = [member for one in found for member in _members(_inside(one, key))]
    return found


def fields_beside(keys: Keys) -> list[str]:
    """The keys that the model allows where the last of ``keys`` stands."""
    return [field for one in types_at(keys[:-1]) if _is_model(one) for field in one.model_fields]


def literals(keys: Keys) -> list[str]:
    """The words that are allowed at ``keys``."""
    return [str(word) for one in types_at(keys) if get_origin(one) is Literal for word in get_args(one)]


def alternatives(keys: Keys) -> str:
    """What is allowed at ``keys`` apart from words: " or a number", a model from outside, or an empty string."""
    others = {float: " or a number", int: " or a number", list: " or a list", str: ", timm/NAME or PATH.py:NAME"}
    found = [others.get(get_origin(one) or one, "") for one in types_at(keys)]
    return "".join(dict.fromkeys(found))


def _members(annotation: Any) -> list[Any]:
    """The members of ``annotation`` if it is a union, without their constraints and without None."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return [] if annotation in (None, NoneType) else [annotation]


def _inside(annotation: Any, key: str | int) -> Any:
    """The type of what ``key`` leads to in a value of type ``annotation``; None if it leads nowhere."""
    if _is_model(annotation):
        field = annotation.model_fields.get(key)
        return field.annotation if field else None
    if get_origin(annotation) is dict and isinstance(key, str):
        return get_args(annotation)[1]
    if get_origin(annotation) is list and isinstance(key, int):
        return get_args(annotation)[0]
    return None


def _is_model(annotation: Any) -> bool:
    return isclass(annotation) and issubclass(annotation, BaseModel)
