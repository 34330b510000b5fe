"""Reading rows of an array that lies in a file and may be larger than memory."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor


class FileRows:
    """The rows of ``array`` [n, ...] of bytes, read from the file that it maps; one in memory is gathered from there."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.row_bytes, self.shape = int(array[0].nbytes), array.shape[1:]
        base = array if isinstance(array, np.memmap) else array.base
        # numpy's own view of the whole map, as ``scaling.data.load`` makes it; any other view is gathered through the map.
        self._place: tuple[str, int] | None = None
        if isinstance(base, np.memmap) and base.shape == array.shape and base.filename is not None:
            self._place = str(base.filename), int(base.offset)
        self._descriptor: int | None = None

    def read(self, rows: np.ndarray, pinned: bool = False) -> Tensor:
        """Rows [b] as a tensor [b, ...] in memory, in the order asked for; read in the order in which they lie.

        Raises OSError where the file ends early.
        """
        found = torch.empty((len(rows), *self._array.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        if self._place is None:
            np.take(self._array, rows, axis=0, out=found.numpy())
            return found
        path, start = self._place
        if self._descriptor is None:
            self._descriptor = os.open(path, os.O_RDONLY)
            if hasattr(os, "posix_fadvise"):
                # Rows are far apart: what lies beside them is not to be read along.
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        flat = found.numpy().reshape(-1).data
        size, order = self.row_bytes, np.argsort(rows, kind="stable").tolist()
        if hasattr(os, "posix_fadvise"):
            for at in order:  # all at once, so that the disk has many requests to work on
                os.posix_fadvise(self._descriptor, start + int(rows[at]) * size, size, os.POSIX_FADV_WILLNEED)
        for at in order:
            place, done = start + int(rows[at]) * size, 0
            while done < size:
                more = os.preadv(self._descriptor, [flat[at * size + done : (at + 1) * size]], place + done)
                if not more:
                    raise OSError(f"{path}: ends before image {int(rows[at])}")
                done += more
        return found

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            os.close(self._descriptor)  # type: ignore[arg-type]
