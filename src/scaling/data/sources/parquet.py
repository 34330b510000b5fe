"""Parquet files with encoded images, as Hugging Face's data sets have them.

An image is a struct of ``bytes`` and ``path``, or bytes alone; its label is a whole number or a text in another column. The
names of classes are taken from the ``huggingface`` metadata of the first file where these stand there
(https://huggingface.co/docs/datasets/main/en/about_dataset_features). A split is said by a file's name (``train-*``), else by
its folder's.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from scaling.data.data_errors import DataError, one_line
from scaling.data.decoded_source import DecodedSource
from scaling.data.labelling import LABEL_COLUMNS, Labelled, column, label_text, rows_of, split_of_file
from scaling.data.listing import Chunk, Listing, Place, Split, Stamp
from scaling.data.matching import matching

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings

IMAGES: Final = ("image", "img", "images", "png", "jpg", "jpeg", "picture", "bytes", "image_bytes")
"""What columns of images are called, the likeliest first."""

_BATCH: Final = 32
"""Images that are in memory encoded at a time."""
_SPANS: Final = 8
"""Chunks of a row group at most: each reads the group from its beginning."""
_LEAST_SPAN: Final = 256


@dataclass(frozen=True)
class ParquetChunk(Chunk):
    """Images of one row group of a file: the ``places`` of those at ``positions``, ascending, in the group."""

    path: str
    group: int
    column: str
    positions: tuple[int, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The one that it lies in."""
        return (self.path,)

    def open_each(self) -> Iterator[tuple[Place, Callable[[], BinaryIO]]]:
        """Read the group a batch at a time."""
        from pyarrow import parquet

        at = dict(zip(self.positions, self.places, strict=True))
        with parquet.ParquetFile(self.path, memory_map=True) as file:
            start = 0
            for batch in file.iter_batches(_BATCH, row_groups=[self.group], columns=[self.column], use_threads=False):
                if start > self.positions[-1]:
                    return
                images = batch.column(0)
                for position in range(start, start + len(images)):
                    if position in at:
                        yield at[position], partial(_opened, images[position - start].as_py())
                start += len(images)


def list_parquet(settings: DataSettings) -> Listing:
    """The images of the files that the study names. Raises DataError."""
    assert settings.files is not None  # DataSettings refuses it
    watched = matching(settings.files, "files", (".parquet",), "source: image-folder and webdataset read other layouts")
    stamps = watched.stamps()
    return replace(_list(settings, tuple(stamps.items())), watched=watched, read_as=stamps)


@lru_cache(maxsize=2)
def _list(settings: DataSettings, stamps: tuple[tuple[str, Stamp], ...]) -> Listing:
    """The listing of files with these stamps."""
    where = f"files {settings.files!r}"
    found: list[Labelled] = []
    groups: list[tuple[str, int, str, int, int]] = []
    names: Sequence[str] = ()
    for path, _ in stamps:
        one = _read(path, settings, where)
        names = names or one.class_names
        split, first = split_of_file(path), len(found)
        for group, labels in enumerate(one.labels):
            groups.append((path, group, one.image_column, len(found), len(labels)))
            found += [Labelled(f"{path}[{row}]", label, split) for row, label in enumerate(labels, len(found) - first)]
    named = [replace(image, label=_named(image.label, names, where)) for image in found] if names else found
    rows = rows_of(named, where)
    place_of: dict[str, Place] = {}
    splits: tuple[tuple[Split, Sequence[tuple[str, int]]], ...] = (("train", rows.train), ("test", rows.test))
    for split, images in splits:
        place_of |= {name: Place(name, split, row) for row, (name, _) in enumerate(images)}
    chunks = []
    for path, group, image_column, first, count in groups:
        span = max(_LEAST_SPAN, -(-count // _SPANS))
        for start in range(0, count, span):
            wanted = [row for row in range(start, min(start + span, count)) if found[first + row].name in place_of]
            if wanted:
                places = tuple(place_of[found[first + row].name] for row in wanted)
                chunks.append(ParquetChunk(places, path, group, image_column, tuple(wanted)))
    watched = matching(str(settings.files), "files", (".parquet",), "")
    return Listing(watched, rows.classes, rows.train, rows.test, tuple(chunks))


@dataclass(frozen=True)
class _File:
    """What is read of a file beside its images: labels by row group, and the names of classes."""

    image_column: str
    labels: tuple[list[str | None], ...]
    class_names: tuple[str, ...]


def _read(path: str, settings: DataSettings, where: str) -> _File:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, memory_map=True) as file:
            schema = file.schema_arrow
            kinds = {field.name: field.type for field in schema}
            images = [name for name, kind in kinds.items() if _holds_images(kind)]
            if not images:
                found = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
                raise DataError(
                    f"{where}: {path} holds no encoded images, its columns are {found[:300]}; allowed: a column of bytes, "
                    f"or of structs with `bytes`"
                )
            if len(images) == 1 and settings.image_column is None:
                image = images[0]
            else:
                image = column(images, settings.image_column, IMAGES, "image_column", f"{where}: {path}")
            others = [name for name in kinds if name != image]
            label = column(others, settings.label_column, LABEL_COLUMNS, "label_column", f"{where}: {path}")
            if not (
                pa.types.is_integer(kinds[label]) or pa.types.is_string(kinds[label]) or pa.types.is_large_string(kinds[label])
            ):
                raise DataError(f"{where}: {path}: labels {label!r} are {kinds[label]}; allowed: whole numbers or text")
            labels = tuple(
                [label_text(value) for value in file.read_row_group(group, columns=[label]).column(0).to_pylist()]
                for group in range(file.num_row_groups)
            )
            return _File(image, labels, _class_names(schema.metadata, label))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{where}: {path} cannot be read as Parquet ({one_line(error)[:200]})") from None


def _holds_images(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...]:
    """The names of the classes as a Hugging Face data set's file says them, by number; none where it says none."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"])
    except (KeyError, ValueError, TypeError):
        return ()


def _named(label: str | None, names: Sequence[str], where: str) -> str | None:
    if label is None or not label.isdigit():
        return label
    if int(label) >= len(names):
        raise DataError(f"{where}: label {label} has no name; the file names {len(names)} classes")
    return names[int(label)]


def _opened(value: Any) -> BinaryIO:
    """An image as a file in memory; ValueError where only its path was stored."""
    content = value.get("bytes") if isinstance(value, dict) else value
    if content is None:
        path = value.get("path") if isinstance(value, dict) else None
        raise ValueError(f"no bytes, only the path {path!r}" if path else "no bytes")
    return io.BytesIO(content)


source = DecodedSource(
    name="parquet",
    channels=3,
    side=None,
    taken={"files": True, "image_column": False, "label_column": False},
    list_images=list_parquet,
)
