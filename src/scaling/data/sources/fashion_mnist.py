"""Fashion-MNIST: the embedded third of it that needs no network, and the whole set where it is at hand.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", arXiv:1708.07747 (2017). Licence: MIT, see ``LICENSE.fashion-mnist`` beside this file.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.data_errors import DamagedData, DataError, one_line
from scaling.data.source import Source

CLASSES: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Class names in the order of the labels (table 2 of the paper)."""

EMBEDDED: Final = Path(__file__).with_name("fashion_mnist_20k.npz")
"""2,000 training images per class and all test images; ``tests/data/embed_fashion_mnist.py`` makes it and describes it."""

EMBEDDED_SHA256: Final = "d7b4d9432066f3989caf905f6b9151705540c4d11c665103234d638ba571e150"
"""sha256 of that file."""

SYSTEM_FOLDER: Final = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the four IDX files."""


def read_embedded(downloads: Path) -> Arrays:
    """Read the embedded set: 20,000 training and 10,000 test images, in the file order of the whole set.

    Raises DamagedData when the file is not the one that this version of the package was made with.
    """
    del downloads  # nothing is fetched
    return unpack(EMBEDDED, EMBEDDED_SHA256)


def unpack(path: Path, sha256: str) -> Arrays:
    """Read a file of the layout of the embedded one; DamagedData unless its bytes have this sha256."""
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != sha256:
        raise DamagedData(f"{path}: embedded Fashion-MNIST has sha256 {found}, expected {sha256}; reinstall the package")
    with np.load(path) as archive:
        parts = {split: _file_order(archive[f"{split}_images"], archive[f"{split}_labels"]) for split in ("train", "test")}
    return _arrays(*parts["train"], *parts["test"])


def read_full(downloads: Path) -> Arrays:
    """Read all 60,000 training and 10,000 test images: Debian's package, else torchvision's download.

    Raises DataError when neither is to be had, DamagedData when an IDX file is not one.
    """
    if SYSTEM_FOLDER.is_dir():
        return read_idx_folder(SYSTEM_FOLDER)
    from torchvision.datasets import FashionMNIST  # imports torch: only where it is needed

    parts = []
    for train in (True, False):
        try:
            dataset = FashionMNIST(str(downloads), train=train, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"fashion-mnist-full is neither in {SYSTEM_FOLDER} nor to be downloaded to {downloads} "
                f"({one_line(error)}); fashion-mnist is embedded"
            ) from error
        parts += [dataset.data.numpy(), dataset.targets.numpy()]
    return _arrays(*parts)


def read_idx_folder(folder: Path) -> Arrays:
    """Read the four gzipped IDX files ``{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz`` of a folder."""
    return _arrays(
        *(
            read_idx(folder / f"{split}-{part}-ubyte.gz")
            for split in ("train", "t10k")
            for part in ("images-idx3", "labels-idx1")
        )
    )


def read_idx(path: Path) -> np.ndarray:
    """Read one gzipped IDX file of unsigned bytes: uint8 array of the shape that its header states.

    Format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
    big-endian 32-bit integer, the values (http://yann.lecun.com/exdb/mnist/). Raises DamagedData when it is
    anything else.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedData(f"{path}: no gzipped IDX file ({one_line(error)})") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise DamagedData(f"{path}: starts with {raw[:4]!r}, no header of an IDX file of unsigned bytes")
    start = 4 + 4 * raw[3]
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], ">u4"))
    if len(raw) - start != math.prod(shape):
        raise DamagedData(f"{path}: header says shape {shape}, the file holds {len(raw) - start} values")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _file_order(by_class: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images as they stood before they were sorted by class, and their labels."""
    images = np.empty_like(by_class)
    images[np.argsort(labels, kind="stable")] = by_class
    return images, labels


def _arrays(train_images: np.ndarray, train_labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray) -> Arrays:
    """Grey images [n, 28, 28] and labels of any integer type as Arrays with a channel axis."""
    return Arrays(
        CLASSES,
        train_images[:, None],
        train_labels.astype(np.int64),
        test_images[:, None],
        test_labels.astype(np.int64),
    )


sources = (
    Source(name="fashion-mnist", channels=1, side=28, classes=10, train_images=20_000, read=read_embedded),
    Source(name="fashion-mnist-full", channels=1, side=28, classes=10, train_images=60_000, read=read_full),
)
