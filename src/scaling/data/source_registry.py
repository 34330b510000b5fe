"""The registry of sources: what the files of ``sources/`` declare, and which of their images a study uses."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from scaling.data.data_errors import DataError
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

    ``side``: side length in pixels; None is the source's own, and an image folder needs one. ``folder``: the image
    folder, for that source alone. ``unreadable``: whether an image folder with unreadable images is refused
    or used without them. Raises DataError when these do not go together.
    """

    source: str
    side: int | None = None
    folder: Path | None = None
    unreadable: Unreadable = "refuse"

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            near = difflib.get_close_matches(self.source, SOURCES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"source {self.source!r} is unknown, allowed: {', '.join(SOURCES)}{hint}")
        if self.side is not None and (not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1):
            raise DataError(f"side {self.side!r} is not allowed: a whole number of pixels, at least 1")
        if self.unreadable not in get_args(Unreadable):
            raise DataError(f"unreadable {self.unreadable!r} is not allowed: {' or '.join(get_args(Unreadable))}")
        takes_folder = SOURCES[self.source].takes_folder
        if takes_folder and (self.side is None or self.folder is None):
            raise DataError(f"source {self.source!r} needs side and folder, got side {self.side}, folder {self.folder}")
        if not takes_folder and self.folder is not None:
            takers = " or ".join(repr(name) for name, source in SOURCES.items() if source.takes_folder)
            raise DataError(f"folder {str(self.folder)!r} is for source {takers}, not for {self.source!r}")


def describe(settings: DataSettings) -> SourceFacts:
    """The facts of a source without decoding an image.

    Raises DataError when an image folder is missing or not laid out as ``class_folders`` says, or holds what is
    named like an image and is none, unless that is to be skipped.
    """
    return SOURCES[settings.source].facts(settings)
