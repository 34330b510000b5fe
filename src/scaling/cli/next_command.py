"""The command that says which runs to add: ``scaling next``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from scaling.cli.endings import BAD_INPUT, say
from scaling.cli.options import DEFAULT_STUDY, AsJson, StudyPath
from scaling.laws.design.asked import GOALS, Goal

if TYPE_CHECKING:
    from scaling.jobs.next_runs import Unit

GOAL_HELP = (
    "what to know better: exponents (alpha and beta), prediction (the loss at three times the largest N and D), "
    "contrast (differences of exponents between families), skill (predictions of larger N, larger D and both)"
)

MostMinutes = Annotated[
    float | None,
    typer.Option("--minutes", metavar="MINUTES", help="budget: minutes of one core or GPU (default: a quarter of the study's)"),
]
MostFlop = Annotated[float | None, typer.Option("--flop", metavar="FLOP", help="budget: FLOP")]
GpuHours = Annotated[float | None, typer.Option("--gpu-hours", metavar="HOURS", help="budget: hours of one GPU")]
GoalName = Annotated[str, typer.Option("--for", metavar="GOAL", help=GOAL_HELP)]


def next_(
    study_path: StudyPath = DEFAULT_STUDY,
    minutes: MostMinutes = None,
    flop: MostFlop = None,
    gpu_hours: GpuHours = None,
    goal: GoalName = "prediction",
    as_json: AsJson = False,
) -> None:
    """Say which runs to add to a study: those that make its laws most certain for their cost. Nothing is trained."""
    from scaling.jobs.next_runs import Budget, next_of

    given: dict[Unit, float | None] = {"minutes": minutes, "flop": flop, "gpu-hours": gpu_hours}
    said: dict[Unit, float] = {unit: amount for unit, amount in given.items() if amount is not None}
    chosen: Goal | None = next((one for one in GOALS if one == goal), None)
    if chosen is None:
        _refuse(f"--for is {goal!r}; allowed: {', '.join(GOALS)}")
    if len(said) > 1:
        _refuse(f"a budget is given twice, by {' and '.join(f'--{unit}' for unit in said)}; keep one")
    for unit, amount in said.items():
        if not 0 < amount < float("inf"):
            _refuse(f"--{unit} is {amount:g}; it must be positive and finite")
    budget = next((Budget(amount, unit) for unit, amount in said.items()), Budget())
    found = next_of(study_path, chosen, budget, say)
    if as_json:
        print(json.dumps(found.as_rows(), indent=1, allow_nan=False))
        for line in found.notes():
            say(line)
    else:
        from scaling.report.next_table import print_next

        print_next(found)


def _refuse(message: str) -> NoReturn:
    say(message)
    raise typer.Exit(BAD_INPUT)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("next")(next_)
