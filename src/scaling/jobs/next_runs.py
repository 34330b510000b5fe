"""What to train next: the runs that narrow most what is asked of a study's laws, for a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from scaling.analysis.design_evidence import KnownLaw, known_laws
from scaling.analysis.usable_runs import cells_of
from scaling.data import describe
from scaling.jobs.calibration import Calibration
from scaling.jobs.candidate_runs import candidate_cells
from scaling.jobs.collected import Collected
from scaling.jobs.estimates import Estimates
from scaling.jobs.job_errors import JobError, MissingWork
from scaling.jobs.owner import open_own
from scaling.jobs.plan import known_speeds
from scaling.jobs.run_speeds import speeds_of_runs
from scaling.laws.design.asked import Goal, asked_of
from scaling.laws.design.narrowing import Narrowing
from scaling.laws.design.run_noise import Runs
from scaling.laws.design.spending import Aim, Block, in_order, spend, variances_of
from scaling.laws.forms.known_laws import chinchilla
from scaling.models.ladder import Ladders
from scaling.runs.grid import Cell, cells
from scaling.runs.records import without_result
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings, image_spec

BUDGET_SHARE: Final = 0.25
"""Share of the time of all runs of the study that is spent if nothing else is said (assumption)."""


Unit = Literal["minutes", "flop", "gpu-hours"]


@dataclass(frozen=True)
class Budget:
    """What may be spent; ``amount`` None takes ``BUDGET_SHARE`` of the time of the study's runs, in minutes.

    Minutes are of one core, or of one GPU.
    """

    amount: float | None = None
    unit: Unit = "minutes"


@dataclass(frozen=True)
class NextRow:
    """Runs of one family at one size and data size, which differ in their seeds.

    Attributes:
        family: an entry of the study; params: target N; images: D.
        seeds: of the runs.
        minutes: of one core or GPU, for all of them.
        gain: share of today's width by which they narrow the mean over families, per minute.
        width_before, width_after: of the 95 % interval of what is asked of the family, with the rows above trained, and with
            this one too.
    """

    family: str
    params: int
    images: int
    seeds: list[int]
    minutes: float
    gain: float
    width_before: float
    width_after: float


@dataclass(frozen=True)
class NextRuns:
    """An answer to "what to train next?".

    Attributes:
        goal: what was asked; unit: of the widths.
        rows: best first.
        widths: family -> width now and with all rows trained.
        minutes: of all rows together; budget: in minutes, or None where it was given in FLOP.
        unsure: family -> which of its law's parameters the runs do not determine.
        without: family -> why it has no law.
        missing: runs of the study without a result.
        continued: whether the study has lines of ``added`` already.
    """

    goal: Goal
    unit: str
    rows: list[NextRow]
    widths: dict[str, tuple[float, float]]
    minutes: float
    budget: float | None
    unsure: dict[str, str]
    without: dict[str, str]
    missing: int
    continued: bool

    def as_rows(self) -> list[dict[str, Any]]:
        """The rows as plain dicts."""
        return [asdict(row) for row in self.rows]

    def notes(self) -> list[str]:
        """What has to be known beside the rows, a sentence each."""
        lines = [f"{family} has no law: {reason}; it gets no rows" for family, reason in self.without.items()]
        lines += [f"{family}: {why}; its widths are rough" for family, why in self.unsure.items()]
        if self.missing:
            lines.append(f"{self.missing} runs of the study have no result yet; they are neither counted nor proposed")
        if self.widths and not self.rows:
            lines.append("no run narrows anything within this budget")
        return lines

    def pasted(self) -> str:
        """The rows in the words of the study file, as lines of its ``grid``; ``paste_where`` says in words where they go."""
        lines = [
            f"    - {{family: {row.family}, params: {row.params}, images: {row.images}, seeds: {row.seeds}}}"
            for row in self.rows
        ]
        return "\n".join(lines if self.continued else ["  added:", *lines])

    @property
    def paste_where(self) -> str:
        """Where the lines of ``pasted`` go in the study's file."""
        return "below the lines of `added:` that are there, under `grid:`" if self.continued else "under `grid:`"


def next_of(path: Path, goal: Goal, budget: Budget, say: Callable[[str], None]) -> NextRuns:
    """What to train next for the study at ``path``, whose results are left as they are.

    Raises:
        StudyError: the study is not valid.
        MissingWork: no family has enough runs for a law.
        JobError: the budget is in GPU hours and the speeds known are of another device.
    """
    study, layout = open_own(path, say, take=False)
    runs = Collected(study, layout, say).runs
    if len(without_result(runs)) == len(runs):
        raise MissingWork(f"no run of {path} has a result yet: run `snakemake --cores all --config study={path}` first")
    found = next_runs(study, layout, runs, goal, budget)
    if not found.widths:
        why = "; ".join(f"{family}: {reason}" for family, reason in found.without.items())
        raise MissingWork(f"no law can be fitted to the runs of {path} yet: {why}")
    return found


def next_runs(study: Study, layout: Layout, runs: pl.DataFrame, goal: Goal, budget: Budget) -> NextRuns:
    """What to train next, given the runs that a study has; without ``widths`` where no family has a law.

    Args:
        study, layout: its settings and paths.
        runs: its runs table.
        goal: what is asked of the laws of the loss; budget: what may be spent.

    Raises:
        JobError: the budget is in GPU hours and the speeds known are of another device.
    """
    image, ladders = image_spec(study), Ladders(layout.ladders)
    speeds = known_speeds(study, layout, image) or speeds_of_runs(study, runs, image)
    if budget.unit == "gpu-hours":
        _require_gpu(speeds)
    estimates = Estimates(study, speeds, ladders, image)
    families = [cells_of(runs, name, "loss") for name in study.with_laws() if name in set(runs["family"])]
    laws, without = known_laws(families, chinchilla(), seed=study.laws.seed, goal=goal)
    missing, continued = len(without_result(runs)), bool(study.grid.added)
    unsure = {law.cells.family: law.unsure for law in laws if law.unsure}
    unit = ""
    members, candidates, lots, minutes, costs = [], [], [], [], []
    for law in laws:
        asked = asked_of(law.found, goal)
        unit = asked.unit
        own = candidate_cells(study, law.cells.family, ladders, image, _most_images(study))
        members.append(own)
        candidates.append(_as_runs(study, own, estimates))
        lots.append(Narrowing(law.found, law.noise, law.runs, candidates[-1], asked))
        minutes.append(np.array([estimates.known_seconds(law.cells.family, c.target, c.images) / 60 for c in own]))
        costs.append(np.array([_flop(study, c, estimates) for c in own]) if budget.unit == "flop" else minutes[-1])
    if not laws:
        return NextRuns(goal, unit, [], {}, 0.0, None, unsure, without, missing, continued)
    aim = Aim(lots, paired=goal == "contrast")
    limit = _limit(study, laws, estimates, budget)
    choices = spend(lots, costs, limit, aim)
    places: dict[tuple[int, int, int], list[int]] = {}
    for family, candidate in choices:
        cell = members[family][candidate]
        places.setdefault((family, cell.target, cell.images), []).append(candidate)
    blocks = [Block(family, tuple(chosen), float(minutes[family][chosen].sum())) for (family, _, _), chosen in places.items()]
    told = in_order(lots, blocks, aim)
    rows = [_row(members[one.block.family], one.block, one.gain, one.before, one.after) for one in told]
    ended = [lot.copy() for lot in lots]
    for family, candidate in choices:
        ended[family].take(candidate)
    after = aim.widths(variances_of(ended))
    widths = {law.cells.family: (float(aim.start[i]), float(after[i])) for i, law in enumerate(laws)}
    spent = sum(row.minutes for row in rows)
    return NextRuns(
        goal, unit, rows, widths, spent, None if budget.unit == "flop" else limit, unsure, without, missing, continued
    )


def _row(members: list[Cell], block: Block, gain: float, before: float, after: float) -> NextRow:
    cell = members[block.candidates[0]]
    seeds = sorted(members[candidate].seed for candidate in block.candidates)
    return NextRow(cell.family, cell.target, cell.images, seeds, block.cost, gain, before, after)


def _as_runs(study: Study, members: list[Cell], estimates: Estimates) -> Runs:
    """The cells as a design sees them, with the N that the ladder reaches."""
    reached = {
        target: estimates.ladders.rung(study.architecture(family), target, estimates.image).params
        for family, target in {(cell.family, cell.target) for cell in members}
    }
    logs = np.log(np.array([[reached[cell.target], cell.images] for cell in members], float).reshape(-1, 2))
    return Runs(logs, np.array([cell.seed for cell in members], float))


def _flop(study: Study, cell: Cell, estimates: Estimates) -> float:
    seen = study.family_recipe(cell.family).length(cell.images)
    forward = estimates.flop(cell.family, cell.target)
    return forward * (3.0 * seen + estimates.backbone_passes(cell.family))


def _limit(study: Study, laws: list[KnownLaw], estimates: Estimates, budget: Budget) -> float:
    """The budget, in FLOP or in minutes."""
    if budget.amount is not None:
        return budget.amount * (60.0 if budget.unit == "gpu-hours" else 1.0)
    members = [cell for law in laws for cell in cells(study, law.cells.family)]
    return BUDGET_SHARE * sum(estimates.known_seconds(cell.family, cell.target, cell.images) for cell in members) / 60


def _most_images(study: Study) -> int | None:
    """The images that there are to train on; None where the source does not say."""
    images = describe(data_settings(study)).train_images
    return None if images is None else images - study.data.validation


def _require_gpu(speeds: Calibration | None) -> None:
    if speeds is None or speeds.device != "cuda":
        known = "no speed is known" if speeds is None else f"the speeds known are of {speeds}"
        raise JobError(f"--gpu-hours: {known}; name a calibration of a GPU by jobs.calibration, or give --minutes or --flop")
