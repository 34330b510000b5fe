"""The command line: ``scaling plan | calibrate | prepare | report | status``, and all that is added from beside.

What a study's jobs run, ``scaling tune | train | collect | benchmark | complete``, is in ``job_commands.py``; what fits laws,
``scaling fit | extrapolate | compare | forecast``, in ``table_commands.py``; ``scaling store check`` in ``store_commands.py``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaling.cli import job_commands as cli_jobs
from scaling.cli import store_commands as cli_store
from scaling.cli import table_commands as cli_tables
from scaling.cli.options import DEFAULT_STUDY, EXIT_CODES, MISSING_WORK, KeepGoing, StudyPath
from scaling.cli.table_commands import end, say
from scaling.jobs.opening import open_study
from scaling.jobs.owner import open_own
from scaling.runs.store import ForeignRecord
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import StudyError, schema_text

if TYPE_CHECKING:
    from scaling.jobs.made_from import Origins

app = typer.Typer(
    help="Scaling-law studies of vision models.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

NO_SUCH_PLACE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""Errors of a path that a user gave, which no disk would take."""
LOOK_SECONDS = 2.0
"""Least time between two looks of `scaling status` (assumption)."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("scaling"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """Scaling-law studies of vision models."""


@app.command()
def plan(study_path: StudyPath = DEFAULT_STUDY, output_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What running a study would cost now: sizes, cells new and stored, FLOP, time on this machine."""
    from scaling.jobs.made_from import Origins
    from scaling.jobs.packing import packs_of
    from scaling.jobs.plan import known_speeds, make_plan
    from scaling.report.plan_table import print_plan
    from scaling.study.study_images import image_spec, look_at_images

    study, layout = open_own(study_path, say, take=False)
    changed = look_at_images(study, layout).changed
    if changed:
        say(f"{changed}; what is stored is of the images before")
    origins = Origins(study, layout, packs_of(study, layout))
    for _, error in origins.wrong():
        say(f"{error}; the next run makes it again")
    for line in _mixed(layout, origins):
        say(line)
    if known_speeds(study, layout, image_spec(study)) is None:
        say("measuring this machine's speed, once")
        _calibrate(study, layout, layout.speed, keep=False)
    found = make_plan(study, layout, warn=say)
    if output_json:
        counts = {"new": found.new, "stored": found.stored, "tuning_jobs": found.tuning_jobs, "candidates": found.candidates}
        sums = {"core_seconds": found.core_seconds, "jobs": found.jobs}
        print(json.dumps(asdict(found) | counts | sums, indent=1))
    else:
        print_plan(found, study, os.cpu_count() or 1)


def _mixed(layout: Layout, origins: Origins) -> list[str]:
    """In what the runs of the table that was collected last differ, beside their settings."""
    from scaling.runs.derived import WrongFile, read_table
    from scaling.runs.mixed import mixed

    try:
        return mixed(read_table(layout.runs, origins.runs)[0])
    except (FileNotFoundError, WrongFile):
        return []


@app.command()
def calibrate(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Measure how fast this machine trains the families of a study, into the file that its jobs.calibration names.

    What the file holds is kept, and what it lacks is added: jobs are sized by it. To measure anew, remove it.
    """
    study = open_study(study_path, calibrated=False)
    path = study.jobs.calibration
    _calibrate(study, Layout(study.name), path, keep=True)
    say(f"{path}: keep it for as long as the study is trained, its jobs are sized by it")


def _calibrate(study: Study, layout: Layout, path: Path, keep: bool) -> None:
    """Measure into ``path``; with ``keep`` a file of another machine is refused, else it is made anew."""
    from scaling.jobs.calibrate import calibrate as measure
    from scaling.jobs.calibration import CalibrationError, read_calibration, write_calibration
    from scaling.models.ladder import Ladders
    from scaling.study.study_images import image_spec
    from scaling.training.device import detect

    device = detect(study.device, study.precision)
    try:
        known = read_calibration(path)
    except CalibrationError:
        if keep:
            raise
        known = None
    here = (device.kind, device.precision, device.machine)
    if known is not None and (known.device, known.precision, known.machine) != here:
        if keep:
            raise CalibrationError(f"{path} is of {known}, this is {', '.join(here)}; name another file by jobs.calibration")
        known = None
    image = image_spec(study)
    write_calibration(measure(study, Ladders(layout.ladders), image, device, known, say), path)


@app.command()
def prepare(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Put the study's images into one file, checked and ready to be mapped into memory."""
    from scaling.data import prepare as prepare_data
    from scaling.study.study_images import data_settings

    study = open_study(study_path)
    say(f"images: {prepare_data(data_settings(study), Layout(study.name).data)}")


@app.command()
def report(study_path: StudyPath = DEFAULT_STUDY, keep_going: KeepGoing = False) -> None:
    """Write the report of a study from what is there now, marked as partial where cells are missing."""
    from scaling.report.plan_table import print_claims
    from scaling.report.study_report import write_report

    study, layout = open_own(study_path, say)
    written = write_report(study, study_path, layout, say)
    if written.claims:
        print_claims(written.claims)
    say(f"report: {written.page}")
    end(missing=written.partial, keep_going=keep_going)


@app.command()
def status(
    study_path: StudyPath = DEFAULT_STUDY,
    once: Annotated[bool, typer.Option("--once", help="print once and end, as where stdout is no terminal")] = False,
    output_json: Annotated[bool, typer.Option("--json", help="print once, as JSON")] = False,
) -> None:
    """What the cells of a study are doing now; jobs are not disturbed. Ends with Ctrl-C, or when all cells are done."""
    from rich.console import Console
    from rich.live import Live

    from scaling.jobs.status import Watcher
    from scaling.report.live_status import as_data, render

    watcher = Watcher(*open_own(study_path, say, take=False))
    console = Console(highlight=False)
    if output_json or once or not console.is_terminal:
        found = watcher.look()
        print(json.dumps(as_data(found), indent=1)) if output_json else console.print(render(found))
        if not found.ended:
            raise typer.Exit(MISSING_WORK)
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, screen=False, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            found = watcher.look()
            live.update(render(found, console.height), refresh=True)
            if found.ended:
                return
            time.sleep(max(LOOK_SECONDS, 5 * (time.monotonic() - began)))
    raise typer.Exit(MISSING_WORK)  # ended by Ctrl-C


@app.command()
def schema() -> None:
    """Print the JSON schema of a study file, for editors (kept in workflow/schemas)."""
    print(schema_text(), end="")


cli_jobs.add_to(app)
cli_tables.add_to(app)
cli_store.add_to(app)
for command in app.registered_commands:
    command.epilog = EXIT_CODES


def main() -> None:
    """Run the command line; what a user did wrong is said in a line, with exit code 2, what the disk refuses with 1."""
    from scaling.data import DataError
    from scaling.jobs.calibration import CalibrationError
    from scaling.models.ladder import SizeError
    from scaling.runs.fingerprint import CodeError
    from scaling.runs.resolve import DamagedTuning
    from scaling.training.device import DeviceError

    try:
        app(standalone_mode=True)
    except (StudyError, CodeError, CalibrationError, DataError, SizeError, DeviceError) as error:
        say(str(error))
        sys.exit(2)
    except (ForeignRecord, DamagedTuning) as error:
        say(str(error))
        sys.exit(1)
    except OSError as error:
        if not error.filename:
            raise
        # What a user named and is not there, or cannot be a file, is bad input; what the disk refuses is not.
        words, name = str(error.strerror), str(error.filename)
        say(words if name in words else f"{name if len(name) < 300 else name[:297] + '...'}: {words}")
        sys.exit(2 if error.errno in NO_SUCH_PLACE else 1)


if __name__ == "__main__":
    main()
