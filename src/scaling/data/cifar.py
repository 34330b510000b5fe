"""CIFAR-10 and CIFAR-100, fetched and read by torchvision.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report (2009).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.errors import DataError, one_line


def read_cifar10(downloads: Path) -> Arrays:
    """Read CIFAR-10: 50,000 training and 10,000 test images, 3 x 32 x 32; downloads it once."""
    from torchvision.datasets import CIFAR10  # imports torch: only where it is needed

    return _read(CIFAR10, downloads)


def read_cifar100(downloads: Path) -> Arrays:
    """Read CIFAR-100 with its 100 fine classes: 50,000 training and 10,000 test images, 3 x 32 x 32."""
    from torchvision.datasets import CIFAR100

    return _read(CIFAR100, downloads)


def _read(dataset_class: type, downloads: Path) -> Arrays:
    """Both splits of a torchvision CIFAR class; DataError, with the way out, when it cannot be fetched."""
    # CIFAR is published as pickles. torchvision unpickles them only once their md5 is the published one;
    # nothing else in this package unpickles.
    try:
        train, test = (dataset_class(str(downloads), train=train, download=True) for train in (True, False))
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"cannot download {dataset_class.url} ({one_line(error)}); "
            f"without a network, put {dataset_class.filename} into {downloads}"
        ) from error
    return Arrays(
        tuple(train.classes),
        _channels_first(train.data),
        np.asarray(train.targets, np.int64),
        _channels_first(test.data),
        np.asarray(test.targets, np.int64),
    )


def _channels_first(images: np.ndarray) -> np.ndarray:
    """[n, h, w, c] -> [n, c, h, w]."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
