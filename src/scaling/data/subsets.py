"""Which images train, which validate: stratified, nested, and the same on every machine.

Both choices rest on one order of the images. Each class is shuffled, and the classes take turns so that every
prefix of the order holds every class within one image of its share: R. Tijdeman, "The chairman assignment
problem", Discrete Mathematics 32 (1980) 323-330. A subset is a prefix, so D = 300 lies inside D = 950.
"""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np

from scaling.data.data_errors import DataError

_VALIDATION_STREAM: Final = (0x7A11DA7E,)
_SUBSET_STREAM: Final = 0x5B5E7


def split(labels: np.ndarray, validation: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the training images into a pool and ``validation`` images: two ascending arrays of positions, int64.

    Stratified, and a function of the labels alone: every cell of a study has the same validation images,
    whatever its seed, and fewer validation images are a part of more. Raises DataError unless 1 <= validation
    < len(labels).
    """
    labels = _as_labels(labels)
    if not 1 <= validation < len(labels):
        raise DataError(f"{validation} validation images of {len(labels)} training images; allowed: 1 to {len(labels) - 1}")
    order = _stratified_order(labels, validation, _VALIDATION_STREAM)
    held_out = np.zeros(len(labels), bool)
    held_out[order] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def subset(labels: np.ndarray, pool: np.ndarray, images: int, seed: int) -> np.ndarray:
    """Draw D = ``images`` unique training images from ``pool``: positions in ``labels``, int64.

    For one seed a smaller subset is the beginning of a larger one; at every D each class is within one image
    of its share of the pool. ``labels`` are those of all training images, ``pool`` positions in them (its
    order is of no account). Raises DataError when D is below 1 or beyond the pool, or the seed is negative.
    """
    labels, pool = _as_labels(labels), np.sort(np.asarray(pool, np.int64))
    if not 1 <= images <= len(pool):
        raise DataError(f"D = {images} images is not allowed: 1 to {len(pool)}, the training images beside validation")
    if seed < 0:
        raise DataError(f"seed {seed} is not allowed: a whole number, at least 0")
    if pool[0] < 0 or pool[-1] >= len(labels) or (np.diff(pool) == 0).any():
        raise DataError(f"pool of {len(pool)} positions must be unique and within 0 to {len(labels) - 1}")
    return pool[_stratified_order(labels[pool], images, (_SUBSET_STREAM, seed))]


def _stratified_order(labels: np.ndarray, count: int, stream: tuple[int, ...]) -> np.ndarray:
    """The first ``count`` positions of a random order in which every prefix is stratified.

    At turn k = 1, 2, ... class i with share s_i of n images has had x_i turns. With delta = 1 / (2 K - 2) for
    K classes, Tijdeman's rule gives the turn to the class with the earliest deadline (x_i + 1 - delta) / s_i
    among those with x_i + delta <= s_i k; then |x_i - s_i k| <= 1 - delta for all i and k. One class
    needs no turns.
    """
    # Raw bits and a stable sort: numpy promises their sequence across versions, but not that of permutation().
    bits = np.random.PCG64(np.random.SeedSequence(stream))
    shuffled = np.argsort(bits.random_raw(len(labels)), kind="stable")
    present, counts = np.unique(labels, return_counts=True)
    if len(present) == 1:
        return shuffled[:count]
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    members = np.split(by_class, np.cumsum(counts)[:-1])
    # Ties fall to the class that comes first in an order of its own, so that no class is favoured over all seeds.
    members = [members[i] for i in np.argsort(bits.random_raw(len(present)), kind="stable")]
    n, unit = len(labels), 2 * len(members) - 2
    taken = [0] * len(members)

    def release(i: int) -> int:
        """First turn k with x_i + delta <= s_i k, in whole numbers."""
        return -(-(taken[i] * unit + 1) * n // (unit * len(members[i])))

    waiting = [(release(i), i) for i in range(len(members))]
    heapq.heapify(waiting)
    ready: list[tuple[float, int]] = []  # (deadline, in units of n / unit turns; class)
    order = np.empty(count, np.int64)
    for turn in range(1, count + 1):
        while waiting and waiting[0][0] <= turn:
            i = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (((taken[i] + 1) * unit - 1) / len(members[i]), i))
        i = heapq.heappop(ready)[1]
        order[turn - 1] = members[i][taken[i]]
        taken[i] += 1
        if taken[i] < len(members[i]):
            heapq.heappush(waiting, (release(i), i))
    return order


def _as_labels(labels: np.ndarray) -> np.ndarray:
    """Labels as a plain array; DataError unless they are whole numbers in one dimension."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        raise DataError(f"labels of shape {labels.shape} and type {labels.dtype}, allowed: whole numbers [n], n >= 1")
    return labels
