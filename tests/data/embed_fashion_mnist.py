"""Make the embedded Fashion-MNIST from the whole set: ``python tests/data/embed_fashion_mnist.py FOLDER``.

FOLDER holds the four gzipped IDX files (default: Debian's). Kept are the first 2,000 training images of each
class in file order, and all test images; lossless.

The file is an npz archive that ``numpy.load`` reads, with LZMA members in place of numpy's deflate. Images
are sorted by class, for like images beside each other compress better; the labels stand in file order, so
that a stable sort of them undoes it. Tried on these 30,000 images (megabytes, seconds to decode): LZMA by
class 11.2, 0.6; LZMA in file order 11.3; lossless WebP sheet by class 11.7, 0.4 (at most effort also 11.7);
PNG sheet by class 11.7, 0.2; bzip2 11.9; LZMA of residuals of the median predictor 11.8; lossless JPEG 2000
14.9.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.sources.fashion_mnist import EMBEDDED, SYSTEM_FOLDER, read_idx_folder

PER_CLASS: Final = 2_000


def first_of_each_class(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Positions of the first ``per_class`` images of each class, in file order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]))


def pack(arrays: Arrays, path: Path) -> None:
    """Write grey images and labels as one npz archive with LZMA members; the same arrays give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for split, images, labels in (
            ("train", arrays.train_images, arrays.train_labels),
            ("test", arrays.test_images, arrays.test_labels),
        ):
            by_class = images[np.argsort(labels, kind="stable"), 0]
            for name, array in ((f"{split}_images", by_class), (f"{split}_labels", labels.astype(np.uint8))):
                # A fixed date, or every run would give another file.
                member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_LZMA
                with archive.open(member, "w") as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)


def main(folder: Path) -> None:
    """Write the embedded file from the IDX files in ``folder`` and print the checksum that belongs in the package."""
    full = read_idx_folder(folder)
    kept = first_of_each_class(full.train_labels, PER_CLASS)
    pack(
        Arrays(full.classes, full.train_images[kept], full.train_labels[kept], full.test_images, full.test_labels),
        EMBEDDED,
    )
    print(f"{EMBEDDED}: {EMBEDDED.stat().st_size} bytes, sha256 {hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SYSTEM_FOLDER)
