"""The tables of a study as its store has them now, kept in step with the files that hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scaling.jobs.made_from import Origins
from scaling.jobs.packing import packs_of
from scaling.runs.derived import Seal, WrongFile, read_seal, read_table, set_aside, write_table
from scaling.runs.resolve import gather, gather_readings
from scaling.study.layout import Layout
from scaling.study.schema import Study

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Timings:
    """The table of what was timed, with its seal; or why there is none."""

    table: pl.DataFrame | None = None
    seal: Seal | None = None
    lacking: str = ""


class Collected:
    """The runs and readings of ``study`` from its store, and what was timed for it.

    ``unread`` are the rows of runs of which a reading is missing.
    """

    def __init__(self, study: Study, layout: Layout, warn: Warn) -> None:
        self._study, self._layout, self._warn = study, layout, warn
        packs = packs_of(study, layout)
        self.origins = Origins(study, layout, packs)
        self.runs = gather(study, layout, packs.values(), warn)
        self.readings, self.unread = gather_readings(study, layout, self.runs)

    def held(self) -> tuple[Seal, Seal] | None:
        """The seals of the files of runs and readings where both hold these tables, no more and no less."""
        layout, found = self._layout, []
        for path, table, origin in (
            (layout.runs, self.runs, self.origins.runs),
            (layout.readings, self.readings, self.origins.readings),
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
        """Write the files of runs and readings, unless they hold these tables already."""
        seals = self.held()
        if seals is None:
            readings = write_table(self.readings, self._layout.readings, self.origins.readings)
            seals = write_table(self.runs, self._layout.runs, self.origins.runs), readings
        return seals

    def verdicts(self, seals: tuple[Seal, Seal], timings: Timings) -> dict[Path, Seal]:
        """The seals of laws and claims that are made from these tables now; ``seals`` are those of runs and readings."""
        runs, readings = seals
        measured = (readings, *([timings.seal] if timings.seal else []))
        origins, layout = self.origins, self._layout
        return {layout.fits: origins.fits(runs), layout.claims: origins.claims(runs, *measured)}

    def stale(self) -> list[Path]:
        """The derived files that are not there, or not made from these tables, the settings and the code of now.

        Runs and readings are named together, as one rule makes both; so are laws and claims.
        """
        layout, timings = self._layout, self.timings()
        seals = self.held()
        if seals is None:
            return [layout.runs, layout.readings]
        if timings.lacking:
            return [layout.measures]
        for path, origin in self.verdicts(seals, timings).items():
            try:
                if read_seal(path, origin).same_origin(origin):
                    continue
            except FileNotFoundError:
                pass
            except WrongFile as error:
                set_aside(path, error, self._warn)
            return [layout.fits, layout.claims]
        return []

    def timings(self) -> Timings:
        """What was timed as the study asks now."""
        if self._study.timings is None:
            return Timings()
        path, origin = self._layout.measures, self.origins.measures
        try:
            table, seal = read_table(path, origin)
        except FileNotFoundError:
            return Timings(lacking=f"{path} is not there")
        except WrongFile as error:
            set_aside(path, error, self._warn)
            return Timings(lacking=f"{path} was damaged or another study's")
        if not seal.same_origin(origin):
            return Timings(lacking=f"{path} was made with other settings or other code than there are now")
        return Timings(table, seal)

    def measures(self, timings: Timings) -> pl.DataFrame:
        """What was timed and what was read off models, in one table."""
        return self.readings if timings.table is None else pl.concat([timings.table, self.readings])
