"""Writes a first study for given images, families and time: its grid is the largest of a stated kind that fits into the time.

What kinds there are says ``study/starter_grids.py``; what a grid costs is counted as ``scaling plan`` counts it. No torch,
unless a speed has to be measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from tempfile import NamedTemporaryFile
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from scaling.data import describe
from scaling.jobs.calibration import Calibration
from scaling.jobs.estimates import Estimates
from scaling.jobs.job_errors import JobError
from scaling.jobs.opening import open_study
from scaling.jobs.owner import Say, check_owner
from scaling.jobs.plan import known_speeds
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.models.outside import is_outside, own_place
from scaling.models.registry import FAMILIES
from scaling.runs.grid import cells
from scaling.study.family_settings import FamilySettings
from scaling.study.image_settings import Data
from scaling.study.in_range import moved_into_range, size_range
from scaling.study.layout import Layout
from scaling.study.outside_models import locate
from scaling.study.recipe import Anchors
from scaling.study.schema import Study
from scaling.study.spaced import rounded, spaced
from scaling.study.starter_grids import LEAST_D, SMALL, USUAL, Shape, down, growths, up
from scaling.study.starter_text import Starter, entry_of, name_from
from scaling.study.study_file import parse
from scaling.study.study_messages import suggest
from scaling.study.study_problems import StudyError

LEAST_N: Final = 5000
"""The smallest size of the default study."""
VALIDATION_SHARE: Final = 5
"""Of this many training images one is for validation, up to the usual number (assumption)."""


@dataclass(frozen=True)
class TimeBudget:
    """The time that a study may take: ``seconds`` of so many ``cores`` (or devices); what it trains on; the same in words."""

    seconds: float
    cores: int
    device: str
    words: str


@dataclass(frozen=True)
class Written:
    """A study that was written: what it says, its runs, the ``seconds`` that ``scaling plan`` gives it, and whether it is the
    largest for these images and families, however much time there is."""

    starter: Starter
    runs: int
    seconds: float
    whole: bool


def init_study(path: Path, data: Mapping[str, Any], families: list[str], budget: TimeBudget, say: Say) -> Written:
    """Write a study to ``path``, which must not exist.

    Args:
        path: where it is written.
        data: what it says under ``data``, validation left out.
        families: names of families, timm/NAME, or PATH.py:NAME.
        budget: the time that training it may take, tuning included.
        say: is told of what takes time.

    Raises:
        JobError: the file exists, an argument is wrong, or no grid fits.
        DataError, SizeError, DeviceError: the images cannot be used, a model cannot be built, the device is not there.
    """
    if path.exists() or path.is_symlink():
        raise JobError(f"{path} exists already and is not overwritten; name another file")
    if not path.parent.is_dir():
        raise JobError(f"{path}: there is no folder {path.parent}")
    found = _Finder(path, data, families, budget, say).find()
    with path.open("x", encoding="utf-8") as file:
        file.write(found.starter.text(path))
    return found


class _Finder:
    """Tries grids for one study."""

    def __init__(self, path: Path, data: Mapping[str, Any], families: list[str], budget: TimeBudget, say: Say) -> None:
        self.path, self.budget, self.say = path, budget, say
        self.layout = Layout(name_from(path))
        self.ladders = Ladders(self.layout.ladders)
        ranges = _architectures(families)
        facts = describe(_checked(data).settings())
        self.image = ImageSpec(facts.side, facts.channels, facts.classes)
        usual = Data.model_fields["validation"].default
        validation = min(usual, max(1, rounded(facts.train_images / VALIDATION_SHARE, 2)))
        self.images = down(facts.train_images - validation)
        self.data = {**data, "validation": validation}
        self.families = {name: of and _seen_from(path.parent, of) for name, of in map(entry_of, families)}
        spans = [size_range(made, self.ladders, self.image) for made in ranges]
        self.least_n = max(LEAST_N, up(median_low(least for least, _ in spans)))
        self.ratio = max(largest for _, largest in spans) / self.least_n
        self._speeds: Calibration | None = None
        self._known: dict[Shape, float] = {}

    def find(self) -> Written:
        """The largest grid that fits."""
        kinds = growths(self.images, self.image.classes, self.ratio)
        if not kinds:
            raise JobError(
                f"{self.images} training images, besides those for validation, are too few for {self.image.classes} classes; "
                f"allowed: at least {SMALL[-1] * self.image.classes}"
            )
        least = [kind.shape(kind.least, self.least_n) for kind in kinds]
        self._check(least[0])
        usual = (shape for shape in least if shape.params.count == USUAL[0])
        self._learn_speeds(next(usual, least[0]))
        allowed = self.budget.seconds * self.budget.cores
        fitting = [kind for kind, shape in zip(kinds, least, strict=True) if self._seconds(shape) <= allowed]
        if not fitting:
            minutes = math.ceil(self._seconds(least[0]) / self.budget.cores / 60)
            raise JobError(
                f"{self.budget.words} are too few: the smallest grid takes about {minutes} minutes here; "
                "allowed: more time, fewer families, or fewer pixels"
            )
        kind = fitting[-1]
        number = kind.largest(lambda number: self._seconds(kind.shape(number, self.least_n)) <= allowed)
        shape = kind.shape(number, self.least_n)
        study = self._study(shape)
        runs = sum(len(cells(study, family)) for family in study.families)
        whole = kind is kinds[-1] and number == kind.most
        return Written(self._starter(shape), runs, self._seconds(shape) / self.budget.cores, whole)

    def _check(self, shape: Shape) -> None:
        """Read a study as it will be written, with all checks; other grids differ in numbers that are known to be good."""
        starter = self._starter(shape)
        with NamedTemporaryFile("w", dir=self.path.parent, prefix=".", suffix=".yaml", encoding="utf-8") as file:
            file.write(starter.text(self.path))
            file.flush()
            try:
                study = open_study(Path(file.name), self.ladders)
            except StudyError as error:
                raise JobError("\n".join(str(replace(problem, line=None)) for problem in error.problems)) from error
        check_owner(study, self.path, self.layout, self.say, take=False)
        if starter.data_sizes[0] < LEAST_D:
            self.say(f"the smallest D is {starter.data_sizes[0]}: below {LEAST_D} images, losses are often off the law")

    def _learn_speeds(self, shape: Shape) -> None:
        """Read how fast the families are trained here, or measure it, at the sizes of ``shape``."""
        study = self._study(shape)
        self._speeds = known_speeds(study, self.layout, self.image)
        if self._speeds is None:
            from scaling.jobs.calibrate import measure_speed  # torch takes seconds to import

            self.say("measuring this machine's speed, once")
            measure_speed(study, self.layout, self.say)
            self._speeds = known_speeds(study, self.layout, self.image)

    def _starter(self, shape: Shape) -> Starter:
        images = shape.images
        return Starter(
            name=self.layout.name,
            data=self.data,
            families=self.families,
            shape=shape,
            data_sizes=tuple(spaced(images.first, images.last, images.count)),
            anchor_images=min(*Anchors.model_fields["images"].default, self.images),
            device=self.budget.device,
            budget=self.budget.words,
        )

    def _study(self, shape: Shape) -> Study:
        tree = YAML(typ="rt").load(self._starter(shape).text(self.path))
        locate(tree["families"], self.path.parent)
        study, problems = parse(tree)
        if study is None:
            raise JobError("\n".join(map(str, problems)))
        return moved_into_range(study, self.ladders, self.image)

    def _seconds(self, shape: Shape) -> float:
        """Seconds of one core for all runs and for tuning, as ``scaling plan`` counts them."""
        if shape not in self._known:
            study = self._study(shape)
            estimates = Estimates(study, self._speeds, self.ladders, self.image)
            runs = [cell for family in study.families for cell in cells(study, family)]
            seconds = [estimates.known_seconds(cell.family, cell.target, cell.images) for cell in runs]
            tuning = [estimates.tuning_core_seconds(family) or 0.0 for family in study.families]
            self._known[shape] = math.fsum([*seconds, *tuning])
        return self._known[shape]


def _architectures(families: list[str]) -> list[Architecture]:
    """What these words build. Raises JobError."""
    for word in families:
        if word not in FAMILIES and not is_outside(word):
            raise JobError(f"--families: received {word!r}{suggest(word, list(FAMILIES))}; or timm/NAME, or PATH.py:NAME")
    names = [entry_of(word)[0] for word in families]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JobError(f"--families: {', '.join(twice)} is named twice; keep one")
    try:
        return [FamilySettings.model_validate({"model": word}).architecture(word) for word in families]
    except ValidationError as error:
        raise JobError("\n".join(f"--families: {_said(item)}" for item in error.errors())) from error


def _checked(data: Mapping[str, Any]) -> Data:
    try:
        return Data.model_validate(data)
    except ValidationError as error:
        raise JobError("\n".join(f"--{item['loc'][0]}: {_said(item)}" for item in error.errors())) from error


def _said(item: ErrorDetails) -> str:
    message = item["msg"].removeprefix("Value error, ")
    return f"received {item['input']}; {message[0].lower()}{message[1:]}"


def _seen_from(folder: Path, model: str) -> str:
    """``model``, the path in it relative to ``folder``, in which the study lies."""
    place = own_place(model)
    return model if place is None else f"{os.path.relpath(place[0], folder)}:{place[1]}"
