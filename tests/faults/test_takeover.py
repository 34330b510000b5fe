"""A driver that stands still for longer than its lease (SIGSTOP, a suspended machine) and wakes beside its successor."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

QUICK_BEATS = """
import importlib, scaling.jobs.runner
for name in ("runs.lease", "jobs.runner", "jobs.job_notes", "training.attempt"):
    module = importlib.import_module(f"scaling.{name}")
    assert module.HEARTBEAT_SECONDS
    module.HEARTBEAT_SECONDS = 1.0
"""
"""Leases of 6 s instead of a minute."""

TRACE = """
import os, signal, time
from pathlib import Path
from scaling.training.loop import Trainer

step = Trainer.train_step

def slow_step(trainer):
    # the first trainer is slow, says when it has begun and that it goes on, and stands still where it is told to
    time.sleep(0.02)
    if Path("first.txt.stop").exists():
        Path("first.txt.stop").unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
    step(trainer)
    Path("first.txt").write_text(str(trainer.progress.step))

Trainer.train_step = slow_step
"""


def stamps(folder):
    """Of every file below ``folder``: its inode, its time and its size."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in found}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def take_over(fresh, first, groups, wakes):
    """Stop the driver ``first``, let a second one take its cell over, and wake it again.

    Returns how the second ended, what the first printed, and the files of the store before the first woke. The groups of
    processes that were begun are noted in ``groups``.
    """
    store, steps = fresh.folder / "results" / "store", fresh.folder / "first.txt"
    wait_for(lambda: steps.exists() and steps.read_text() > "1" and list(store.glob("*/checkpoint.safetensors")))
    # It stops in a step, not in a write: one that had begun would be finished when it wakes.
    (fresh.folder / "first.txt.stop").touch()
    wait_for(lambda: any(child.status() == psutil.STATUS_STOPPED for child in psutil.Process(first.pid).children()))
    os.killpg(first.pid, signal.SIGSTOP)
    cell = next(store.glob("*/checkpoint.safetensors")).parent

    if wakes == "while its successor trains":
        owner = (cell / "lease").read_bytes()
        fresh.plant("slow", TRACE.replace("first.txt", "second.txt"))
        second = fresh.start("train", "studies/faults.yaml", "mlp", PLUGINS="quick slow")
        groups.append(second.pid)
        wait_for(lambda: (cell / "lease").exists() and (cell / "lease").read_bytes() != owner)
        wait_for((fresh.folder / "second.txt").exists)
        # The successor stands still in its turn, for less than its lease: every write that is seen now is the first one's.
        os.killpg(second.pid, signal.SIGSTOP)
        before = stamps(store)
        trainers = psutil.Process(first.pid).children()
        os.killpg(first.pid, signal.SIGCONT)
        psutil.wait_procs(trainers, timeout=3)
        assert stamps(store) == before
        os.killpg(second.pid, signal.SIGCONT)
        ended = second.end()
    else:
        ended = fresh.run("train", "studies/faults.yaml", "mlp", PLUGINS="quick")
        before = stamps(store)
        os.killpg(first.pid, signal.SIGCONT)
    return ended, first.communicate(timeout=120)[0], before


@pytest.mark.parametrize("wakes", ["while its successor trains", "when its successor has ended"])
def test_a_driver_that_stood_still_writes_nothing_over_its_successor_and_ends_well(fresh, wakes):
    fresh.write_study(("seeds: [0, 1, 2, 3, 4]", "seeds: [0]"), ("images_floor: 3200", "images_floor: 64000"))
    fresh.plant("quick", QUICK_BEATS)
    fresh.plant("trace", TRACE)
    code = "import quick, trace; from scaling.cli.commands import main; main()"
    command = [sys.executable, "-c", code, "train", "studies/faults.yaml", "mlp"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(fresh.folder), os.environ.get("PYTHONPATH", "")])}
    first = subprocess.Popen(
        command, cwd=fresh.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    groups = [first.pid]
    try:
        ended, text, before = take_over(fresh, first, groups, wakes)
    finally:  # what stands still would stay for ever
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
    cell = next((fresh.folder / "results" / "store").iterdir())
    store, steps = cell.parent, fresh.folder / "first.txt"
    assert ended.code == 0, ended.text
    assert first.returncode == 0, text
    assert "was taken over by another trainer while this one stood still; its result is used" in text
    assert "failed" not in text.replace("0 failed", "")
    assert int(steps.read_text()) < 1000  # it did not train to the end
    if wakes == "when its successor has ended":
        assert stamps(store) == before
    assert sorted(path.name for path in cell.iterdir()) == ["log.txt", "record.json", "test-answers.json"]
    assert "taken over" not in (cell / "log.txt").read_text()  # the log is the successor's
    for step in ("collect", "fit", "complete"):
        fresh.do(step, "studies/faults.yaml")
    assert set(fresh.table()["status"]) == {"done"}
