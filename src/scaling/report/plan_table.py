"""A plan as a table on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scaling.jobs.plan import Plan
from scaling.report.figures.labels import significant
from scaling.report.size_notes import short, size_notes
from scaling.study.schema import Study


def print_plan(plan: Plan, study: Study, cores: int) -> None:
    """Print ``plan``: one row per family, then the sum and the time on ``cores`` cores."""
    table = Table(title=f"Plan of study {plan.study}", title_justify="left", caption_justify="left")
    table.add_column("family", no_wrap=True)
    for name in ("N", "width", "learning rate"):
        table.add_column(name)
    for name in ("cells", "stored", "new", "FLOP", "core time"):
        table.add_column(name, justify="right")
    for part in plan.families:
        rungs = part.rungs
        sizes = ", ".join(short(rung["params"]) for rung in rungs)
        widths = f"{rungs[0]['width']:.3g}-{rungs[-1]['width']:.3g}"
        new = part.cells - part.stored
        seconds = None if part.seconds is None or part.tuning_seconds is None else part.seconds + part.tuning_seconds
        table.add_row(
            part.family,
            sizes,
            widths,
            part.rate,
            str(part.cells),
            str(part.stored),
            str(new),
            f"{part.flop:.2g}",
            "unknown" if seconds is None else _minutes(seconds),
        )
    console = Console()
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
    candidates = f" and {plan.candidates} candidates of tuning" if plan.candidates else ""
    console.print(f"{plan.new} cells{candidates} to train, {plan.flop:.2g} FLOP, {time} with tuning")
    console.print(_jobs(plan, study))
    if study.benchmarks is not None and plan.benchmark_seconds != 0:
        alone = "unknown" if plan.benchmark_seconds is None else f"about {_minutes(plan.benchmark_seconds)}"
        console.print(f"benchmarks, alone on the machine: {alone}")
    if study.device not in ("auto", "cpu"):
        console.print("(the time is for one device at a time)")


def _jobs(plan: Plan, study: Study) -> Table:
    """One row per family: its training jobs, the longest job's time from its start, the largest job's memory."""
    at_a_time = f"{study.jobs.at_a_time} {'run' if study.jobs.at_a_time == 1 else 'runs'} at a time"
    tuning = f", {plan.tuning_jobs} of them for tuning" if plan.tuning_jobs else ""
    title = f"{plan.jobs} jobs{tuning}; training, {at_a_time}:"
    table = Table(title=title, title_justify="left")
    table.add_column("family", no_wrap=True)
    for name in ("jobs", "longest", "memory asked"):
        table.add_column(name, justify="right")
    for part in plan.families:
        longest = "unknown" if part.job_seconds is None else _minutes(part.job_seconds)
        table.add_row(part.family, str(part.packs), longest, f"{part.job_memory_mb / 1000:.3g} GB")
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
