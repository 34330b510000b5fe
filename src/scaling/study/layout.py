"""Where things lie: the paths below ``results/`` and ``reports/`` of one study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESULTS: Final = Path("results")
REPORTS: Final = Path("reports")

RESERVED: Final = ("store", "data", "cache", "sample")
"""Names that no study may have: what all studies share lies under them below ``results/``, the sample below ``reports/``."""

LONGEST_NAME: Final = 100
"""Characters of a name that becomes a folder's or a file's; file systems allow 255 bytes, and a file's own words are added."""


@dataclass(frozen=True)
class Layout:
    """The paths of the study ``name``; store, data and caches are shared by all studies."""

    name: str
    results: Path = RESULTS
    reports: Path = REPORTS

    @property
    def study(self) -> Path:
        """Everything that belongs to this study alone."""
        return self.results / self.name

    @property
    def owner(self) -> Path:
        """Path of the study file that the results of this name belong to."""
        return self.study / "study-file"

    @property
    def data(self) -> Path:
        """Prepared images."""
        return self.results / "data"

    @property
    def store(self) -> Path:
        """Records of cells, by key."""
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
        """What each job asked for and used."""
        return self.study / "jobs"

    def pack(self, name: str) -> Path:
        """Table of the cells of one job."""
        return self.study / "packs" / f"{name}.parquet"

    @property
    def runs(self) -> Path:
        """The runs table."""
        return self.study / "runs.parquet"

    @property
    def probes(self) -> Path:
        """What was read off the models of cells: shifts, gradients, receptive fields."""
        return self.study / "probes.parquet"

    @property
    def benchmarks(self) -> Path:
        """Times, memory and counts, measured alone on the machine."""
        return self.study / "benchmarks.parquet"

    @property
    def fits(self) -> Path:
        """Laws, held-out predictions and verdicts."""
        return self.study / "fits.json"

    @property
    def claims(self) -> Path:
        """Verdicts on what the text asserts."""
        return self.study / "claims.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.reports / self.name / "index.html"
