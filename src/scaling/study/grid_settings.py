"""The block ``grid`` of a study: its cells, as sizes, data sizes, seeds, and runs beside them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from scaling.study.layout import LONGEST_NAME
from scaling.study.recipe import Integer, Strict
from scaling.study.spaced import MOST_SIZES, Count, Counts

EntryName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=LONGEST_NAME)]
SomeCounts = Annotated[list[Count], Field(max_length=MOST_SIZES)]
Seed = Annotated[Integer, Field(ge=0)]
MOST_CELLS: Final = 1_000_000
"""Cells of a study; a hundred thousand are planned in seconds."""


def distinct(values: list[Any] | None) -> list[Any] | None:
    """``values``, none of which stands twice. Raises ValueError."""
    twice = sorted(value for value, times in Counter(values or ()).items() if times > 1)
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise ValueError(f"must not list a value twice: {', '.join(map(str, twice[:5]))}{more}")
    return values


class Repeat(Strict):
    """More seeds for a part of the grid."""

    params: SomeCounts | None = Field(default=None, description="sizes concerned; null = all")
    images: SomeCounts | None = Field(default=None, description="data sizes concerned; null = all")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(description="seeds added there")


class Added(Strict):
    """Runs of one family at one size and data size, beside those of the grid."""

    family: EntryName = Field(description="an entry of `families`")
    params: Count = Field(description="N; unlike the grid's sizes it is never moved into the family's range")
    images: Count = Field(description="D")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(description="seeds added there")

    _distinct = field_validator("seeds")(distinct)


class Grid(Strict):
    """The cells: every size with every data size and seed."""

    params: Counts = Field(description="N of every family that has no sizes of its own: a list, or from, to and count")
    images: Counts = Field(description="D: unique training images: a list, or from, to and count")
    out_of_range: Literal["refuse", "move"] = Field(
        default="refuse",
        description="what sizes do that a family cannot have for the images at hand: refuse = an error; move = all sizes of "
        "that family are multiplied by the factor that brings them into its range (docs/studies.md)",
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default=[0], description="seeds of every size and data size")
    repeats: list[Repeat] = Field(default=[], description="more seeds for a part of the grid")
    added: list[Added] = Field(
        default=[], description="single runs beside the grid, in the form in which `scaling next` prints them"
    )

    _distinct = field_validator("params", "images", "seeds")(distinct)
