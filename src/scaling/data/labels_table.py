"""A folder of images whose labels stand in a table: CSV, TSV or Parquet, one row per image, perhaps with its split.

An image is named by its path relative to the folder, with or without its ending. Images that no row names are passed over; a
row whose image is not there counts as an image that cannot be read.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from scaling.data.data_errors import DataError, one_line
from scaling.data.folder_entries import LOOPS, entries, identity, kind_of
from scaling.data.labelling import IMAGE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS, SPLITS, Labelled, column, label_text, rows_of
from scaling.data.listing import Irregular, Listing, Watched, file_chunks
from scaling.data.pixels import image_endings


def list_labelled(folder: Path, labels: Path, image: str | None, label: str | None, split: str | None) -> Listing:
    """List the images of ``folder`` that the table ``labels`` names; the last three are its columns, None: guessed.

    Raises DataError for a folder or a table that is missing or not as the head of this file says.
    """
    where = f"labels {str(labels)!r}"
    if not folder.is_dir():
        raise DataError(f"image folder {str(folder)!r} is not a folder")
    table = _read(labels, where)
    image = column(table.columns, image, IMAGE_COLUMNS, "image_column", where)
    label = column([name for name in table.columns if name != image], label, LABEL_COLUMNS, "label_column", where)
    others = [name for name in table.columns if name not in (image, label)]
    if split is not None or {name.lower() for name in others} & set(SPLIT_COLUMNS):
        split = column(others, split, SPLIT_COLUMNS, "split_column", where)
    there = _Files(folder)
    found, irregular = [], []
    try:
        for row in table.select(name for name in (image, label, split) if name is not None).iter_rows():
            name, kind = there.find(str(row[0]))
            one = Labelled(name, label_text(row[1]), _split(row[2]) if split is not None else "")
            if kind == "a file":
                found.append(one)
            else:
                irregular.append(Irregular(name, kind))
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    twice = len(found) - len({one.name for one in found})
    if twice:
        raise DataError(f"{where}: {twice} rows name an image of an earlier row; each image has one row")
    if not found:
        first = f", first {irregular[0].name!r}" if irregular else ""
        raise DataError(f"{where}: none of its {table.height} images is in {str(folder)!r}{first}")
    rows = rows_of(sorted(found, key=lambda one: one.name), where)
    names = [name for split_rows in (rows.train, rows.test) for name, _ in split_rows]
    own = os.path.relpath(labels, folder)
    watched = Watched(str(folder), folder, [*names, own], none=sorted({one.name for one in irregular}))
    chunks = file_chunks(folder, rows.train, rows.test)
    return Listing(watched, rows.classes, rows.train, rows.test, chunks, tuple(irregular))


def _split(value: object) -> str:
    said = str(value).strip().lower() if value is not None else ""
    if said and said not in SPLITS:
        raise ValueError(f"split {value!r} is unknown; allowed: {', '.join(SPLITS)}")
    return SPLITS.get(said, "")


def _read(path: Path, where: str) -> pl.DataFrame:
    """The table, a CSV's values as text. Raises DataError."""
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            return pl.read_parquet(path)
        if ending in (".csv", ".tsv"):
            return pl.read_csv(path, separator="," if ending == ".csv" else "\t", infer_schema=False)
    except FileNotFoundError:
        raise DataError(f"{where}: no such file") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{where}: cannot be read ({one_line(error)[:200]})") from None
    raise DataError(f"{where}: ends in {ending!r}; allowed: .csv, .tsv, .parquet")


class _Files:
    """The files below a folder by name, listed a folder at a time as they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._endings = folder, image_endings()
        self._kinds: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> tuple[str, str]:
        """The name of the image called ``name``, its ending added where it lacks one, and what it is."""
        name = os.path.normpath(name)
        parent, own = os.path.split(name)
        kinds = self._list(parent)
        for ending in ("", *(ending for ending in self._endings if own + ending in kinds)):
            if own + ending in kinds:
                return os.path.join(parent, own + ending), kinds[own + ending]
        return name, "no such file"

    def _list(self, parent: str) -> dict[str, str]:
        if parent not in self._kinds:
            place = self._folder / parent
            kinds: dict[str, str] = {}
            if place.is_dir():
                above = frozenset({identity(place)})
                kinds = {entry.name: kind_of(entry, above) for entry in entries(place)}
                kinds = {entry: kind for entry, kind in kinds.items() if kind not in LOOPS}
            self._kinds[parent] = kinds
        return self._kinds[parent]
