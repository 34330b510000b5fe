"""The right to train a run: a file that names its trainer, and whose modification time is the trainer's heartbeat.

The clocks of hosts may differ by minutes, so no time in the file is ever compared with a clock: whoever waits for a lease
watches whether its heartbeat changes, and counts the seconds by a clock of its own. A trainer that was stopped for long
(SIGSTOP, a suspended machine) may wake beside its successor, so it checks before each write that the lease is still its own.
A write that it had begun before it stopped is finished: an earlier state of the same run, whole, which its successor replaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any, Final

HEARTBEAT_SECONDS: Final = 10.0
"""Seconds between two renewals of a lease; one that is not renewed for six heartbeats has lost its owner (assumption)."""

Pulse = tuple[bytes, int]
"""The contents of a lease and its modification time in nanoseconds: they change with every heartbeat and every owner."""


class LostLease(RuntimeError):
    """Another trainer has taken the run over, so this one must not write any more."""


class Lease:
    """The lease at ``path``, as one process holds it or watches it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        pid = os.getpid()
        self.owner = {
            "host": socket.gethostname(),
            "pids": _process_table(),
            "pid": pid,
            "began": _began(pid),
            "id": uuid.uuid4().hex,
        }
        self._seen: Pulse | None = None
        self._looked = self._silent = 0.0

    def acquire(self) -> bool:
        """Take the lease; False while another trainer that may be alive holds it. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._create():
            return True
        pulse = self._pulse()
        if pulse is not None and self._may_live(pulse):
            return False
        if pulse is not None and not self._remove(pulse):
            return False
        return self._create()

    def owner_now(self) -> tuple[dict[str, Any] | None, bool]:
        """Who holds the lease, if anyone, and whether that trainer may be alive.

        It counts as alive until it is known to be dead, or until this object has seen no heartbeat for the time of six: ask
        again and again.
        """
        pulse = self._pulse()
        return (None, False) if pulse is None else (_owner(pulse), self._may_live(pulse))

    def check(self) -> None:
        """For the owner, before it writes. Raises LostLease if the lease is another's, or gone."""
        if not self._is_mine(self._pulse()):
            raise LostLease(f"{self.path}: another trainer has taken this run over; nothing more is written here")

    def is_lost(self) -> bool:
        """For the owner: whether the lease is another's, or gone; False if the disk cannot be read."""
        try:
            return not self._is_mine(self._pulse())
        except OSError:
            return False

    def renew(self) -> None:
        """Give a heartbeat; a lease that was taken over is left to its new owner. Raises OSError."""
        if self._is_mine(self._pulse()):
            os.utime(self.path)

    def release(self) -> None:
        """Give the lease back, if it is still ours. Raises OSError."""
        pulse = self._pulse()
        if pulse is not None and self._is_mine(pulse):
            self._remove(pulse)

    def _create(self) -> bool:
        # The lease is linked into place whole, so that nobody ever reads one without an owner.
        draft = self.path.with_name(f"lease.{self.owner['id']}.draft")
        try:
            draft.write_text(json.dumps(self.owner))
            os.link(draft, self.path)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        return True

    def _remove(self, pulse: Pulse) -> bool:
        """Remove the lease if it still has this ``pulse``; True if it is gone.

        Of two trainers that find it stale only one can rename it away. If that one finds that it took a new lease, or one
        whose owner has woken and renewed it, it puts the lease back.
        """
        aside = self.path.with_name(f"lease.{self.owner['id']}.stale")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return True
        taken = _read(aside)
        if taken != pulse:
            with contextlib.suppress(FileExistsError):
                os.link(aside, self.path)
        aside.unlink(missing_ok=True)
        return taken == pulse

    def _pulse(self) -> Pulse | None:
        return _read(self.path)

    def _is_mine(self, pulse: Pulse | None) -> bool:
        return pulse is not None and _owner(pulse).get("id") == self.owner["id"]

    def _may_live(self, pulse: Pulse) -> bool:
        owner = _owner(pulse)
        same = owner.get("host") == self.owner["host"] and owner.get("pids") == self.owner["pids"]
        if not owner or (same and not _lives(owner.get("pid"), owner.get("began"))):
            return False
        now = time.monotonic()
        if pulse != self._seen:
            self._seen, self._silent = pulse, 0.0
        else:
            # In a long pause between two looks the whole machine may have stood still, so it counts as one heartbeat at most.
            self._silent += min(now - self._looked, HEARTBEAT_SECONDS)
        self._looked = now
        return self._silent < 6 * HEARTBEAT_SECONDS


def _read(path: Path) -> Pulse | None:
    """The pulse of the lease at ``path``; None if there is none."""
    try:
        with path.open("rb") as file:  # opening makes NFS ask the server for the time instead of using a cached one
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _owner(pulse: Pulse) -> dict[str, Any]:
    """Who ``pulse`` names; empty if it is damaged, since leases appear whole."""
    try:
        owner = json.loads(pulse[0])
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


@cache
def _process_table() -> str:
    """A name for the process table of this host: after a restart, in another container or on another host of the same name
    process numbers mean other processes. Empty if the system does not say (macOS)."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _state(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name (from the third on, see proc(5)); empty if the system has none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _began(pid: int) -> str:
    """When the process began, in ticks since the machine started: it tells processes apart whose number was used again."""
    return "".join(_state(pid)[19:20])


def _lives(pid: Any, began: Any) -> bool:
    """Whether the process ``pid`` of this host exists and is the one that began at ``began``."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError, ValueError, TypeError):
        return False
    except PermissionError:
        pass
    state = _state(int(pid))
    return not state or (state[0] not in "ZX" and (not began or state[19] == began))
