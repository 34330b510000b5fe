"""Where the runs of a job are trained: on one core each, or in a share of a GPU's memory.

Jobs of one machine may see the same GPUs: ``snakemake --cores all`` starts one job per core, and each would take the first GPU.
So the memory that is set aside on each GPU stands in one ledger per user and host, a small file under a lock. A run gets its
slot on the GPU with the most room left. All jobs together train as many runs as Snakemake was given cores, since a run on a GPU
keeps a core busy too. So the GPUs are full whatever a job is (a family, a size, a run), and the last job may fill them alone.
One job at a time with all cores would leave them idle at the end of each job, and all the time if a job is one run.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import psutil
from filelock import FileLock

from scaling.files import write_atomic
from scaling.runs.grid import Run
from scaling.training.device import Gpu
from scaling.training.nvidia import smi_gpus

if TYPE_CHECKING:
    from scaling.training.memory import MemoryEstimate

USABLE_SHARE: Final = 0.95
"""Share of a GPU's memory that is given to runs (assumption)."""

MEASURE_SECONDS: Final = 30.0
"""Seconds between two looks at the memory of idle GPUs, at least: nvidia-smi takes up to a second (assumption)."""

RETRY_SECONDS: Final = 1.0
"""Seconds between two looks into the ledger while there is no room, at least (assumption)."""


@dataclass(frozen=True)
class Slot:
    """A slot for a run: the positions of its GPUs among the visible ones, none on a CPU; whether the run has them alone."""

    gpus: tuple[int, ...] = ()
    alone: bool = True
    reservation: str = ""


class Slots(Protocol):
    """The slots of one job."""

    def take(self, cell: Run, alone: bool) -> Slot | None:
        """A slot for ``cell``, or None if there is no room now; ``alone`` asks for a whole GPU."""

    def free(self, slot: Slot) -> None:
        """Give a slot back."""

    def learn(self, cell: Run, peak: int | None) -> None:
        """Be told the peak memory of a finished run, in bytes."""


class Cores:
    """One core per run."""

    def __init__(self, cores: int) -> None:
        self._left = cores

    def take(self, cell: Run, alone: bool) -> Slot | None:
        """A core, if one is left."""
        if not self._left:
            return None
        self._left -= 1
        return Slot()

    def free(self, slot: Slot) -> None:
        """Give a core back."""
        self._left += 1

    def learn(self, cell: Run, peak: int | None) -> None:
        """Do nothing: the operating system looks after the memory of a CPU."""


def ledger_path() -> Path:
    """The ledger of this user on this host; hosts that share a folder for temporary files have one each."""
    return Path(tempfile.gettempdir()) / f"scaling-gpus-{os.getuid()}" / f"ledger-{socket.gethostname()}.json"


def own_folder(folder: Path) -> None:
    """Make ``folder`` for this user alone; one that another user owns, or may have planted, is refused.

    Others cannot replace the folder afterwards, since folders for temporary files let nobody rename another user's files.

    Raises:
        PermissionError: the folder is a link, is another user's, or can be written by others.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # a link counts as there, whatever it points to
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        wrong = "is a symbolic link"
    elif not stat.S_ISDIR(found.st_mode):
        wrong = "is no folder"
    elif found.st_uid != os.getuid():
        wrong = "belongs to another user"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        wrong = "can be written by other users"
    else:
        return
    raise PermissionError(errno.EACCES, f"{folder} {wrong}; remove it, or set TMPDIR to a folder of your own", str(folder))


class Ledger:
    """Who has set aside how much of which GPU; reservations of processes that have ended do not count."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or ledger_path()
        own_folder(self.path.parent)
        self._me = {"pid": os.getpid(), "born": psutil.Process().create_time()}

    @contextlib.contextmanager
    def open(self) -> Iterator[list[dict[str, Any]]]:
        """The reservations, oldest first; no other process can read or change them meanwhile."""
        with FileLock(f"{self.path}.lock"):
            try:
                before = json.loads(self.path.read_bytes())
            except (FileNotFoundError, ValueError):
                before = []
            reservations = [reservation for reservation in before if _is_alive(reservation)]
            yield reservations
            if reservations != before:
                write_atomic(self.path, json.dumps(reservations).encode(), durable=False)

    def reservation(self, name: str, gpu: Gpu, size: int) -> dict[str, Any]:
        """A reservation called ``name`` by this process of ``size`` bytes of ``gpu``."""
        return self._me | {"id": name, "gpu": gpu.uuid, "bytes": size}


def _is_alive(reservation: dict[str, Any]) -> bool:
    try:
        return abs(psutil.Process(reservation["pid"]).create_time() - reservation["born"]) < 1.0
    except psutil.NoSuchProcess:
        return False


class GpuShares:
    """Shares of the memory of ``gpus``; at most ``cores`` runs at a time on them, those of other jobs included.

    A run is given ``per_run`` GPUs, whole ones where that is more than one; a backbone is given one.
    """

    def __init__(
        self,
        gpus: tuple[Gpu, ...],
        memory: MemoryEstimate,
        cores: int,
        per_run: int = 1,
        ledger: Ledger | None = None,
    ) -> None:
        self.gpus, self.memory, self.cores, self.per_run = gpus, memory, cores, per_run
        self.ledger = ledger or Ledger()
        self._retry_at = 0.0
        self._claims: dict[str, Slot] = {}
        with self.ledger.open() as reservations:
            self._room = [0] * len(gpus)
            self._measure(reservations, range(len(gpus)))

    def _measure(self, reservations: list[dict[str, Any]], positions: Iterable[int]) -> None:
        """Find the room on the GPUs at ``positions``, while nobody can change the ledger.

        Memory that other programs hold is no room for us; what our own runs hold is in the ledger. Of a GPU that nvidia-smi
        does not know by its name, such as a part of one, what was free when the job began has to do.
        """
        now = {gpu.uuid.removeprefix("GPU-"): gpu.free for gpu in smi_gpus()}
        for position in positions:
            gpu = self.gpus[position]
            ours = sum(reservation["bytes"] for reservation in reservations if reservation["gpu"] == gpu.uuid)
            free = now.get(gpu.uuid.removeprefix("GPU-"), gpu.free)
            self._room[position] = int(min(USABLE_SHARE * gpu.total, free + ours))
        self._measured = time.monotonic()

    def _measure_again(self, reservations: list[dict[str, Any]]) -> None:
        """Measure the GPUs on which no run of ours is: there all that is held is others', and the figure is exact."""
        busy = {reservation["gpu"] for reservation in reservations}
        idle = [position for position, gpu in enumerate(self.gpus) if gpu.uuid not in busy]
        if idle and time.monotonic() - self._measured > MEASURE_SECONDS:
            self._measure(reservations, idle)

    def take(self, cell: Run, alone: bool) -> Slot | None:
        """Room for ``cell`` on the emptiest GPU; a run that asks to be alone, or fits beside none, gets a GPU to itself.

        So does every run where a GPU takes one process at a time.
        """
        if time.monotonic() < self._retry_at:
            return None
        need, count = self.memory.need(cell), 1 if cell.objective else self.per_run
        with self.ledger.open() as reservations:
            self._measure_again(reservations)
            whole = alone or count > 1 or need > max(self._room) or any(gpu.exclusive for gpu in self.gpus)
            slot = self._take_whole(cell, reservations, count) if whole else self._take_share(need, reservations)
        if slot is None:
            self._retry_at = time.monotonic() + RETRY_SECONDS
        return slot

    def _take_share(self, need: int, reservations: list[dict[str, Any]]) -> Slot | None:
        uuids = {gpu.uuid for gpu in self.gpus}
        if sum(reservation["gpu"] in uuids for reservation in reservations) >= self.cores:
            return None
        left = [
            room - sum(reservation["bytes"] for reservation in reservations if reservation["gpu"] == gpu.uuid)
            for gpu, room in zip(self.gpus, self._room, strict=True)
        ]
        index = max(range(len(left)), key=left.__getitem__)
        if need > left[index]:
            return None
        reservations.append(self.ledger.reservation(name := uuid.uuid4().hex, self.gpus[index], need))
        return Slot((index,), False, name)

    def _take_whole(self, cell: Run, reservations: list[dict[str, Any]], count: int) -> Slot | None:
        """Whole GPUs: they are claimed at once, so that no other run starts there, and given when their runs have ended.

        Two runs cannot wait for each other: all claims of the earlier one lie before all of the later one.
        """
        if cell.key not in self._claims:
            held = [sum(reservation["gpu"] == gpu.uuid for reservation in reservations) for gpu in self.gpus]
            chosen = sorted(range(len(held)), key=held.__getitem__)[:count]
            name = uuid.uuid4().hex
            reservations += [self.ledger.reservation(name, self.gpus[index], self.gpus[index].total) for index in chosen]
            self._claims[cell.key] = Slot(tuple(chosen), True, name)
        slot = self._claims[cell.key]
        for index in slot.gpus:
            first = next(reservation for reservation in reservations if reservation["gpu"] == self.gpus[index].uuid)
            if first["id"] != slot.reservation:
                return None
        return self._claims.pop(cell.key)

    def free(self, slot: Slot) -> None:
        """Give a share back."""
        with self.ledger.open() as reservations:
            reservations[:] = [reservation for reservation in reservations if reservation["id"] != slot.reservation]
        self._retry_at = 0.0

    def learn(self, cell: Run, peak: int | None) -> None:
        """Correct the estimates by the peak memory of a finished run."""
        self.memory.learn(cell, peak)
