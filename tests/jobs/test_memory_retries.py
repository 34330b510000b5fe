"""A job whose runs are killed for want of memory: when it asks to be tried again, and when its runs become holes."""

from dataclasses import replace

import pytest
import typer

from scaling.cli.job_commands import _settle
from scaling.jobs.job_notes import ENDED, OUT_OF_MEMORY, RESUMABLE, attempt, memory_to_ask, read_notes
from scaling.jobs.runner import Outcome
from scaling.runs.store import Store

KILLED = Outcome(failed={"k": "killed by SIGKILL"}, killed=["k"])


def job(folder, peak: float, outcome: Outcome = KILLED, slurm: str | None = "7", asked: int = 1000) -> int | None:
    """The exit code of an attempt with a peak of ``peak`` MB; None where it goes on to write its pack's table."""
    with attempt(folder, "train", "vit", "vit", {"asked_memory_mb": asked}, 1, 75) as made:
        made.note = replace(made.note, peak_memory_mb=peak, slurm_job=slurm)
        try:
            _settle(outcome, made, Store(folder / "store"))
        except typer.Exit as left:
            made.close(made.note.outcome if made.note.outcome != "running" else RESUMABLE)
            return left.exit_code
    return None


def outcomes(folder) -> list[str]:
    return [note.outcome for note in read_notes(folder, "train", "vit")]


def test_in_slurm_it_is_tried_again_with_more_three_times(tmp_path):
    asked = []
    for _ in range(5):
        asked.append(memory_to_ask(1000, read_notes(tmp_path, "train", "vit")))
        code = job(tmp_path, 0.95 * asked[-1], asked=asked[-1])
        assert code == (75 if len(asked) <= 3 else None)
    assert asked == [1000, 1500, 2500, 4000, 6000]
    assert outcomes(tmp_path) == [OUT_OF_MEMORY] * 5


def test_here_the_runs_are_holes_and_the_next_command_asks_for_more(tmp_path):
    assert job(tmp_path, 950, slurm=None) is None
    assert outcomes(tmp_path) == [OUT_OF_MEMORY]
    assert memory_to_ask(1000, read_notes(tmp_path, "train", "vit")) == 1500


@pytest.mark.parametrize("outcome", [KILLED, Outcome(failed={"k": "ValueError: x"})])
def test_runs_that_end_otherwise_are_holes_alone(tmp_path, outcome):
    assert job(tmp_path, 100, outcome) is None
    assert job(tmp_path, 950, replace(outcome, killed=[])) is None
    assert outcomes(tmp_path) == [ENDED, ENDED]


def test_a_job_that_was_stopped_asks_for_no_more(tmp_path):
    assert job(tmp_path, 950, Outcome(interrupted=True)) == 75
    assert outcomes(tmp_path) == [RESUMABLE]
    assert memory_to_ask(1000, read_notes(tmp_path, "train", "vit")) == 1000
