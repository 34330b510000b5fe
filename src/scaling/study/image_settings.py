"""The block ``data`` of a study: the images that it trains and tests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from scaling.data import DEFAULT_SOURCE, SOURCES, DataSettings
from scaling.study.file_paths import FilePath, FilePattern
from scaling.study.recipe import Integer, Strict
from scaling.study.spaced import Count

if TYPE_CHECKING:
    SourceName = str
else:
    SourceName = Literal[tuple(SOURCES)]


class Data(Strict):
    """The images a study trains and tests on."""

    source: SourceName = Field(default=DEFAULT_SOURCE, description="where the images come from")
    side: Annotated[Integer, Field(ge=28, le=1024)] | None = Field(
        default=None, description="side length in pixels; null = the source's own (images that are decoded must say it)"
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="images that are decoded: 3 for colour (null too), 1 for grey"
    )
    folder: FilePath | None = Field(
        default=None, description="image-folder: a folder of class folders, or of the images of `labels`; cifar: of its files"
    )
    labels: FilePath | None = Field(
        default=None, description="image-folder: a table (.csv, .tsv, .parquet) of the images' names and labels"
    )
    files: FilePattern | None = Field(default=None, description="parquet: a pattern of files, such as data/*.parquet")
    shards: FilePattern | None = Field(default=None, description="webdataset: a pattern of tar shards, such as data/*.tar")
    image_column: str | None = Field(default=None, description="the column of images, or of their names; null = by usual names")
    label_column: str | None = Field(
        default=None, description="the column, or key of the JSON, of labels; null = by usual names"
    )
    split_column: str | None = Field(
        default=None, description="the column of splits in `labels`; null = by usual names, if any"
    )
    unreadable: Literal["refuse", "skip"] = Field(
        default="refuse", description="what an image that cannot be decoded does: end the preparation, or be left out"
    )
    validation: Count = Field(default=2000, description="images split off the training images to choose checkpoints and rates")

    def settings(self) -> DataSettings:
        """What the data package takes. Raises DataError where its keys do not go together."""
        return DataSettings(**{name: value for name, value in self if name != "validation"})

    @model_serializer(mode="wrap")
    def _without_unsaid(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys that were added later are left out where a study does not say them: what was made without them stays good."""
        return {name: value for name, value in whole(self).items() if name not in ADDED_KEYS or value is not None}

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)!r}" for name in self.model_dump())


ADDED_KEYS: Final = ("channels", "labels", "files", "shards", "image_column", "label_column", "split_column")
