"""Numbers as people and spreadsheets write them: 1,234,567 and 1 234 567 are the same number."""

from __future__ import annotations

from typing import Final

import polars as pl

GROUPED: Final = r"^[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+|(?:_\d{3})+)(?:\.\d*)?(?:[eE][+-]?\d+)?$"
"""A number in groups of three. It does not begin with 0: 0,512 is a decimal comma."""
SPACES: Final = "[\u00a0\u2009\u202f]"
"""Spaces that spreadsheets put between groups: no-break, thin, and narrow no-break."""
APOSTROPHE: Final = "’"


def as_numbers(text: pl.Series, separator: str | None) -> pl.Series:
    """The numbers [n] that a column of texts without spaces around them holds; null where a text is none.

    A comma stands between thousands only in a table whose columns commas separate, since such a number is then in quotes.
    Elsewhere it may be a decimal comma, and is not read: 1,234 would be wrong by a factor of 1000.
    """
    numbers = text.cast(pl.Float64, strict=False)
    lost = numbers.is_null() & text.is_not_null()
    if not lost.any():
        return numbers
    plain = text.str.replace_all(SPACES, " ").str.replace_all(APOSTROPHE, "'")
    grouped = lost & plain.str.contains(GROUPED)
    if separator not in (",", None):
        grouped &= ~plain.str.contains(",")
    joined = plain.str.replace_all("[,_' ]", "").cast(pl.Float64, strict=False)
    return pl.select(pl.when(grouped).then(joined).otherwise(numbers)).to_series().alias(text.name)


def has_comma(text: str) -> bool:
    """Whether a text could be a number with a comma in it."""
    return "," in text and text.replace(",", "").replace(".", "").strip("+-").isdigit()
