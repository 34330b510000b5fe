"""Planning as `scaling plan` does it: what is wrong is said first, and a machine whose speed is not known is measured once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scaling.jobs.made_from import Origins
from scaling.jobs.owner import open_own
from scaling.jobs.packing import packs_of
from scaling.jobs.plan import Plan, known_speeds, make_plan
from scaling.runs.derived import WrongFile, read_table
from scaling.runs.mixed import mixed
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec, look_at_images


def plan_study(path: Path, say: Callable[[str], None]) -> tuple[Plan, Study]:
    """The plan of the study at ``path``, and the study; nothing of its results is changed.

    Raises:
        StudyError: the study is not valid.
        DeviceError: the device that it asks for is not there to be measured.
        ForeignRecord: a candidate of tuning was stored by a newer version of the program.
    """
    study, layout = open_own(path, say, take=False)
    changed = look_at_images(study, layout).changed
    if changed:
        say(f"{changed}; the stored results are of the images before")
    origins = Origins(study, layout, packs_of(study, layout))
    for _, error in origins.wrong():
        say(f"{error}; the next run makes it again")
    for line in _mixed(layout, origins):
        say(line)
    if known_speeds(study, layout, image_spec(study)) is None:
        from scaling.jobs.calibrate import measure_speed  # torch takes seconds to import

        say("measuring this machine's speed, once")
        measure_speed(study, layout, say)
    return make_plan(study, layout, warn=say), study


def _mixed(layout: Layout, origins: Origins) -> list[str]:
    """In what the runs of the table that was collected last differ, apart from their settings."""
    try:
        return mixed(read_table(layout.runs, origins.runs)[0])
    except (FileNotFoundError, WrongFile):
        return []
