"""The commands that begin and run a study anywhere: ``scaling init | run``."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scaling.cli.endings import BAD_INPUT, MISSING_WORK, say
from scaling.cli.options import StudyPath, columns_of
from scaling.cli.progress_bar import until_next_look
from scaling.cores import usable_cores
from scaling.jobs.job_errors import JobError, Stopped

LAST_LINES: Final = 20
"""Lines of Snakemake's that are shown if it fails before the last rule (assumption: they hold one error)."""

JUDGED_LEVELS: Final = 4
"""Sizes and data sizes from which on laws can be judged: with three, none can be held out and three be left."""

NewStudy = Annotated[Path, typer.Argument(metavar="STUDY", help="the study file to write; it must not exist")]
Families = Annotated[
    list[str], typer.Option("--families", metavar="NAME,...", help="what is compared: families, timm/NAME, PATH.py:NAME")
]
TrainingMinutes = Annotated[
    float | None,
    typer.Option("--minutes", metavar="MINUTES", min=0, help="time that it may take on this machine, tuning included"),
]
GpuHours = Annotated[
    float | None,
    typer.Option("--gpu-hours", metavar="HOURS", min=0, help="instead of minutes: hours of one GPU like this machine's"),
]
Source = Annotated[str | None, typer.Option("--source", metavar="NAME", help="where the images come from (docs/images.md)")]
Folder = Annotated[
    str | None, typer.Option("--folder", metavar="FOLDER", help="folder of images, in folders by class or with --labels")
]
Labels = Annotated[str | None, typer.Option("--labels", metavar="TABLE", help="table of the images' names and labels")]
Files = Annotated[str | None, typer.Option("--files", metavar="GLOB", help="Parquet files with images")]
Shards = Annotated[str | None, typer.Option("--shards", metavar="GLOB", help="WebDataset's tar shards")]
Side = Annotated[int | None, typer.Option("--side", metavar="PIXELS", help="side length to which decoded images are scaled")]
Channels = Annotated[int | None, typer.Option("--channels", metavar="1|3", help="of decoded images: 3 for colour, 1 for grey")]
AllCores = Annotated[str, typer.Option("--cores", metavar="COUNT|all", help="cores of this machine to use")]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="slurm, to train on a cluster as slurm/config.yaml says; or another profile"
    ),
]
More = Annotated[list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="options of Snakemake, such as -- --dry-run")]


def init(
    study_path: NewStudy,
    families: Families,
    minutes: TrainingMinutes = None,
    gpu_hours: GpuHours = None,
    source: Source = None,
    folder: Folder = None,
    labels: Labels = None,
    files: Files = None,
    shards: Shards = None,
    side: Side = None,
    channels: Channels = None,
) -> None:
    """Write a study for your images and families: the largest grid that fits into the time that it may take."""
    from scaling.jobs.init_study import TimeBudget, init_study

    if (minutes is None) == (gpu_hours is None):
        raise JobError("give --minutes or --gpu-hours, one of them")
    cores = usable_cores()
    if minutes is not None:
        budget = TimeBudget(60 * minutes, cores, "auto", f"{minutes:g} minutes")
    else:
        assert gpu_hours is not None
        budget = TimeBudget(3600 * gpu_hours, 1, "cuda", f"{gpu_hours:g} GPU hours")
    given = {"folder": folder, "labels": labels, "files": files, "shards": shards, "side": side, "channels": channels}
    data = {"source": source or _source_of(given)} | {key: value for key, value in given.items() if value is not None}
    written = init_study(study_path, data, columns_of(families), budget, say)
    shape, spent = written.starter.shape, written.seconds / 60
    sizes = f"N {shape.params.first:,} to {shape.params.last:,}, D {shape.images.first:,} to {shape.images.last:,}"
    say(f"{study_path}: {written.runs} runs, {sizes}; about {spent:.0f} minutes with tuning, of the {budget.words} given")
    if min(shape.params.count, shape.images.count) < JUDGED_LEVELS:
        say("three sizes and three D give laws, but too few runs to judge them by prediction: more time gives a fourth of each")
    if written.whole:
        say("this is the largest grid that `scaling init` writes for these images; more seeds would use more time")
    say(f"next: scaling run {study_path}")


def _source_of(given: dict[str, Any]) -> str:
    """The source for what was given: decoded images in their layouts, else the images in the package."""
    from scaling.data import DEFAULT_SOURCE

    kinds = {"folder": "image-folder", "labels": "image-folder", "files": "parquet", "shards": "webdataset"}
    return next((kind for key, kind in kinds.items() if given[key] is not None), DEFAULT_SOURCE)


def run(study_path: StudyPath, more: More = None, cores: AllCores = "all", profile: Profile = None) -> None:
    """Train a study, fit its laws and write its report: Snakemake, with the workflow of this package, in this folder.

    On a terminal it shows one display of families, runs done, lowest loss and time left; elsewhere, Snakemake's lines.
    """
    from scaling.jobs.driver import bring_profile, snakemake_command, started
    from scaling.jobs.owner import open_own

    study, layout = open_own(study_path, say, take=False)
    command = snakemake_command(study_path, cores, profile, more or ())
    if profile is not None:
        bring_profile(profile, say)
    if more or not sys.stdout.isatty():
        with started(command) as driver:
            driver.wait()
    else:
        log = layout.study / "logs" / "run.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.time()
        with log.open("wb") as output, started(command, output) as driver:
            local = profile is None
            count = usable_cores() if cores == "all" else int(cores)
            _show(driver, study, layout, count if local else None)
        _tell_end(driver.code, layout, log, began)
    if driver.code and driver.stopped:
        raise Stopped("stopped; the same command continues")
    if driver.code:
        raise typer.Exit(BAD_INPUT if driver.code == BAD_INPUT else MISSING_WORK)


def _show(driver: Any, study: Any, layout: Any, cores: int | None) -> None:
    """The display, until Snakemake ends."""
    from rich.console import Console
    from rich.live import Live

    from scaling.data import DataError
    from scaling.jobs.estimates import Estimates
    from scaling.jobs.plan import known_speeds
    from scaling.jobs.status import Watcher
    from scaling.jobs.time_left import TimeLeft
    from scaling.models.ladder import Ladders
    from scaling.report.live_run import render_run
    from scaling.study.study_images import image_spec

    watcher, image = Watcher(study, layout), image_spec(study)
    clock = TimeLeft(Estimates(study, known_speeds(study, layout, image), Ladders(layout.ladders), image), cores)
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        ended = False
        while not ended:
            began = time.monotonic()
            with suppress(OSError, DataError):  # a file in the middle of a change: the next look sees it
                status = watcher.look()
                live.update(render_run(status, clock.seconds(status, began)), refresh=True)
            ended = driver.wait(until_next_look(began))
        with suppress(OSError, DataError):
            live.update(render_run(watcher.look(), None, over=True), refresh=True)


def _tell_end(code: int | None, layout: Any, log: Path, began: float) -> None:
    """What the last rule said of the study; if it was not reached, the last lines of Snakemake."""
    last = layout.study / "logs" / "complete.log"
    with suppress(OSError):
        if last.stat().st_mtime >= began - 1:
            say(last.read_text(encoding="utf-8", errors="replace").rstrip())
            return
    if code:
        say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]))
        say(f"Snakemake's whole output: {log}")
    else:
        say(f"report: {layout.report}")


def add_to(app: typer.Typer) -> None:
    """Make these functions commands of ``app``."""
    for command in (init, run):
        app.command()(command)
