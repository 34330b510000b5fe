"""How commands speak to people, and how they end: a line on standard error and one of four exit codes."""

from __future__ import annotations

import sys
from typing import Final

import typer

MISSING_WORK: Final = 1
"""Exit code of a command that did what it was asked, and found or left runs of the study without a result."""
BAD_INPUT: Final = 2
"""Exit code of a command whose input is wrong: an option, a study, its images, a table."""

EXIT_CODES: Final = (
    "Exit codes: 0 all is there (`plan`: the plan is made); 1 work is missing or failed; 2 the input is bad: an option, a "
    "study, its images, a table; 75 stopped, to be continued by the same command."
)


def say(message: str) -> None:
    """Print a message for people, to standard error."""
    print(message, file=sys.stderr, flush=True)


def end(*, missing: bool, keep_going: bool) -> None:
    """End a command whose own work is done: with exit code 1 if runs are ``missing``, unless others are to ``keep_going``."""
    if missing and not keep_going:
        say("runs are missing: `scaling complete STUDY` names them")
        raise typer.Exit(MISSING_WORK)
