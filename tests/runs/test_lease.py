"""Leases: one owner at a time, on hosts whose clocks differ, beside processes that die, stop and wake."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from scaling.runs import lease as module
from scaling.runs.lease import HEARTBEAT_SECONDS, Lease, LostLease


class Clock:
    """This host's monotonic clock, moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def lease(tmp_path):
    """A function that makes leases on one cell; keywords change the owner."""

    def make(**owner):
        made = Lease(tmp_path / "lease")
        made.owner |= owner
        return made

    return make


def beat(lease, at=None):
    """What ``renew`` does on a host whose clock says ``at``."""
    os.utime(lease.path, None if at is None else (at, at))


def watch(lease, clock, seconds):
    """Look at a lease every second; True where it was got."""
    for _ in range(seconds):
        clock.now += 1
        if lease.acquire():
            return True
    return False


def test_one_holds_it_and_gives_it_back(lease):
    first, second = lease(), lease()
    assert first.acquire()
    first.check()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    first.release()  # another's
    second.check()


def test_that_of_a_dead_process_of_this_host_is_taken_at_once(lease):
    dead = lease(pid=2**22 + 12345)
    assert dead.acquire()
    new = lease()
    assert new.acquire()
    assert dead.is_lost()
    with pytest.raises(LostLease, match="another trainer has taken this run over"):
        dead.check()


def test_a_process_that_has_ended_and_was_not_waited_for_is_dead(lease):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert lease(pid=child.pid, began="").acquire()
    assert lease().acquire()
    child.wait()


def test_a_process_number_that_was_used_again_names_another_process(lease):
    assert lease(began="1").acquire()  # this process's number, but it began when the machine did
    assert lease().acquire()


def test_a_process_number_of_another_container_says_nothing(lease):
    assert lease(pids="another boot or another container", pid=2**22 + 12345).acquire()
    assert not lease().acquire()


@pytest.mark.parametrize("off", [-600.0, 0.0, 600.0])
def test_a_living_trainer_keeps_it_whatever_its_hosts_clock_says(lease, clock, off):
    theirs, ours = lease(host="another-node"), lease()
    assert theirs.acquire()
    for number in range(30):
        beat(theirs, time.time() + off + number)
        assert not watch(ours, clock, round(HEARTBEAT_SECONDS))
    theirs.check()


@pytest.mark.parametrize("off", [-600.0, 0.0, 600.0])
def test_a_silent_one_is_taken_over_after_six_beats_and_its_old_owner_notices(lease, clock, off):
    theirs, ours = lease(host="another-node"), lease()
    assert theirs.acquire()
    beat(theirs, time.time() + off)
    assert not watch(ours, clock, round(6 * HEARTBEAT_SECONDS))
    assert watch(ours, clock, 1)
    with pytest.raises(LostLease):
        theirs.check()
    stamp = ours.path.stat().st_mtime_ns
    theirs.renew()
    theirs.release()
    ours.check()
    assert ours.path.stat().st_mtime_ns == stamp
    assert not lease().acquire()


def test_a_pause_of_the_whole_machine_is_no_silence(lease, clock):
    theirs, ours = lease(host="another-node"), lease()
    assert theirs.acquire()
    assert not ours.acquire()
    clock.now += 3600
    assert not ours.acquire()


def test_one_that_beats_while_it_is_being_taken_is_put_back(lease, clock, monkeypatch):
    theirs, ours = lease(host="another-node"), lease()
    assert theirs.acquire()
    assert not watch(ours, clock, round(6 * HEARTBEAT_SECONDS))
    rename = type(ours.path).rename

    def woken(path, target):
        beat(theirs, 1.0)
        return rename(path, target)

    monkeypatch.setattr(type(ours.path), "rename", woken)
    clock.now += 1
    assert not ours.acquire()
    theirs.check()


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\x80\x04]"])
def test_one_that_names_nobody_is_taken_over(lease, damage):
    ours = lease()
    ours.path.write_bytes(damage)
    assert ours.acquire()


@pytest.mark.parametrize("field", ["pid", "began", "host"])
def test_an_owner_that_says_nonsense_of_itself_ends_nothing(lease, field):
    lease(**{field: {"a": [None]}}).acquire()
    assert lease().acquire() == (field != "host")


def _take(path, start, taken):
    start.wait()
    if Lease(path).acquire():
        with taken.get_lock():
            taken.value += 1
        time.sleep(2)


@pytest.mark.slow
def test_of_many_at_once_one_gets_that_of_a_dead_process(lease, tmp_path):
    fork = multiprocessing.get_context("fork")
    for _ in range(5):
        dead = lease(pid=2**22 + 12345)
        dead.path.write_text(json.dumps(dead.owner))
        start, taken = fork.Event(), fork.Value("i", 0)
        rivals = [fork.Process(target=_take, args=(dead.path, start, taken)) for _ in range(6)]
        for rival in rivals:
            rival.start()
        start.set()
        time.sleep(0.5)
        for rival in rivals:
            rival.kill()
            rival.join()
        assert taken.value == 1
        dead.path.unlink()
