"""The registry of sources: what the files of ``sources/`` declare, and which of their images a study uses."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args

from scaling.data.data_errors import DataError
from scaling.data.listing import Watched
from scaling.data.source import AnySource, SourceFacts

Unreadable = Literal["refuse", "skip"]
DEFAULT_SOURCE: Final = "fashion-mnist"
"""The source of a study that names none."""


def _declared(folder: Path) -> dict[str, AnySource]:
    """Every source of the files in ``folder`` by its name, the usual one first, then by name.

    Raises:
        ValueError: a file declares no source, or a name that another file declares.
    """
    found: dict[str, AnySource] = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        module = importlib.import_module(f"scaling.data.sources.{path.stem}")
        sources = getattr(module, "sources", None) or (getattr(module, "source", None),)
        for source in sources:
            if not isinstance(source, AnySource):
                raise ValueError(f"{path}: received source {source!r}; allowed: source = Source(...), or sources = (...)")
            if source.name in found:
                raise ValueError(f"{path}: source {source.name!r} is declared by another file as well")
            found[source.name] = source
    return {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT_SOURCE, name))}


SOURCES: Final[dict[str, AnySource]] = _declared(Path(__file__).with_name("sources"))
"""Every source by its name in a study file."""


@dataclass(frozen=True)
class DataSettings:
    """Which images a study uses.

    ``side``: side length in pixels; None is the source's own. ``unreadable``: whether unreadable images are refused or left
    out. The others are for the sources that take them: ``folder``, a ``labels`` table, patterns of ``files`` and ``shards``,
    the columns (or keys) of labels, splits and images, and the ``channels`` of images that are decoded. Raises DataError when
    these do not go together.
    """

    source: str
    side: int | None = None
    folder: Path | None = None
    unreadable: Unreadable = "refuse"
    labels: Path | None = None
    files: str | None = None
    shards: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            near = difflib.get_close_matches(self.source, SOURCES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"source {self.source!r} is unknown, allowed: {', '.join(SOURCES)}{hint}")
        if self.side is not None and (not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1):
            raise DataError(f"side {self.side!r} is not allowed: a whole number of pixels, at least 1")
        if self.unreadable not in get_args(Unreadable):
            raise DataError(f"unreadable {self.unreadable!r} is not allowed: {' or '.join(get_args(Unreadable))}")
        if self.channels not in (None, 1, 3):
            raise DataError(f"channels {self.channels!r} is not allowed: 1 (grey) or 3 (colour)")
        self._check_keys()

    def said(self) -> dict[str, object]:
        """The keys beside source and side that are not at their defaults."""
        keys = [field for field in fields(self) if field.name not in ("source", "side")]
        return {key.name: getattr(self, key.name) for key in keys if getattr(self, key.name) != key.default}

    def _check_keys(self) -> None:
        source, said = SOURCES[self.source], self.said()
        for key, value in said.items():
            if key not in source.keys:
                takers = [repr(name) for name, other in SOURCES.items() if key in other.keys]
                value = str(value) if isinstance(value, Path) else value
                own = f" (it takes {', '.join(source.keys)})" if source.keys else ""
                raise DataError(f"{key} {value!r} is for source {' or '.join(takers)}, not for {self.source!r}{own}")
        needed = [key for key, must in source.keys.items() if must]
        needed = ["side", *needed] if source.side is None else needed
        if any(getattr(self, key) is None for key in needed):
            found = ", ".join(f"{key} {getattr(self, key)}" for key in needed)
            raise DataError(f"source {self.source!r} needs {' and '.join(needed)}, got {found}")
        columns = [key for key in ("image_column", "label_column", "split_column") if key in said]
        if "labels" in source.keys and self.labels is None and columns:
            raise DataError(f"{columns[0]} {said[columns[0]]!r} names a column of a table, and labels names none")


def describe(settings: DataSettings) -> SourceFacts:
    """The facts of a source without decoding an image.

    Raises DataError when what the study names is missing or not laid out as its source says, or holds what is named like an
    image and is none, unless that is to be skipped.
    """
    return SOURCES[settings.source].facts(settings)


def watched(settings: DataSettings) -> Watched | None:
    """The files that a study names, which may change; None where it names none, or they are gone. Raises DataError."""
    return SOURCES[settings.source].watched(settings)
