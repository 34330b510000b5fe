"""A plan as a table on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scaling.jobs.plan import Plan
from scaling.report.figures.labels import power, significant
from scaling.report.size_notes import short, size_notes
from scaling.study.schema import Study


def print_plan(plan: Plan, study: Study, cores: int) -> None:
    """Print ``plan``: one row per family, then the sum and the time on ``cores`` cores."""
    table = _table(("family", "N", "learning rate"), ("runs", "new", "FLOP", "core time"))
    for part in plan.families:
        seconds = None if part.seconds is None or part.tuning_seconds is None else part.seconds + part.tuning_seconds
        table.add_row(
            part.family,
            " ".join(short(rung["params"]) for rung in part.rungs),
            part.rate,
            str(part.cells),
            str(part.cells - part.stored),
            power(part.flop) if part.flop else "0",
            "unknown" if seconds is None else _minutes(seconds),
        )
    console = Console(highlight=False)
    console.print(f"Plan of study {plan.study}", style="bold", markup=False)
    console.print(table)
    for part in plan.families:
        for rung in part.rungs:
            if rung["note"]:
                console.print(f"{part.family}: {rung['note']}")
    for line in size_notes(study):
        console.print(line)
    for part in plan.families:
        if part.backbones:
            new = part.backbones - part.backbones_stored
            console.print(f"{part.family}: {part.backbones} backbones to start from, {new} of them to be pre-trained")
    total = plan.core_seconds
    time = "unknown until calibrated" if total is None else f"about {_minutes(total / cores)} on {cores} cores"
    candidates = f" and {plan.candidates} tuning runs" if plan.candidates else ""
    console.print(f"{plan.new} runs{candidates} to train, {power(plan.flop) if plan.flop else 0} FLOP, {time} with tuning")
    console.print(_jobs_headline(plan, study), style="bold")
    console.print(_jobs(plan))
    if study.benchmarks is not None and plan.benchmark_seconds != 0:
        alone = "unknown" if plan.benchmark_seconds is None else f"about {_minutes(plan.benchmark_seconds)}"
        console.print(f"benchmarks, alone on the machine: {alone}")
    if study.device not in ("auto", "cpu"):
        console.print("(the time is for one device at a time)")


def _jobs_headline(plan: Plan, study: Study) -> str:
    at_a_time = f"{study.jobs.at_a_time} {'run' if study.jobs.at_a_time == 1 else 'runs'} at a time"
    tuning = f", {plan.tuning_jobs} of them for tuning" if plan.tuning_jobs else ""
    return f"{plan.jobs} jobs{tuning}; training, {at_a_time}:"


def _jobs(plan: Plan) -> Table:
    """One row per family: its training jobs, the longest job's time from its start, the largest job's memory."""
    table = _table(("family",), ("jobs", "longest", "memory requested"))
    for part in plan.families:
        longest = "unknown" if part.job_seconds is None else _minutes(part.job_seconds)
        table.add_row(part.family, str(part.packs), longest, f"{part.job_memory_mb / 1000:.3g} GB")
    return table


def _table(words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    """An empty table that needs little width: 80 columns have to do."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in words:
        table.add_column(name, no_wrap=name != "N", overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_claims(claims: list[dict[str, Any]]) -> None:
    """Print the verdicts on ``claims`` (entries of claims.json): a sentence per claim, a row per part with an effect."""
    console = Console(highlight=False)
    for claim in claims:
        mark = " (primary)" if claim["primary"] else ""
        console.print(Text(f"{claim['number']}. {claim['title']}{mark}: {claim['sentence']}", style="bold"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column("part", ratio=1)
        for _ in ("effect", "95 % interval", "p"):
            table.add_column(justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for part in claim["parts"]:
            if part["effect"] is None:
                continue
            p = part["p"] if part["p_adjusted"] is None else part["p_adjusted"]
            ends = (part["low"], part["high"])
            table.add_row(
                Text(f"   {part['name']}" + ("" if part["decides"] else " (not deciding)")),
                Text(f"{significant(part['effect'])} {part['unit'] if part['unit'] == '%' else ''}"),
                "" if None in ends else f"{significant(ends[0])} to {significant(ends[1])}",
                "" if p is None else f"p {significant(p, 2)}",
                part["verdict"],
            )
        if table.row_count:
            console.print(table)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
