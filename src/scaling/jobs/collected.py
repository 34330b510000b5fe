"""The tables of a study as its store has them now, and whether its files hold the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scaling.jobs.made_from import Origins
from scaling.jobs.owner import Say
from scaling.jobs.packing import packs_of
from scaling.runs.derived import Seal, WrongFile, read_seal, read_table, set_aside, write_table
from scaling.runs.resolve import gather, gather_probes
from scaling.study.layout import Layout
from scaling.study.schema import Study


@dataclass(frozen=True)
class Benchmarks:
    """The table of benchmarks with its seal, or the reason why there is none."""

    table: pl.DataFrame | None = None
    seal: Seal | None = None
    lacking: str = ""


class Collected:
    """The runs and probes of ``study`` from its store, and its benchmarks.

    ``unread`` holds the rows of the runs that lack a probe.
    """

    def __init__(self, study: Study, layout: Layout, warn: Say) -> None:
        self._study, self._layout, self._warn = study, layout, warn
        packs = packs_of(study, layout)
        self.origins = Origins(study, layout, packs)
        self.runs = gather(study, layout, packs.values(), warn)
        self.probes, self.unread = gather_probes(study, layout, self.runs)

    def held(self) -> tuple[Seal, Seal] | None:
        """The seals of the files of runs and probes if both hold exactly these tables, else None."""
        layout, found = self._layout, []
        for path, table, origin in (
            (layout.runs, self.runs, self.origins.runs),
            (layout.probes, self.probes, self.origins.probes),
        ):
            try:
                stored, seal = read_table(path, origin)
            except FileNotFoundError:
                continue
            except WrongFile as error:
                set_aside(path, error, self._warn)
                continue
            if seal.same_origin(origin) and stored.equals(table):
                found.append(seal)
        return (found[0], found[1]) if len(found) == 2 else None

    def write(self) -> tuple[Seal, Seal]:
        """Write the files of runs and probes, unless they hold these tables already; returns their seals. Raises OSError."""
        seals = self.held()
        if seals is None:
            probes = write_table(self.probes, self._layout.probes, self.origins.probes)
            seals = write_table(self.runs, self._layout.runs, self.origins.runs), probes
        return seals

    def verdicts(self, seals: tuple[Seal, Seal], benchmarks: Benchmarks) -> dict[Path, Seal]:
        """Path -> seal of the laws and claims that would be made from these tables; ``seals`` are those of runs and probes."""
        runs, probes = seals
        measured = (probes, *([benchmarks.seal] if benchmarks.seal else []))
        origins, layout = self.origins, self._layout
        return {layout.fits: origins.fits(runs), layout.claims: origins.claims(runs, *measured)}

    def stale(self) -> list[Path]:
        """The derived files that are missing, or were not made from these tables and the present settings and code.

        Runs and probes are named together, since one rule makes both; so are laws and claims.
        """
        layout, benchmarks = self._layout, self.benchmarks()
        seals = self.held()
        if seals is None:
            return [layout.runs, layout.probes]
        if benchmarks.lacking:
            return [layout.benchmarks]
        for path, origin in self.verdicts(seals, benchmarks).items():
            try:
                if read_seal(path, origin).same_origin(origin):
                    continue
            except FileNotFoundError:
                pass
            except WrongFile as error:
                set_aside(path, error, self._warn)
            return [layout.fits, layout.claims]
        return []

    def benchmarks(self) -> Benchmarks:
        """The benchmarks, if they were made as the study asks now."""
        if self._study.benchmarks is None:
            return Benchmarks()
        path, origin = self._layout.benchmarks, self.origins.benchmarks
        try:
            table, seal = read_table(path, origin)
        except FileNotFoundError:
            return Benchmarks(lacking=f"{path} is not there")
        except WrongFile as error:
            set_aside(path, error, self._warn)
            return Benchmarks(lacking=f"{path} was damaged or another study's")
        if not seal.same_origin(origin):
            return Benchmarks(lacking=f"{path} was made with other settings or other code than there are now")
        return Benchmarks(table, seal)

    def measurements(self, benchmarks: Benchmarks) -> pl.DataFrame:
        """Benchmarks and probes in one table (columns: ``MEASUREMENT_COLUMNS`` in ``runs/records.py``)."""
        return self.probes if benchmarks.table is None else pl.concat([benchmarks.table, self.probes])
