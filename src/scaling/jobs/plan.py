"""What training a study would cost before it starts: runs new and stored, FLOP, time on this machine, jobs. No torch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaling.jobs.calibration import Calibration, CalibrationError, read_calibration, usable_calibration
from scaling.jobs.estimates import EVALUATION_SHARE, JOB_SECONDS, Estimates
from scaling.jobs.family_plan import FamilyPlan, Known, plan_family
from scaling.jobs.foreseen import Foreseen, LookedAt, foresee, unforeseen
from scaling.jobs.made_from import Origins
from scaling.jobs.packing import packs_of
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.derived import WrongFile, read_seal
from scaling.runs.grid import Pack
from scaling.runs.store import Store
from scaling.study.declared import BENCHMARKS
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec, look_at_images


@dataclass(frozen=True)
class Plan:
    """What running a study would do now."""

    study: str
    families: tuple[FamilyPlan, ...]
    benchmark_seconds: float | None = 0.0
    """seconds of the benchmarks, alone on the machine; None if not known"""
    own_sizes: tuple[str, ...] = ()
    """entries on which the grid's sizes have no effect: they have their own"""

    @property
    def new(self) -> int:
        """Runs that would be trained."""
        return sum(part.cells - part.stored for part in self.families)

    @property
    def stored(self) -> int:
        """Runs that have a result in the store."""
        return sum(part.stored for part in self.families)

    @property
    def tuning_jobs(self) -> int:
        """Jobs of tuning that have something to train; if all candidates are stored, the rate is read from them."""
        return sum(part.candidates > 0 for part in self.families)

    @property
    def candidates(self) -> int:
        """Runs that tuning has to make."""
        return sum(part.candidates for part in self.families)

    @property
    def flop(self) -> float:
        """FLOP of the new runs."""
        return sum(part.flop for part in self.families)

    @property
    def jobs(self) -> int:
        """Jobs of training, with or without new runs, and jobs of tuning that have something to train."""
        return sum(part.packs for part in self.families) + self.tuning_jobs

    @property
    def core_seconds(self) -> float | None:
        """Seconds of one core (or device) for new runs and tuning; None if a speed is unknown."""
        parts = [part.seconds for part in self.families] + [part.tuning_seconds for part in self.families]
        return None if any(part is None for part in parts) else math.fsum(part for part in parts if part is not None)


def known_speeds(study: Study, layout: Layout, image: ImageSpec) -> Calibration | None:
    """The calibration to plan by, or None.

    It is the study's own if it has the speed of every entry, else what this machine measured for itself.

    Args:
        study: its settings.
        layout: where this machine's own calibration lies.
        image: the shape of the images.
    """
    with suppress(CalibrationError):
        return usable_calibration(study, image)
    with suppress(CalibrationError):
        found = read_calibration(layout.speed)
        return found if found is not None and found.suits(study) and not found.lacking(study, image) else None
    return None


def make_plan(
    study: Study, layout: Layout, from_nothing: bool = False, warn: Callable[[str], None] = lambda message: None
) -> Plan:
    """The plan of ``study``; damaged records are left as they are.

    Args:
        study: its settings.
        layout: where its files lie.
        from_nothing: plan as if nothing were stored or tuned.
        warn: is told of damaged records.

    Raises:
        CalibrationError: jobs are sized in minutes, and the study's calibration does not say how long its runs take.
        ForeignRecord: a candidate of tuning was stored by a newer version of the program.
    """
    image, images = image_spec(study), look_at_images(study, layout)
    speeds, ladders = known_speeds(study, layout, image), Ladders(layout.ladders)
    estimates = Estimates(study, speeds, ladders, image)
    jobs: dict[str, list[Pack]] = {family: [] for family in study.families}
    for pack in packs_of(study, layout).values():
        jobs[pack.family].append(pack)
    store = LookedAt(Store(layout.store), warn)
    known = Known(study, estimates, frozenset() if from_nothing else _stored(layout.store), store)
    devices = [] if from_nothing else _devices(study, layout, speeds)

    def tuning(family: str) -> Foreseen:
        if from_nothing:
            return unforeseen(study, family)
        return foresee(study, layout, family, devices, ladders, image, images, warn)

    parts = [plan_family(known, family, jobs[family], tuning(family)) for family in study.families]
    timed = study.benchmarks is not None and (from_nothing or not _is_benchmarked(study, layout))
    seconds = benchmark_seconds(study, estimates) if timed else 0.0
    return Plan(study.name, tuple(parts), seconds, tuple(study.with_own_sizes()))


def _is_benchmarked(study: Study, layout: Layout) -> bool:
    """Whether there is a whole table of benchmarks that was made as the study asks now."""
    expected = Origins(study, layout, {}).benchmarks
    try:
        return read_seal(layout.benchmarks, expected).same_origin(expected)
    except (FileNotFoundError, WrongFile):
        return False


def _devices(study: Study, layout: Layout, speeds: Calibration | None) -> list[tuple[str, str]]:
    """(device class, precision) that the jobs may have: of the plan's calibration, and of this machine's own measurement."""
    own = None
    with suppress(CalibrationError):
        own = read_calibration(layout.speed)
    found = [(one.device, one.precision) for one in (speeds, own) if one is not None and one.suits(study)]
    return list(dict.fromkeys(found))


def _stored(store: Path) -> frozenset[str]:
    """Keys in the store that have a record."""
    try:
        with os.scandir(store) as entries:
            return frozenset(entry.name for entry in entries if os.path.exists(os.path.join(entry.path, "record.json")))
    except FileNotFoundError:
        return frozenset()


def benchmark_seconds(study: Study, estimates: Estimates) -> float | None:
    """Seconds of the rule `benchmarks`, which has the machine to itself; None if a speed is not known."""
    assert study.benchmarks is not None
    rounds, total = study.benchmarks.rounds, 0.0
    for name in study.benchmarks.names:
        if seconds := BENCHMARKS[name].get("seconds"):
            once, each = seconds
            total += once + rounds * each
            continue
        for family in study.benchmarked():
            for target in study.benchmarked_sizes(family):
                image = estimates.image_seconds(family, target)
                if image is None:
                    return None
                step = image * study.family_recipe(family).batch
                # A phase repeats its step three times, or for 40 ms; a prediction is a third of a training step.
                total += (rounds + 1) * sum(max(0.04, 3 * share * step) for share in (1.0, EVALUATION_SHARE))
    return JOB_SECONDS + total
