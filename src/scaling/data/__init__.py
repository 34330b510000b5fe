"""Images: named sources, prepared once into one memory-mapped file each, and nested stratified subsets of
them.

Nothing here imports torch but ``scaling.data.augment``, and the readers of sources that torchvision
downloads.
"""

from scaling.data.data_errors import DamagedData, DataError
from scaling.data.prepare import prepare, prepared_path
from scaling.data.prepared import ImageData, load
from scaling.data.seen import Look, look
from scaling.data.sources import SOURCES, DataSettings, Source, SourceFacts, describe
from scaling.data.subsets import split, subset

__all__ = [
    "SOURCES",
    "DamagedData",
    "DataError",
    "DataSettings",
    "ImageData",
    "Look",
    "Source",
    "SourceFacts",
    "describe",
    "load",
    "look",
    "prepare",
    "prepared_path",
    "split",
    "subset",
]
