"""Sizes as a list, or as the first, the last and how many: ``[5000, 20000, 80000]``, ``{from: 5000, to: 80000, count: 3}``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Discriminator, Field, Tag, TypeAdapter, ValidationError, create_model

from scaling.study.recipe import Integer, Strict

Count = Annotated[Integer, Field(gt=0)]
MOST_SIZES: Final = 1000
"""Sizes, or data sizes, that a list of them has at most: each is a model to be laid out."""

DIGITS: Final = 2
"""Significant digits of the sizes between the first and the last (assumption: they read well and are even to 5 %)."""

_FIELDS: Final[dict[str, Any]] = {
    "from": (Count, Field(description="the first, as it is written")),
    "to": (Count, Field(description="the last, as it is written; larger than `from`")),
    "count": (Annotated[Integer, Field(ge=2, le=MOST_SIZES)], Field(description="how many, both ends included")),
}
Spaced: Any = create_model(
    "Spaced",
    __base__=Strict,
    __doc__="Sizes evenly spaced in their logarithm, those between the ends rounded to two significant digits.",
    **_FIELDS,
)  # not a class: `from` is a word of Python


def spaced(first: int, last: int, count: int) -> list[int]:
    """``count`` sizes from ``first`` to ``last``, evenly spaced in their logarithm.

    Raises:
        ValueError: last is not larger than first, or some sizes are the same once they are rounded.
    """
    if last <= first:
        raise ValueError(f"`to` must be larger than `from`, {first}")
    # Nine digits first: the last bits of a power differ between machines, and must not decide how a half is rounded.
    between = [float(f"{first * (last / first) ** (place / (count - 1)):.9g}") for place in range(1, count - 1)]
    found = [first, *(rounded(value, DIGITS) for value in between), last]
    if any(one >= other for one, other in pairwise(found)):
        raise ValueError(f"{count} sizes from {first} to {last} are too close: rounded to {DIGITS} digits some are the same")
    return found


def rounded(value: float, digits: int) -> int:
    """The whole number nearest to ``value``, at least 1, among those with so many significant digits."""
    return max(1, round(float(f"{value:.{digits}g}")))


def _listed(said: Any) -> list[int]:
    return spaced(getattr(said, "from"), said.to, said.count) if isinstance(said, Spaced) else said


if TYPE_CHECKING:
    Counts = list[int]
else:
    Counts = Annotated[
        Annotated[list[Count], Field(min_length=1, max_length=MOST_SIZES), Tag("list")] | Annotated[Spaced, Tag("spaced")],
        Discriminator(lambda said: "spaced" if isinstance(said, dict | Spaced) else "list"),
        AfterValidator(_listed),
    ]

_COUNTS: Final = TypeAdapter(Spaced)


def as_list(said: Any) -> list[Any]:
    """The sizes that a study file says in either form: a list as it is, an empty one for what cannot be read."""
    if isinstance(said, list):
        return said
    try:
        return _listed(_COUNTS.validate_python(said))
    except (ValidationError, ValueError):
        return []
