"""WebDataset's tar shards: ``KEY.jpg`` with ``KEY.cls`` or ``KEY.json``, each sample's members one after the other.

Layout: https://github.com/webdataset/webdataset#the-webdataset-format; a key is a member's name up to the first dot of its last
part. A shard is indexed once and images are read where they lie, so shards must not be compressed. A split is said by a shard's
name (``train-000.tar``), else by its folder's.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from scaling.data.data_errors import DataError, one_line
from scaling.data.decoded_source import DecodedSource
from scaling.data.decoding import in_processes
from scaling.data.labelling import LABEL_COLUMNS, Labelled, label_text, rows_of, split_of_file
from scaling.data.listing import Chunk, Listing, Place, Split, Stamp
from scaling.data.matching import matching
from scaling.data.pixels import image_endings

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings

_CHUNK_IMAGES: Final = 64
_FEW_SHARDS: Final = 8
"""Up to so many shards are indexed by one process: starting others would take longer."""
_MOST_LABEL_BYTES: Final = 1 << 20
"""A label's member is read up to this size: assumption, a JSON of one image is far smaller."""


@dataclass(frozen=True)
class TarChunk(Chunk):
    """Neighbouring images of one shard: for each place its offset in bytes, and its size."""

    path: str
    spans: tuple[tuple[int, int], ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The shard."""
        return (self.path,)

    def open_each(self) -> Iterator[tuple[Place, Callable[[], BinaryIO]]]:
        """Read each image where it lies."""
        with open(self.path, "rb") as shard:
            for place, (offset, size) in zip(self.places, self.spans, strict=True):
                yield place, partial(_cut, shard, offset, size)


@dataclass
class Sample:
    """What a shard holds under one key: where the image lies, and its label."""

    key: str
    label: str | None = None
    span: tuple[int, int] | None = None
    labelled: bool = False


def list_webdataset(settings: DataSettings) -> Listing:
    """The images of the shards that the study names. Raises DataError."""
    assert settings.shards is not None  # DataSettings refuses it
    would_do = "shards are read where they lie and must not be compressed: unpack them (gunzip, zstd -d)"
    watched = matching(settings.shards, "shards", (".tar",), would_do)
    stamps = watched.stamps()
    return replace(_list(settings, tuple(stamps.items())), watched=watched, read_as=stamps)


@lru_cache(maxsize=2)
def _list(settings: DataSettings, stamps: tuple[tuple[str, Stamp], ...]) -> Listing:
    """The listing of shards with these stamps."""
    where = f"shards {settings.shards!r}"
    tasks = [(path, settings.label_column, where) for path, _ in stamps]
    indexed = map(index, tasks) if len(tasks) <= _FEW_SHARDS else in_processes(index, tasks, str(settings.shards))
    found: list[Labelled] = []
    spans: dict[str, tuple[str, tuple[int, int]]] = {}
    for (path, _, _), samples in zip(tasks, indexed, strict=True):
        split = split_of_file(path)
        for sample in samples:
            name = f"{path}:{sample.key}"
            assert sample.span is not None
            if name in spans:
                raise DataError(f"{where}: {path} holds two images of the key {sample.key!r}")
            spans[name] = path, sample.span
            found.append(Labelled(name, sample.label, split))
    rows = rows_of(found, where)
    chunks: list[TarChunk] = []
    splits: tuple[tuple[Split, tuple[tuple[str, int], ...]], ...] = (("train", rows.train), ("test", rows.test))
    for split, images in splits:
        waiting: list[Place] = []
        for row, (name, _) in enumerate(images):
            if waiting and (len(waiting) == _CHUNK_IMAGES or spans[waiting[0].name][0] != spans[name][0]):
                chunks.append(_chunk(waiting, spans))
                waiting = []
            waiting.append(Place(name, split, row))
        if waiting:
            chunks.append(_chunk(waiting, spans))
    watched = matching(str(settings.shards), "shards", (".tar",), "")
    return Listing(watched, rows.classes, rows.train, rows.test, tuple(chunks))


def _chunk(places: list[Place], spans: dict[str, tuple[str, tuple[int, int]]]) -> TarChunk:
    return TarChunk(tuple(places), spans[places[0].name][0], tuple(spans[place.name][1] for place in places))


def index(task: tuple[str, str | None, str]) -> list[Sample]:
    """The samples of a shard that have an image, in its order, the images unread. Raises DataError."""
    path, label_key, where = task
    endings = image_endings()
    samples: dict[str, Sample] = {}
    try:
        with open(path, "rb") as raw, tarfile.open(fileobj=raw, mode="r:") as shard:
            for member in shard:
                shard.members = []  # type: ignore[attr-defined]  # or it keeps every member that it has passed
                place = PurePosixPath(member.name)
                if not member.isreg() or place.name.startswith("."):
                    continue
                stem, _, ending = place.name.partition(".")
                key, ending = str(place.parent / stem), ending.lower()
                sample = samples.setdefault(key, Sample(key))
                if f".{ending}".endswith(endings):
                    sample.span = sample.span or (member.offset_data, member.size)
                elif ending == "json" or (ending in ("cls", "cls.txt") and label_key is None):
                    if member.size > _MOST_LABEL_BYTES:
                        raise DataError(f"{where}: {path}: {member.name!r} has {member.size} bytes, too many for a label")
                    file = shard.extractfile(member)
                    content = file.read() if file is not None else b""
                    if ending != "json":
                        sample.label, sample.labelled = label_text(content), True  # a cls outweighs a JSON
                    elif not sample.labelled:
                        sample.label = _json_label(content, label_key)
    except tarfile.TarError as error:
        raise DataError(f"{where}: {path} is no whole tar file ({one_line(error)})") from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: {path} cannot be read ({one_line(error)[:200]})") from None
    found = [sample for sample in samples.values() if sample.span is not None]
    if not found:
        raise DataError(f"{where}: {path} holds no image; allowed: KEY.jpg (or another format) with KEY.cls or KEY.json")
    return found


def _json_label(content: bytes, key: str | None) -> str | None:
    """The label that a sample's JSON says; None where it says none. Raises ValueError."""
    body = json.loads(content)
    if not isinstance(body, dict):
        return label_text(body)
    name = key if key is not None else next((name for name in LABEL_COLUMNS if name in body), None)
    return label_text(body[name]) if name is not None and name in body else None


def _cut(shard: BinaryIO, offset: int, size: int) -> BinaryIO:
    shard.seek(offset)
    return io.BytesIO(shard.read(size))


source = DecodedSource(
    name="webdataset",
    channels=3,
    side=None,
    taken={"shards": True, "label_column": False},
    list_images=list_webdataset,
)
