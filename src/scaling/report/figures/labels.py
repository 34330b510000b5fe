"""How quantities are written on axes and in tables: 1k, 2.5M, 10¹², 0.35."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

SAME_LEVEL = 1.35
"""Sizes of different families within this factor share a label (assumption): families meet a target only nearly."""
_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits, plain where that is readable: 0.0123, 45.6, 1.20·10⁹."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 6:
        text = f"{rounded:.{max(digits - 1 - exponent, 0)}f}"
    else:
        text = f"{rounded / 10.0**exponent:.{digits - 1}f}·10{str(exponent).translate(_SUPERSCRIPTS)}"
    return text.replace("-", "−")


def count(value: float) -> str:
    """A count (parameters, images) with a suffix and at most three digits: 950, 2.7k, 10k, 1.25M."""
    if value is None or not math.isfinite(value):
        return "–"
    for size, suffix in _SUFFIXES:
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def power(value: float) -> str:
    """A quantity over many decades as a power of ten: 10¹², 3·10¹²."""
    if value is None or not math.isfinite(value) or value <= 0:
        return "–"
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = f"{value / 10.0**exponent:.2g}"
    tens = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return tens if mantissa == "1" else f"{mantissa}·{tens}"


def log_breaks(limits: tuple[float, float], most: int = 5) -> list[float]:
    """At most ``most`` round numbers inside ``limits`` (data units, both positive) for a log axis.

    Takes the densest of: seven per decade, 1-2-5, 1-3, whole decades, every second decade, ... that is sparse enough;
    even steps where less than two of them lie inside. Raises ValueError when a limit is not positive.
    """
    low, high = limits
    if not (0 < low <= high < math.inf):
        raise ValueError(f"limits of a log axis must be positive and ordered, got {low!r} to {high!r}")
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    margin = 1 + 1e-6
    for mantissas in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,)):
        breaks = [m * 10.0**k for k in decades for m in mantissas if low / margin <= m * 10.0**k <= high * margin]
        if len(breaks) <= most:
            return breaks if len(breaks) >= 2 else even_breaks(low, high, most)
    step = math.ceil(len(breaks) / most)
    return breaks[::step]


def level_breaks(values: Iterable[float], most: int = 6) -> list[float]:
    """At most ``most`` breaks at the sizes that were trained, for an axis or a legend.

    Sizes within SAME_LEVEL of the smallest of a group count as one, the group's geometric mean to two digits.
    """
    groups: list[list[float]] = []
    for value in sorted(set(values)):
        if groups and value <= groups[-1][0] * SAME_LEVEL:
            groups[-1].append(value)
        else:
            groups.append([value])
    levels = [
        group[0] if len(group) == 1 else float(f"{math.exp(sum(map(math.log, group)) / len(group)):.2g}") for group in groups
    ]
    if len(levels) <= most:
        return levels
    # Evenly spread over the levels, both ends kept.
    places = {round(place * (len(levels) - 1) / (most - 1)) for place in range(most)}
    return [levels[place] for place in sorted(places)]


def even_breaks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers from ``low`` to ``high``, in even steps; ``low`` alone where the two are one."""
    if high - low <= 1e-9 * abs(low):
        return [low]
    smallest = (high - low) / most
    tens = 10.0 ** math.floor(math.log10(smallest))
    step = next(m * tens for m in (1, 2, 5, 10) if m * tens >= smallest)
    first = math.ceil(low / step)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step) + 1)][:most] or [low]


def counts(values: Sequence[Any]) -> list[str]:
    """``count`` of each value: an axis's labels."""
    return [count(value) for value in values]


def powers(values: Sequence[Any]) -> list[str]:
    """``power`` of each value: an axis's labels."""
    return [power(value) for value in values]


def plain(values: Sequence[Any]) -> list[str]:
    """Each value with no trailing zeros, 0.05, 1.5, 1024, and where that is long as a count or a power: 20k, 3·10⁻⁵."""
    return [_plain(value) for value in values]


def _plain(value: float) -> str:
    if 0 < abs(value) < 1e-3:
        return ("−" if value < 0 else "") + power(abs(value))
    return count(value) if abs(value) >= 1e4 else f"{value:.6g}"


def percents(values: Sequence[Any]) -> list[str]:
    """Each share as a percentage: an axis's labels."""
    return [f"{100 * value:.3g} %".replace("-", "−") for value in values]
