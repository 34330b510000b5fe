"""The command line: ``scaling plan | calibrate | prepare | status | schema``, and the commands of the files beside it.

Those that begin and run a study, ``scaling init | run``, are in ``run_commands.py``; those that its jobs run, ``scaling tune |
train | collect | benchmark | complete``, in ``job_commands.py``; those that fit laws, ``scaling fit | extrapolate | compare |
forecast``, in ``table_commands.py``; those that write pages and figures, ``scaling report | figures``, in
``report_commands.py``; ``scaling next`` is in ``next_command.py``, ``scaling store check`` in ``store_commands.py``, ``scaling
doctor`` in ``doctor_command.py``. A command reads its words, calls one function and prints what that returns.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Final

import typer

from scaling.cli import doctor_command as cli_doctor
from scaling.cli import job_commands as cli_jobs
from scaling.cli import next_command as cli_next
from scaling.cli import report_commands as cli_reports
from scaling.cli import run_commands as cli_runs
from scaling.cli import store_commands as cli_store
from scaling.cli import table_commands as cli_tables
from scaling.cli.endings import BAD_INPUT, EXIT_CODES, MISSING_WORK, say
from scaling.cli.options import DEFAULT_STUDY, AsJson, StudyPath
from scaling.cli.progress_bar import until_next_look
from scaling.cores import usable_cores
from scaling.jobs.job_errors import JobError, MissingWork, Stopped
from scaling.jobs.job_notes import EXIT_RESUMABLE
from scaling.jobs.opening import open_study
from scaling.jobs.owner import open_own
from scaling.runs.store import ForeignRecord
from scaling.study.layout import Layout
from scaling.study.study_file import schema_text
from scaling.study.study_problems import StudyError

app = typer.Typer(
    help="Scaling-law studies of vision models.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
cli_runs.add_to(app)  # listed first: a user begins with these

NO_SUCH_PLACE: Final = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""Errors of a path that a user gave, which no disk would take."""
TRAINING: Final = ("torch", "torchvision", "timm", "safetensors", "snakemake")
"""What the extra `training` of this package installs."""
ADD_TRAINING: Final = "`uv sync` adds it in a checkout, `pip install 'scaling[training]'` to an installed copy"


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
def plan(study_path: StudyPath = DEFAULT_STUDY, as_json: AsJson = False) -> None:
    """Say what running a study would cost now: sizes, runs new and stored, FLOP, time on this machine."""
    from scaling.jobs.plan_study import plan_study
    from scaling.report.plan_table import print_plan

    found, study = plan_study(study_path, say)
    if as_json:
        counts = {"new": found.new, "stored": found.stored, "tuning_jobs": found.tuning_jobs, "candidates": found.candidates}
        sums = {"core_seconds": found.core_seconds, "jobs": found.jobs}
        print(json.dumps(asdict(found) | counts | sums, indent=1))
    else:
        print_plan(found, study, usable_cores())


@app.command()
def calibrate(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Measure how fast this machine trains the families of a study, into the file that its jobs.calibration names.

    What the file holds is kept, and what it lacks is added: jobs are sized by it. To measure again, remove the file.
    """
    from scaling.jobs.calibrate import calibrate_into

    study = open_study(study_path, calibrated=False)
    path = study.jobs.calibration
    calibrate_into(path, study, Layout(study.name), say)
    say(f"{path}: keep it for as long as the study is trained, its jobs are sized by it")


@app.command()
def prepare(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Put the images of a study into one file, checked and ready to be mapped into memory."""
    from scaling.data import prepare as prepare_data
    from scaling.study.study_images import data_settings

    study = open_study(study_path)
    say(f"images: {prepare_data(data_settings(study), Layout(study.name).data)}")


@app.command()
def status(
    study_path: StudyPath = DEFAULT_STUDY,
    once: Annotated[bool, typer.Option("--once", help="print once and end, as when the output is no terminal")] = False,
    output_json: Annotated[bool, typer.Option("--json", help="print once, as JSON")] = False,
) -> None:
    """Show what the runs of a study are doing now; jobs are not disturbed. Ends with Ctrl-C, or when all runs are done."""
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
            time.sleep(until_next_look(began))
    raise typer.Exit(MISSING_WORK)  # ended by Ctrl-C


@app.command()
def schema() -> None:
    """Print the JSON schema of a study file, for editors (kept in workflow/schemas)."""
    print(schema_text(), end="")


cli_jobs.add_to(app)
cli_tables.add_to(app)
cli_reports.add_to(app)
cli_next.add_to(app)
cli_store.add_to(app)
cli_doctor.add_to(app)
for command in app.registered_commands:
    command.epilog = EXIT_CODES


def main() -> None:
    """Run the command line; every error that a user can cause is one line, with the exit code that EXIT_CODES gives it."""
    from scaling.data import DataError
    from scaling.jobs.calibration import CalibrationError
    from scaling.models.ladder import SizeError
    from scaling.runs.code_modules import CodeError
    from scaling.runs.resolve import DamagedTuning
    from scaling.training.device import DeviceError

    try:
        app(standalone_mode=True)
    except (StudyError, JobError, CodeError, CalibrationError, DataError, SizeError, DeviceError) as error:
        say(str(error))
        sys.exit(BAD_INPUT)
    except (MissingWork, ForeignRecord, DamagedTuning) as error:
        say(str(error))
        sys.exit(MISSING_WORK)
    except Stopped as error:
        say(str(error))
        sys.exit(EXIT_RESUMABLE)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in TRAINING:
            raise
        say(f"{error.name} is not installed, which studies need and tables do not; {ADD_TRAINING}")
        sys.exit(BAD_INPUT)
    except OSError as error:
        if not error.filename:
            raise
        # A path that a user gave and that no disk would take is bad input; what the disk refuses is not.
        words, name = str(error.strerror), str(error.filename)
        say(words if name in words else f"{name if len(name) < 300 else name[:297] + '...'}: {words}")
        sys.exit(BAD_INPUT if error.errno in NO_SUCH_PLACE else MISSING_WORK)


if __name__ == "__main__":
    main()
