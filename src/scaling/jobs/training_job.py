"""One attempt at a job that trains runs: the study, what the job was given, the note of the attempt, and the runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scaling.data import prepare
from scaling.jobs.deadline import stop_time
from scaling.jobs.given import Given
from scaling.jobs.job_errors import Stopped
from scaling.jobs.job_notes import MEMORY_RETRIES, OUT_OF_MEMORY, Attempt, Rule, attempt
from scaling.jobs.outcome import Outcome
from scaling.jobs.owner import open_own
from scaling.jobs.runner import PackRunner
from scaling.runs.grid import ResolvedCell
from scaling.runs.store import Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings
from scaling.training.device import Device

if TYPE_CHECKING:
    from scaling.training.trunk import Trunk


@dataclass(frozen=True)
class TrainingJob:
    """A job that trains runs of the study at ``path``; ``say`` prints a line for people."""

    path: Path
    study: Study
    layout: Layout
    given: Given
    say: Callable[[str], None]

    @classmethod
    def open(cls, path: Path, given: Given, say: Callable[[str], None]) -> TrainingJob:
        """The job of the study file ``path``. Raises StudyError."""
        study, layout = open_own(path, say)
        return cls(path, study, layout, given, say)

    @contextmanager
    def attempt(self, rule: Rule, name: str, family: str) -> Iterator[Attempt]:
        """The note of this attempt at the job, written now and closed when the block ends."""
        asked = {
            "asked_memory_mb": self.given.memory_mb,
            "asked_minutes": self.given.minutes,
            "asked_cpus": self.given.at_a_time,
        }
        with attempt(self.layout.jobs, rule, name, family, asked, self.given.at_a_time) as made:
            yield made

    def prepared_images(self) -> Path:
        """The prepared images; a file that is not the one that was verified is read, and built again if it is damaged.

        Raises DataError.
        """
        return prepare(data_settings(self.study), self.layout.data, progress=False, trust=True)

    def runner(
        self,
        label: str,
        device: Device,
        attempt: Attempt,
        probes: Sequence[str] = (),
        trunks: Mapping[str, Trunk] | None = None,
        gpus_per_run: int = 1,
    ) -> PackRunner:
        """A runner that trains on ``device`` and keeps the note of ``attempt`` up to date.

        ``label`` names it on the terminal; ``probes`` are read off the models that it trains; ``trunks`` says what a run, by
        its key, has in common with others; ``gpus_per_run`` GPUs train a run together. Raises DataError.
        """
        return PackRunner(
            Store(self.layout.store),
            self.prepared_images(),
            device,
            label=label,
            cores=self.given.at_a_time,
            checkpoint_seconds=self.study.jobs.checkpoint_seconds,
            probes=probes,
            trunks=trunks,
            machine_cores=self.given.on_the_machine,
            stop_at=stop_time(),
            gpus_per_run=gpus_per_run,
            look=attempt.look,
        )

    def train(self, cells: list[ResolvedCell], runner: PackRunner, attempt: Attempt) -> None:
        """Train ``cells`` and count them in the note of ``attempt``.

        Raises:
            DataError: the images are not those that the cells name.
            Stopped: the job was stopped, or ran out of memory and may do better with more.
        """
        settle(runner.run(cells), attempt, runner.store, self.say)


def settle(outcome: Outcome, attempt: Attempt, store: Store, say: Callable[[str], None]) -> None:
    """Note what became of a job's runs. Raises Stopped where the same command should be run again."""
    attempt.count(record.row for record in map(store.read, outcome.trained) if record is not None)
    if attempt.lost_to_memory(len(outcome.killed)):
        attempt.close(OUT_OF_MEMORY, f"{len(outcome.killed)} runs killed at {attempt.note.peak_memory_mb:.0f} MB")
        if attempt.note.slurm_job is not None and attempt.tried_for_memory < MEMORY_RETRIES:
            raise Stopped("memory ran out; the next attempt asks for half as much again")
    if outcome.interrupted:
        raise Stopped("stopped; checkpoints are written, the next run goes on from them")
