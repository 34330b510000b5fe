import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.jobs.job_errors import Stopped
from scaling.jobs.job_notes import (
    ENDED,
    FAILED,
    KILLED,
    OUT_OF_MEMORY,
    RESUMABLE,
    RUNNING,
    JobNote,
    attempt,
    given_by_slurm,
    memory_in_use,
    memory_to_ask,
    read_all_notes,
    read_notes,
)

NOTE = JobNote("train", "vit", "vit", 1, 1000.0, "a", asked_memory_mb=4000)


def note(outcome: str, peak: float = 100.0, asked: int | None = 4000) -> JobNote:
    return replace(NOTE, outcome=outcome, peak_memory_mb=peak, asked_memory_mb=asked)


@pytest.mark.parametrize("outcome", [ENDED, RESUMABLE, FAILED])
def test_what_did_not_run_out_of_memory_grows_nothing(outcome):
    assert memory_to_ask(2500, [note(outcome, peak=3999)]) == 2500


def test_memory_that_ran_out_grows_by_half():
    assert memory_to_ask(2500, [note(OUT_OF_MEMORY)]) == 6000
    assert memory_to_ask(2500, [note(OUT_OF_MEMORY), note(OUT_OF_MEMORY, asked=6000)]) == 9000
    assert memory_to_ask(20_000, [note(OUT_OF_MEMORY)]) == 20_000  # the estimate has grown beyond it by itself


def test_a_killed_job_grows_memory_where_it_was_near_what_it_had():
    assert memory_to_ask(2500, [note(RUNNING, peak=3900)]) == 6000
    assert memory_to_ask(2500, [note(RUNNING, peak=1000)]) == 2500  # a lost node, a scancel
    assert memory_to_ask(2500, [note(RUNNING, peak=3900, asked=None)]) == 2500


def test_what_has_grown_stays_grown():
    assert memory_to_ask(2500, [note(OUT_OF_MEMORY), note(RESUMABLE, asked=6000), note(RUNNING, 10, asked=6000)]) == 6000


@settings(deadline=None)
@given(
    st.integers(500, 10_000),
    st.lists(
        st.builds(
            note,
            st.sampled_from([ENDED, RESUMABLE, FAILED, RUNNING, OUT_OF_MEMORY]),
            st.floats(0, 20_000),
            st.none() | st.integers(500, 10_000),
        )
    ),
)
def test_never_less_than_the_estimate_and_more_notes_never_less(estimate, notes):
    asked = [memory_to_ask(estimate, notes[:count]) for count in range(len(notes) + 1)]
    assert asked[0] == estimate
    assert asked == sorted(asked)


def test_a_note_is_open_while_the_job_runs_and_closed_by_how_it_ends(tmp_path):
    with attempt(tmp_path, "train", "vit", "vit", {"asked_memory_mb": 4000}, 2) as job:
        (seen,) = read_notes(tmp_path, "train", "vit")
        assert seen.outcome == RUNNING
        assert seen.outcome_at(time.time()) == RUNNING
        assert seen.outcome_at(time.time() + 100) == KILLED
        job.look()
        job.count([{"seconds": 2.0, "device": "cpu", "peak_memory": 5}, {"seconds": 3.0, "device": "cuda", "peak_memory": 7e6}])
    (seen,) = read_notes(tmp_path, "train", "vit")
    assert (seen.outcome, seen.attempt, seen.trained, seen.cell_seconds, seen.gpu_peak_mb) == (ENDED, 1, 2, 5.0, 7.0)
    assert seen.peak_memory_mb > 20
    assert seen.seconds > 0
    with pytest.raises(Stopped), attempt(tmp_path, "train", "vit", "vit", {}, 1):
        raise Stopped("a time limit")
    with pytest.raises(RuntimeError), attempt(tmp_path, "train", "vit", "vit", {}, 1):
        raise RuntimeError("no data")
    later = read_notes(tmp_path, "train", "vit")[1:]
    assert [(one.attempt, one.outcome, one.reason) for one in later] == [
        (2, RESUMABLE, ""),
        (3, FAILED, "RuntimeError: no data"),
    ]
    assert read_notes(tmp_path, "train", "vi") == read_notes(tmp_path, "tune", "vit") == []
    assert len(read_all_notes(tmp_path)) == 3


def test_a_job_that_is_killed_leaves_its_peak(tmp_path):
    program = f"""
import time
from pathlib import Path
from scaling.jobs.job_notes import attempt
with attempt(Path({str(tmp_path)!r}), "train", "vit", "vit", {{"asked_memory_mb": 500}}, 1) as job:
    held = bytearray(450_000_000)
    held[::4096] = b"x" * len(held[::4096])
    job.look()
    print("ready", flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (seen,) = read_notes(tmp_path, "train", "vit")
    assert seen.outcome == RUNNING
    assert seen.peak_memory_mb > 400
    assert memory_to_ask(500, [seen]) == 1000  # 750, rounded up to what is asked for


def test_damaged_notes_are_passed_over(tmp_path):
    folder = tmp_path / "train-vit"
    folder.mkdir()
    for name, text in (("a", ""), ("b", "{"), ("c", "[]"), ("d", '{"rule": "train"}')):
        (folder / f"{name}.json").write_text(text)
    assert read_notes(tmp_path, "train", "vit") == []
    body = vars(NOTE) | {"of a later version": 1}
    (folder / "e.json").write_text(json.dumps(body))
    assert read_notes(tmp_path, "train", "vit") == [NOTE]


def test_slurm_says_what_a_job_was_given():
    told = {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "4000", "SLURM_CPUS_ON_NODE": "2", "CUDA_VISIBLE_DEVICES": "0,1"}
    times = {"SLURM_JOB_START_TIME": "600", "SLURM_JOB_END_TIME": "2400"}
    expected = {"asked_memory_mb": 4000, "asked_cpus": 2, "asked_gpus": 2, "asked_minutes": 30}
    assert given_by_slurm(told | times) == expected
    assert given_by_slurm({"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "4G"}) == {"asked_gpus": 0}
    assert given_by_slurm({}) == {}


def test_pages_that_a_fork_shares_are_counted_once():
    held = bytearray(300_000_000)
    held[::4096] = b"x" * len(held[::4096])
    before = memory_in_use()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    beside = memory_in_use() - before
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert beside < 100e6
    assert len(held)
