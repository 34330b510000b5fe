"""Ladder: a target N -> the width and depth with which a family meets it.

Answers are kept in one file and served from it without importing torch; the families are built, on the `meta`
device, for what is not in the file yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling.files import json_sha256, write_atomic
from scaling.models.architecture import Architecture
from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.outside import own_place
from scaling.models.own_files import OwnModelError, contents
from scaling.models.range_search import Span, find_span

if TYPE_CHECKING:
    from scaling.models.layer_table import Described

TOLERANCE = 0.05
"""Share of the target by which N may miss it."""

NO_RATES = Regularisation()


class SizeError(ValueError):
    """A family cannot have the wanted number of parameters, or the wanted depth."""


@dataclass(frozen=True)
class Rung:
    """A family in the size nearest to a target."""

    family: str
    target: int
    """N asked for."""
    width: float
    depth: int
    params: int
    """N reached: trainable parameters, without auxiliary classifiers."""
    flop_forward: int
    """FLOP of one image's forward pass, 2 a multiply-add."""
    within: bool
    """Whether N is within 5 % of the target."""
    note: str
    """Empty, or the N reached and why no nearer one exists."""


class Ladders:
    """Sizes of all families, cached in the file ``cache``.

    The file is valid for one version of the families' sources, of timm and of torch, and carries a checksum:
    an outdated or a damaged one is built anew. Processes may share it; it is replaced as a whole, so none
    reads half of it.
    """

    def __init__(self, cache: Path):
        self.cache = cache
        self._known: dict[str, Any] | None = None
        self._sizes: dict[tuple[Architecture, int, float, ImageSpec], int] = {}

    def rung(self, made: str | Architecture, target: int, image: ImageSpec) -> Rung:
        """The size of a family (or of a variant of one) nearest to ``target`` parameters for such images.

        Of the depths that it has, the deepest whose narrowest net is no larger than the target; then the width
        that comes nearest. One that matches FLOP has the width whose forward pass comes nearest to that of its
        family at this target.

        Raises:
            SizeError: the target lies outside the range by more than 5 %, or the depth cannot be built.
        """
        key = f"rung {_named(made)} {target} {image}"
        if key not in self._load():
            self._store(key, asdict(self._solve(_architecture(made), target, image)))
        return Rung(**self._load()[key])

    def range(self, made: str | Architecture, image: ImageSpec) -> tuple[int, int]:
        """Least and largest N of a family, or of a variant of one, for such images."""
        architecture = replace(_architecture(made), match="params")
        key = f"range {_named(architecture)} {image}"
        if key not in self._load():
            self._store(key, self._ends(architecture, image))
        smallest, largest = self._load()[key]
        return smallest, largest

    def refusal(self, made: Architecture, image: ImageSpec, rates: Regularisation) -> str:
        """Why a family cannot be trained with such rates of dropout and stochastic depth; empty if it can. Raises SizeError."""
        key = f"rates {_named(made)} {rates} {image}"
        if key not in self._load():
            start, depth = self._span(made, image).depths[0]
            try:
                _sketch(made, depth, start, image, rates)
                self._store(key, "")
            except ValueError as error:
                self._store(key, str(error))
        return self._load()[key]

    def description(self, made: Architecture, target: int, image: ImageSpec) -> dict[str, Any]:
        """``layer_table.Described`` of a family in the size nearest to ``target``, as plain values. Raises SizeError."""
        key = f"layers {_named(made)} {target} {image}"
        if key not in self._load():
            rung = self.rung(made, target, image)
            self._store(key, asdict(_described(made, rung, image)))
        return self._load()[key]

    def _ends(self, made: Architecture, image: ImageSpec) -> tuple[int, int]:
        try:
            span = self._span(made, image)
            depths = span.depths
            return self._size(made, depths[0][1], span.least, image), self._size(made, depths[-1][1], span.largest, image)
        except ValueError as error:
            raise SizeError(str(error)) from error

    def _span(self, made: Architecture, image: ImageSpec) -> Span:
        """The widths and depths of a family, or of a variant of one."""
        family = _family(made)
        if not family.searched:
            depths = family.depths if made.depth is None else ((family.widths[0], made.depth),)
            return Span(*family.widths, depths)
        key = f"span {_named(made)} {image}"
        if key not in self._load():
            self._store(key, asdict(find_span(family, made, image, partial(self._size, made, image=image))))
        found = self._load()[key]
        return Span(**(found | {"depths": tuple((width, depth) for width, depth in found["depths"])}))

    def _solve(self, made: Architecture, target: int, image: ImageSpec) -> Rung:
        if made.match == "flop":
            wanted, unit, measure = self.rung(made.usual, target, image).flop_forward, "FLOP", self._flop
            self.range(made, image)
        else:
            wanted, unit, measure = target, "N", self._size
            smallest, largest = self.range(made, image)
            if not smallest * (1 - TOLERANCE) <= target <= largest * (1 + TOLERANCE):
                nearest = min(max(target, smallest), largest)
                allowed = f"for {image} allowed are {smallest:,} to {largest:,}, nearest is {nearest:,}"
                raise SizeError(f"{made} cannot have {target:,} parameters; {allowed}")
        span = self._span(made, image)
        start, depth = next(
            ((start, depth) for start, depth in reversed(span.depths)
             if measure(made, depth, start, image) <= wanted),
            span.depths[0],
        )  # fmt: skip
        width = self._nearest_width(made, depth, start, wanted, image, measure)
        params, flop = self._size(made, depth, width, image), self._flop(made, depth, width, image)
        reached = flop if made.match == "flop" else params
        within = abs(reached - wanted) <= TOLERANCE * wanted
        if made.match == "flop" and not within and width in (span.least, span.largest):
            raise SizeError(f"{made} cannot have the {wanted:,} FLOP of {made.family} at N = {target:,}; it has {reached:,}")
        note = "" if within else f"{unit} = {reached:,} is the nearest to {wanted:,}: whole channels are too coarse here"
        return Rung(made.family, target, width, depth, params, flop, within, note)

    def _nearest_width(
        self, made: Architecture, depth: int, start: float, target: int, image: ImageSpec, measure: Callable[..., int]
    ) -> float:
        """Width, on the family's grid of widths, whose N (or other ``measure``) is nearest to the target."""
        span = self._span(made, image)
        widest, step = span.largest, span.step
        low, high = 0, round((widest - start) / step)

        def size(index: int) -> int:
            return measure(made, depth, start + index * step, image)

        if size(low) >= target:
            return start
        if size(high) <= target:
            return start + high * step
        halve = False
        while high - low > 1:
            # N is close to quadratic in the width, so interpolation gets near at once; halving bounds the steps.
            root_low, root_high, root = size(low) ** 0.5, size(high) ** 0.5, target**0.5
            share = 0.5 if halve else (root - root_low) / (root_high - root_low)
            middle = min(max(round(low + share * (high - low)), low + 1), high - 1)
            before = high - low
            if size(middle) <= target:
                low = middle
            else:
                high = middle
            halve = not halve and 2 * (high - low) > before
        nearest = min(low, high, key=lambda index: abs(size(index) - target))
        return start + nearest * step

    def _size(self, made: Architecture, depth: int, width: float, image: ImageSpec) -> int:
        from scaling.models.counting import count_params

        key = (made, depth, width, image)
        if key not in self._sizes:
            self._sizes[key] = count_params(_sketch(made, depth, width, image))
        return self._sizes[key]

    def _flop(self, made: Architecture, depth: int, width: float, image: ImageSpec) -> int:
        from scaling.models.counting import forward_flop

        try:
            return forward_flop(_sketch(made, depth, width, image), image)
        except RuntimeError:  # a user's own that looks at values as it computes
            if own_place(made.family) is None:
                raise
            return forward_flop(_family(made).build(width, depth, image, Regularisation(), made.options), image)

    def _load(self) -> dict[str, Any]:
        if self._known is None:
            self._known = _read(self.cache)
        return self._known

    def _store(self, key: str, value: object) -> None:
        # What another process has added since is kept; of two that write at once, one entry is lost and made again.
        self._known = {**_read(self.cache), **self._load(), key: json.loads(json.dumps(value))}
        body = {"sources": _sources(), "checksum": json_sha256(self._known), "entries": self._known}
        with contextlib.suppress(OSError):  # on a full or read-only disk it is solved again, which costs no more than time
            write_atomic(self.cache, json.dumps(body, indent=0).encode(), durable=False)


def _family(made: Architecture) -> Family:
    from scaling.models import get_family

    return get_family(made.family, made.options)


def _named(made: str | Architecture) -> str:
    """What a cache calls it: of a user's own model with a hash of its files, which may change under the same name."""
    place = own_place(_architecture(made).family)
    try:
        return f"{made} {contents(place[0])}" if place else str(made)
    except OwnModelError as error:
        raise SizeError(str(error)) from error


def _architecture(made: str | Architecture) -> Architecture:
    return Architecture(made) if isinstance(made, str) else made


def _sketch(made: Architecture, depth: int, width: float, image: ImageSpec, rates: Regularisation = NO_RATES) -> Any:
    from scaling.models.counting import sketch

    def build() -> Any:
        return _family(made).build(width, depth, image, rates, made.options)

    try:
        return sketch(build)
    except OwnModelError:  # values are looked at while it is built, say; what is wrong with it then shows again
        return build()


def _described(made: Architecture, rung: Rung, image: ImageSpec) -> Described:
    from scaling.models.layer_table import described

    try:
        return described(_sketch(made, rung.depth, rung.width, image), image)
    except RuntimeError:  # a user's own that looks at values as it computes
        if own_place(made.family) is None:
            raise
        return described(_family(made).build(rung.width, rung.depth, image, NO_RATES, made.options), image)


@cache
def _sources() -> str:
    """Hash of what determines N and FLOP: the files beside this one, timm and torch."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in ("timm", "torch"):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()


def _read(cache: Path) -> dict[str, Any]:
    """Entries of a cache file; none where it is missing, damaged or made by other sources."""
    try:
        body = json.loads(cache.read_bytes())
        if body["sources"] == _sources() and body["checksum"] == json_sha256(body["entries"]):
            return body["entries"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}
