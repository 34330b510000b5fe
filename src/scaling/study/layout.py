"""Where the files of a study lie, below ``results/`` and ``reports/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESULTS: Final = Path("results")
REPORTS: Final = Path("reports")

RESERVED: Final = ("store", "data", "cache", "sample")
"""Names that no study may have: below ``results/`` they hold what all studies share, below ``reports/`` the sample."""

STUDY_ENDINGS: Final = (".yaml", ".yml")

LONGEST_NAME: Final = 100
"""Most characters of a name that becomes part of a file name; file systems allow 255 bytes in all (assumption)."""


@dataclass(frozen=True)
class Layout:
    """The paths of the study ``name``; store, data and caches are shared by all studies."""

    name: str
    results: Path = RESULTS
    reports: Path = REPORTS

    @property
    def study(self) -> Path:
        """Folder of everything that belongs to this study alone."""
        return self.results / self.name

    @property
    def owner(self) -> Path:
        """File with the path of the study file that the results of this name belong to."""
        return self.study / "study-file"

    @property
    def data(self) -> Path:
        """Folder of prepared images."""
        return self.results / "data"

    @property
    def store(self) -> Path:
        """Folder of the records of runs, by key."""
        return self.results / "store"

    @property
    def ladders(self) -> Path:
        """Cache of widths and FLOP counts, by content."""
        return self.results / "cache" / "ladders.json"

    @property
    def speed(self) -> Path:
        """Measured speed of this machine."""
        return self.results / "cache" / "speed.json"

    def tuning(self, family: str) -> Path:
        """What tuning found for ``family``."""
        return self.study / "tuning" / f"{family}.json"

    @property
    def jobs(self) -> Path:
        """Folder of notes on what each job asked for and used."""
        return self.study / "jobs"

    def pack(self, name: str) -> Path:
        """Table of the runs of the job ``name``."""
        return self.study / "packs" / f"{name}.parquet"

    @property
    def runs(self) -> Path:
        """The runs table."""
        return self.study / "runs.parquet"

    @property
    def probes(self) -> Path:
        """Table of what was read off the models of runs: shifts, gradients, receptive fields."""
        return self.study / "probes.parquet"

    @property
    def benchmarks(self) -> Path:
        """Table of times, memory and counts, measured alone on the machine."""
        return self.study / "benchmarks.parquet"

    @property
    def fits(self) -> Path:
        """File of laws, held-out predictions and verdicts."""
        return self.study / "fits.json"

    @property
    def claims(self) -> Path:
        """File of the verdicts on claims."""
        return self.study / "claims.json"

    @property
    def report(self) -> Path:
        """The page of the report."""
        return self.reports / self.name / "index.html"


def is_study_file(path: str | Path) -> bool:
    """Whether ``path`` is called as a study file is, and not as a table of runs."""
    return str(path).endswith(STUDY_ENDINGS)
