"""What a folder without class folders seems to hold, and which study lines would read it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scaling.data.folder_entries import entries, kind_of
from scaling.data.pixels import image_endings

_ENDINGS_OF_TABLES: Final = (".csv", ".tsv", ".parquet")


def what_would_do(folder: Path) -> str:
    """The end of a message: what the folder holds and what would read it; empty where that cannot be told."""
    found = {entry.name: kind_of(entry) for entry in entries(folder)}
    files = [name for name, kind in found.items() if kind == "a file"]
    images = [name for name in files if name.lower().endswith(image_endings())]
    tables = [name for name in files if name.lower().endswith(_ENDINGS_OF_TABLES)]
    cifar = {"data_batch_1", "data_batch_1.bin"} & set(files)
    if cifar:
        return f"; it holds CIFAR-10's {cifar.pop()}: source: cifar10 with this folder reads it"
    if {"fine_label_names.txt", "meta"} & set(files) and {"train", "train.bin"} & set(files):
        return "; it holds CIFAR-100's batches: source: cifar100 with this folder reads them"
    if images and tables:
        return f"; it holds {len(images)} images and a table: labels: {folder / tables[0]} reads them"
    if images:
        return f"; it holds {len(images)} images: put each into its class's folder, or name a table of them by labels"
    below = [entry.name for name, kind in found.items() if kind == "a folder" for entry in entries(folder / name)]
    for ending, key, source in ((".parquet", "files", "parquet"), (".tar", "shards", "webdataset")):
        count = sum(name.lower().endswith(ending) for name in (*files, *below))
        if count:
            return f"; it holds {count} {ending} files: source: {source} with {key}: '{folder}/**/*{ending}' reads them"
    inner = [name for name, kind in found.items() if kind == "a folder" and (folder / name / "train").is_dir()]
    return f"; did you mean folder: {folder / inner[0]}?" if inner else ""
