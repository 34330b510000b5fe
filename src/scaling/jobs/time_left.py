"""How long a study that is being trained will still take, from one look at it to the next. No torch."""

from __future__ import annotations

from typing import Final

from scaling.jobs.estimates import Estimates
from scaling.jobs.status import RUNNING, STOPPED, UNTUNED, WAITING, CellStatus, PackStatus, StudyStatus

LEAST_SHARE: Final = 0.05
"""Share of the work that must be done before its pace says how long the rest takes (assumption)."""


class TimeLeft:
    """Tells the seconds until the last run ends, collecting, fitting and the report left out.

    Work is counted in the seconds that ``estimates`` expects of each run, or in FLOP where a speed is not known. The rest goes
    on at the pace of what was done since the first look; before that can be told, the estimate itself is divided by ``cores``
    (None: unknown, as on a cluster).
    """

    def __init__(self, estimates: Estimates, cores: int | None) -> None:
        self._estimates, self._cores = estimates, cores
        self._at_first: tuple[float, float] | None = None

    def seconds(self, status: StudyStatus, now: float) -> float | None:
        """Seconds left at the time ``now`` (seconds of a clock that never goes back); None if they cannot be told yet."""
        left = self._work_left(status)
        if self._at_first is None:
            self._at_first = (now, left)
        began, at_first = self._at_first
        done = at_first - left
        if now > began and done > LEAST_SHARE * at_first:
            return (now - began) * left / done
        return left / self._cores if self._estimates.timed and self._cores else None

    def _work_left(self, status: StudyStatus) -> float:
        cells = [cell for pack in status.packs for cell in pack.cells]
        untuned = {cell.family for cell in cells if cell.reason == UNTUNED}
        at_it = {job.family: job for job in status.tuning}
        left = sum(self._run(cell) * share_left(cell) for cell in cells)
        return left + sum(self._tuning(family, at_it.get(family)) for family in untuned)

    def _run(self, cell: CellStatus) -> float:
        """The work of a run."""
        estimates = self._estimates
        if estimates.timed:
            return estimates.known_seconds(cell.family, cell.target, cell.images)
        seen = estimates.study.family_recipe(cell.family).length(cell.images)
        return 3.0 * estimates.flop(cell.family, cell.target) * seen

    def _tuning(self, family: str, job: PackStatus | None) -> float:
        """What is left of the work of tuning ``family``, whose runs of now are those of ``job``; more candidates, which an
        optimum at the edge adds, are not foreseen."""
        recipe = self._estimates.study.family_recipe(family)
        if not recipe.is_tuned:
            return 0.0
        anchors = recipe.anchors
        begun = list(job.cells) if job else []
        left = 0.0
        for target, images in anchors.places:
            work = self._run(CellStatus(family, target, images, anchors.seed))
            here = [share_left(cell) for cell in begun if (cell.target, cell.images) == (target, images)]
            left += work * (sum(here) + max(0, len(anchors.rates) - len(here)))
        return left


def share_left(cell: CellStatus) -> float:
    """The share of a run that this call has still to train; a run that failed is not tried again."""
    if cell.state not in (WAITING, RUNNING, STOPPED):
        return 0.0
    progress = cell.progress
    return 1.0 if progress is None or not progress.steps else 1 - progress.step / progress.steps
