"""A job whose runs are killed for want of memory: when it asks to be tried again, and when its runs become holes."""

from dataclasses import replace

import pytest

from scaling.jobs.job_errors import Stopped
from scaling.jobs.job_notes import ENDED, OUT_OF_MEMORY, RESUMABLE, attempt, memory_to_ask, read_notes
from scaling.jobs.outcome import Outcome
from scaling.jobs.training_job import settle
from scaling.runs.store import Store

KILLED = Outcome(failed={"k": "killed by SIGKILL"}, killed=["k"])


def is_stopped(folder, peak: float, outcome: Outcome = KILLED, slurm: str | None = "7", asked: int = 1000) -> bool:
    """Whether an attempt with a peak of ``peak`` MB stops to be tried again; else it goes on to write its pack's table."""
    try:
        with attempt(folder, "train", "vit", "vit", {"asked_memory_mb": asked}, 1) as made:
            made.note = replace(made.note, peak_memory_mb=peak, slurm_job=slurm)
            settle(outcome, made, Store(folder / "store"), lambda message: None)
    except Stopped:
        return True
    return False


def outcomes(folder) -> list[str]:
    return [note.outcome for note in read_notes(folder, "train", "vit")]


def test_in_slurm_it_is_tried_again_with_more_three_times(tmp_path):
    asked = []
    for _ in range(5):
        asked.append(memory_to_ask(1000, read_notes(tmp_path, "train", "vit")))
        assert is_stopped(tmp_path, 0.95 * asked[-1], asked=asked[-1]) == (len(asked) <= 3)
    assert asked == [1000, 1500, 2500, 4000, 6000]
    assert outcomes(tmp_path) == [OUT_OF_MEMORY] * 5


def test_here_the_runs_are_holes_and_the_next_command_asks_for_more(tmp_path):
    assert not is_stopped(tmp_path, 950, slurm=None)
    assert outcomes(tmp_path) == [OUT_OF_MEMORY]
    assert memory_to_ask(1000, read_notes(tmp_path, "train", "vit")) == 1500


@pytest.mark.parametrize("outcome", [KILLED, Outcome(failed={"k": "ValueError: x"})])
def test_runs_that_end_otherwise_are_holes_alone(tmp_path, outcome):
    assert not is_stopped(tmp_path, 100, outcome)
    assert not is_stopped(tmp_path, 950, replace(outcome, killed=[]))
    assert outcomes(tmp_path) == [ENDED, ENDED]


def test_a_job_that_was_stopped_asks_for_no_more(tmp_path):
    assert is_stopped(tmp_path, 950, Outcome(interrupted=True))
    assert outcomes(tmp_path) == [RESUMABLE]
    assert memory_to_ask(1000, read_notes(tmp_path, "train", "vit")) == 1000
