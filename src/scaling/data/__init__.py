"""Images: named sources, prepared once into one memory-mapped file each, and nested stratified subsets of
them.

Nothing here imports torch but ``scaling.data.augment``, and, once it is called, the reader of a source that
torchvision downloads.
"""

from scaling.data.data_errors import DamagedData, DataError
from scaling.data.prepare import prepare, prepared_path
from scaling.data.prepared import ImageData, load
from scaling.data.seen import Look, look
from scaling.data.source import Source, SourceFacts
from scaling.data.source_registry import DEFAULT_SOURCE, SOURCES, DataSettings
from scaling.data.subsets import split, subset
from scaling.data.trusted import describe, prepared_files_trusted, trust_prepared_files, watched
from scaling.data.verified import is_verified, verify

__all__ = [
    "DEFAULT_SOURCE",
    "SOURCES",
    "DamagedData",
    "DataError",
    "DataSettings",
    "ImageData",
    "Look",
    "Source",
    "SourceFacts",
    "describe",
    "is_verified",
    "load",
    "look",
    "prepare",
    "prepared_files_trusted",
    "prepared_path",
    "split",
    "subset",
    "trust_prepared_files",
    "verify",
    "watched",
]
