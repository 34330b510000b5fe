"""The command that looks at a machine before a study runs on it: ``scaling doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from scaling.cli.endings import MISSING_WORK


def doctor(output_json: Annotated[bool, typer.Option("--json", help="as JSON, to paste into an issue")] = False) -> None:
    """Check GPUs, machine, disk and cluster: what would stop a study here, and what mends it.

    Ends with 0 where each check passes or has nothing to look at, and with 1 where one fails.
    """
    from rich.console import Console

    from scaling.jobs.doctor.examine import examine
    from scaling.jobs.doctor.finding import FAIL
    from scaling.report.doctor_screen import screen, versions

    found = examine()
    if output_json:
        print(json.dumps({"versions": versions(), "checks": [asdict(check) for check in found]}, indent=1))
    else:
        Console(highlight=False).print(screen([asdict(check) for check in found]))
    if any(check.status == FAIL for check in found):
        raise typer.Exit(MISSING_WORK)


def add_to(app: typer.Typer) -> None:
    """Make ``doctor`` a command of ``app``."""
    app.command()(doctor)
