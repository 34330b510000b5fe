"""A calibration: how fast one machine trains each family and how much memory that takes, measured once and kept in a file.

The file belongs to the user: only ``scaling calibrate`` writes it, and all else reads it. Jobs are sized by it, so it must stay
the same for as long as a study is trained. No torch.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from scaling.files import write_atomic
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.study.schema import Study

VERSION: Final = 1


class CalibrationError(ValueError):
    """A calibration that cannot be used; the message names the file and what to do."""


@dataclass(frozen=True)
class Line:
    """A quantity of a model as ``overhead + slope x flop``: small models spend their time in calls, not in arithmetic.

    ``flop`` is the FLOP of one image's forward pass.
    """

    overhead: float
    slope: float

    def at(self, flop: float) -> float:
        """The quantity of a model of ``flop`` FLOP; never negative."""
        return max(0.0, self.overhead + self.slope * flop)

    @classmethod
    def through(cls, points: list[tuple[float, float]]) -> Line:
        """The line through (flop, value) of the smallest and largest model; level for a single model, or if it would fall."""
        (low, less), (high, more) = min(points), max(points)
        slope = max(0.0, (more - less) / (high - low)) if high > low else 0.0
        return cls(max(0.0, less - slope * low), slope)


@dataclass(frozen=True)
class Speed:
    """A family on a machine: seconds to train on one image, and bytes that a step or an evaluation needs at its peak beyond
    the program's own memory (None if that could not be measured)."""

    seconds: Line
    memory: Line | None = None


@dataclass(frozen=True)
class Calibration:
    """What was measured on one machine: device class, precision, name of the hardware, and ``speed_name`` -> speed."""

    device: str
    precision: str
    machine: str
    speeds: dict[str, Speed] = field(default_factory=dict)

    def speed(self, study: Study, family: str, image: ImageSpec) -> Speed | None:
        """The speed of an entry of ``study``; None if it was not measured."""
        return self.speeds.get(speed_name(study.architecture(family), image, study.family_recipe(family).batch))

    def lacking(self, study: Study, image: ImageSpec) -> list[str]:
        """The entries of ``study`` whose speed was not measured."""
        return [family for family in study.families if self.speed(study, family, image) is None]

    def suits(self, study: Study) -> bool:
        """Whether it was measured with the device and precision that ``study`` asks for; ``auto`` takes any."""
        return study.device in ("auto", self.device) and study.precision in ("auto", self.precision)

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}, {self.machine}"


def speed_name(architecture: Architecture, image: ImageSpec, batch: int) -> str:
    """Names what a speed is valid for: an architecture, a shape of images, a batch."""
    return f"{architecture} {image.side}x{image.side}x{image.channels} batch {batch}"


def read_calibration(path: Path) -> Calibration | None:
    """The calibration at ``path``, or None if there is no file.

    Raises:
        CalibrationError: the file is damaged or of another version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        body: dict[str, Any] = json.loads(content)
        if body["version"] != VERSION:
            raise CalibrationError(
                f"{path}: a calibration of version {body['version']}, this program reads {VERSION}; make it again"
            )
        speeds = {
            name: Speed(Line(**found["seconds"]), Line(**found["memory"]) if found["memory"] else None)
            for name, found in body["paces"].items()
        }
        return Calibration(body["device"], body["precision"], body["machine"], speeds)
    except CalibrationError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CalibrationError(f"{path}: not a calibration ({type(error).__name__}: {error}); remove it") from error


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write ``calibration`` to ``path``, atomically."""
    body = {"version": VERSION} | asdict(calibration)
    body["paces"] = body.pop("speeds")  # the file keeps the name that older files have
    write_atomic(path, (json.dumps(body, indent=1) + "\n").encode())


def usable_calibration(study: Study, image: ImageSpec, study_path: Path | None = None) -> Calibration:
    """The calibration that ``study`` names, with the speed of every entry.

    Args:
        study: its settings.
        image: the shape of its images.
        study_path: its file, for the command that a message names.

    Raises:
        CalibrationError: there is none, or it was measured for another device; the message names the command to run.
    """
    path = study.jobs.calibration
    command = f"`{shlex.join(['scaling', 'calibrate', str(study_path or 'STUDY')])}`"
    found = read_calibration(path)
    if found is None:
        raise CalibrationError(f"{path} is not there: run {command} on a machine like those that will train")
    if not found.suits(study):
        raise CalibrationError(
            f"{path} is of {found}, the study asks for device: {study.device}, precision: {study.precision}; "
            f"name another file by jobs.calibration and run {command} on such a machine"
        )
    lacking = found.lacking(study, image)
    if lacking:
        raise CalibrationError(f"{path} says nothing of {', '.join(lacking)}: run {command}, which adds what is not there")
    return found
