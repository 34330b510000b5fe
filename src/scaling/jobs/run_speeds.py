"""How fast the machine of a study's runs trains, read off the runs themselves: a calibration where none was measured."""

from __future__ import annotations

from statistics import median

import polars as pl

from scaling.jobs.calibration import Calibration, Line, Speed, speed_name
from scaling.jobs.estimates import CELL_SECONDS, EVALUATION_SHARE, evaluation_images
from scaling.models.family import ImageSpec
from scaling.runs.records import DONE
from scaling.study.schema import Study


def speeds_of_runs(study: Study, runs: pl.DataFrame, image: ImageSpec) -> Calibration | None:
    """Seconds per image of each entry from the smallest and the largest of its models that are done.

    The entries without such runs are left out; None where no run has a time.

    Args:
        study: its settings.
        runs: its runs table; image: the shape of its images.
    """
    timed = runs.filter((pl.col("status") == DONE) & (pl.col("seconds") > 0))
    if timed.is_empty():
        return None
    speeds = {}
    for family in study.families:
        own, recipe = timed.filter(pl.col("family") == family), study.family_recipe(family)
        if own.is_empty():
            continue
        evaluated = EVALUATION_SHARE * evaluation_images(recipe, study.data.validation)
        points = []
        forward = own["flop_forward"].to_list()
        for flop in {min(forward), max(forward)}:
            took = [
                max(row["seconds"] - CELL_SECONDS, 0.5 * row["seconds"]) / (row["images_seen"] + evaluated)
                for row in own.filter(pl.col("flop_forward") == flop).iter_rows(named=True)
            ]
            points.append((float(flop), median(took)))
        speeds[speed_name(study.architecture(family), image, recipe.batch)] = Speed(Line.through(points))
    device, precision, machine = timed.select("device", "precision", "machine").row(0)
    return Calibration(str(device), str(precision), str(machine), speeds)
