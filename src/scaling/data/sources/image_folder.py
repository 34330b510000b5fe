"""Any folder of images as a source: class folders, or a table of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scaling.data.class_folders import list_images
from scaling.data.decoded_source import DecodedSource
from scaling.data.labels_table import list_labelled
from scaling.data.listing import Listing, Watched

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings


def list_folder(settings: DataSettings) -> Listing:
    """The images of the study's folder by the layout that it names. Raises DataError."""
    assert settings.folder is not None  # DataSettings refuses it
    if settings.labels is None:
        return list_images(settings.folder)
    # Its stamp first: a table that is changed while it is read differs from it.
    before = Watched(str(settings.labels), settings.labels.parent, [settings.labels.name], "table")
    stamp = before.stamps()[settings.labels.name] if settings.labels.is_file() else None
    columns = (settings.image_column, settings.label_column, settings.split_column)
    listing = list_labelled(settings.folder, settings.labels, *columns)
    return listing if stamp is None else replace(listing, read_as={listing.watched.names[-1]: stamp})


source = DecodedSource(
    name="image-folder",
    channels=3,
    side=None,
    taken={"folder": True, "labels": False, "image_column": False, "label_column": False, "split_column": False},
    list_images=list_folder,
)
