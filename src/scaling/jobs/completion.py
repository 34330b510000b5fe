"""The last look at a study: does every run have a result, and is every file made from what there is now?

It asks the study and the store: a table that was made before an edit of the study does not know of the edit. What is missing or
outdated is named, and its files are removed, so that the next call of Snakemake makes them again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from scaling.data import Look, prepared_path
from scaling.jobs.collected import Collected
from scaling.jobs.owner import open_own
from scaling.runs.derived import seal_path
from scaling.runs.records import without_result
from scaling.runs.resolve import read_tuning
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings, look_at_images


def complete_study(path: Path, say: Callable[[str], None]) -> bool:
    """Whether the study at ``path`` is complete; what is not is named through ``say`` and opened for the next call.

    Raises:
        StudyError: the study is not valid.
    """
    study, layout = open_own(path, say)
    images = look_at_images(study, layout)
    collected = Collected(study, layout, say)
    if images.changed:
        # Also where Snakemake was told to compare the times of files alone, or its notes are lost.
        prepared_path(data_settings(study), layout.data).unlink(missing_ok=True)
        say(f"{images.changed}; run again to prepare and train them")
    say(f"report: {layout.report}")
    holes = pl.concat([without_result(collected.runs), pl.DataFrame(collected.unread, schema=collected.runs.schema)])
    if not holes.is_empty():
        _open_again(study, layout, holes, images, say, runs=len(collected.runs))
        return False
    if outdated := collected.stale():
        for file in outdated:
            file.unlink(missing_ok=True)
            seal_path(file).unlink(missing_ok=True)
        say(f"{', '.join(map(str, outdated))}: not what the study, its store and the code give now; run again to make it anew")
        return False
    return True


def _open_again(
    study: Study, layout: Layout, holes: pl.DataFrame, images: Look, say: Callable[[str], None], *, runs: int
) -> None:
    """Name the ``holes`` among so many ``runs`` and remove the tables of their packs, and rates that are not of now."""
    say(f"{len(holes)} of {runs} runs have no result:")
    for row in holes.iter_rows(named=True):
        say(f"  {row['family']} N={row['target_params']} D={row['images']} seed={row['seed']}: {row['reason']}")
    for pack, family in holes.select("pack", "family").unique().iter_rows():
        layout.pack(pack).unlink(missing_ok=True)
        tuning = read_tuning(study, layout, family, images)
        if tuning is None or tuning.rule is None:  # of another recipe or other images, or failed
            layout.tuning(family).unlink(missing_ok=True)
    say(f"run again to train just these: jobs {', '.join(sorted(holes['pack'].unique()))}")
