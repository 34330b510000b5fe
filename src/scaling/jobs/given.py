"""What a job was given by whoever started it: cores, and the memory and time that it asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.cores import usable_cores


@dataclass(frozen=True)
class Given:
    """What a job was given, None where that was not said; ``metadata`` are the options by which the commands take it."""

    cores: int | None = field(
        default=None,
        metadata={"metavar": "COUNT", "min": 1, "help": "runs trained at a time on a CPU (default: one per core)"},
    )
    machine_cores: int | None = field(
        default=None,
        metadata={"metavar": "COUNT", "min": 1, "help": "runs that all jobs together train at a time on GPUs"},
    )
    memory_mb: int | None = field(
        default=None,
        metadata={
            "metavar": "MB",
            "min": 1,
            "help": "memory that the job asked for, for its note (not needed on Slurm)",
        },
    )
    minutes: float | None = field(
        default=None, metadata={"metavar": "MINUTES", "min": 0, "help": "time that the job asked for, for its note"}
    )

    @property
    def at_a_time(self) -> int:
        """Runs trained at a time on a CPU."""
        return self.cores or usable_cores()

    @property
    def on_the_machine(self) -> int:
        """Runs that all jobs together train at a time on GPUs: never more than there are cores to feed them."""
        return min(self.machine_cores or usable_cores(), usable_cores())
