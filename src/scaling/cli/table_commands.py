"""The commands that fit laws to any table of runs: ``scaling fit | extrapolate | compare | forecast``; none imports torch.

Results go to standard output, as a page for people or with --json as JSON; everything else goes to standard error.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from scaling.cli import options
from scaling.cli.options import DEFAULT_STUDY
from scaling.laws.law_errors import InputError

if TYPE_CHECKING:
    import polars as pl

STUDY_ENDINGS = (".yaml", ".yml")
FIRST_LINE, NEXT_LINE = 2.0, 10.0
"""Seconds until a command says how far it is, and between two times."""


def fit(
    context: typer.Context,
    path: options.TableOrStudy = DEFAULT_STUDY,
    law: options.LawName = "chinchilla",
    n: options.SizeColumn = None,
    d: options.DataColumn = None,
    unique: options.UniqueColumn = None,
    x: options.OneColumn = None,
    y: options.Response = None,
    by: options.Groups = None,
    delta: options.Delta = "1e-3",
    drop_largest: options.DropLargest = 0,
    bootstrap: options.Bootstrap = 0,
    starts: options.Starts = 16,
    ceiling: options.Ceiling = None,
    seed: options.Seed = 42,
    as_json: options.AsJson = False,
    keep_going: options.KeepGoing = False,
) -> None:
    """Fit a law to a table, or to each group of it; given a study, fit the laws of the study to its runs.

    Every fit comes with its status, a certificate of the optimum, and intervals or the reason why there are none.
    """
    if path.name.endswith(STUDY_ENDINGS):
        _refuse_table_options(context, path)
        _fit_study(path, keep_going)
        return
    with _one_line():
        from scaling.laws.any_table.fit_table import fit_table, told_of_many
        from scaling.laws.any_table.pool import usable_cores

        (y,) = _required(path, {"--y": y})
        with _progress(f"fitting {path.name}") as progress:
            entries = fit_table(
                path,
                y=y,
                law=law,
                n=n,
                d=d,
                x=x,
                unique=unique,
                by=options.columns_of(by),
                delta=options.delta_of(delta),
                drop_largest=drop_largest,
                bootstrap=bootstrap,
                seed=seed,
                starts=starts,
                ceiling=options.ceiling_of(ceiling),
                workers=usable_cores(),
                progress=progress,
            )
        if told := told_of_many(entries):
            say(f"{path.name}: {told}")
    _show(entries, as_json, "print_fits")


def extrapolate(
    path: options.TablePath,
    n: options.SizeColumn = None,
    d: options.DataColumn = None,
    unique: options.UniqueColumn = None,
    x: options.OneColumn = None,
    y: options.Response = None,
    split: options.SplitColumn = None,
    by: options.Groups = None,
    estimator: options.Estimator = "auto",
    ceiling: options.Ceiling = None,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Fit the rows marked train, predict those marked test, and say how far off the predictions are."""
    with _one_line():
        from scaling.laws.any_table.extrapolate import extrapolate_table
        from scaling.laws.any_table.pool import usable_cores

        y, split = _required(path, {"--y": y, "--split": split})
        with _progress(f"extrapolating {path.name}") as progress:
            result = extrapolate_table(
                path,
                y=y,
                split=split,
                x=x,
                n=n,
                d=d,
                unique=unique,
                by=options.columns_of(by),
                estimator=estimator,
                ceiling=options.ceiling_of(ceiling),
                seed=seed,
                workers=usable_cores(),
                progress=progress,
            )
    _show(result, as_json, "print_extrapolation")


def compare(
    path: options.TablePath,
    family: options.FamilyColumn = None,
    kind: options.KindColumn = None,
    n: options.SizeColumn = None,
    d: options.DataColumn = None,
    y: options.Response = None,
    seed_column: options.SeedColumn = None,
    ceiling: options.Ceiling = None,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Say which families follow their law: how well each predicts its larger runs, its exponents, and every pair compared."""
    with _one_line():
        from scaling.analysis.compare import compare_table

        family, n, d, y = _required(path, {"--family": family, "--n": n, "--d": d, "--y": y})
        with _progress(f"comparing {path.name}") as progress:
            result = compare_table(
                path,
                family=family,
                kind=kind,
                n=n,
                d=d,
                y=y,
                seed_column=seed_column,
                ceiling=options.ceiling_of(ceiling),
                seed=seed,
                progress=progress,
            )
    _show(result, as_json, "print_comparison")


def forecast(
    path: options.TablePath,
    law: options.GridLawName = "chinchilla",
    n: options.SizeColumn = None,
    d: options.DataColumn = None,
    y: options.Response = None,
    at: options.Places = None,
    budget: options.Budgets = None,
    target: options.Targets = None,
    flop: options.FlopColumn = None,
    delta: options.Delta = "auto",
    drop_largest: options.DropLargest = 0,
    ceiling: options.Ceiling = None,
    seed: options.Seed = 42,
    as_json: options.AsJson = False,
) -> None:
    """Ask a fitted law: what loss at this N and D, what N and D for this budget, what budget for this loss."""
    with _one_line():
        from scaling.laws.any_table.forecast import forecast_table

        n, d, y = _required(path, {"--n": n, "--d": d, "--y": y})
        with _progress(f"fitting {path.name}"):
            result = forecast_table(
                path,
                n=n,
                d=d,
                y=y,
                law=law,
                ceiling=options.ceiling_of(ceiling),
                flop=flop,
                delta=options.delta_of(delta),
                drop_largest=drop_largest,
                at=[options.place_of(text) for text in at or ()],
                budgets=budget or (),
                targets=target or (),
                seed=seed,
            )
    _show(result, as_json, "print_forecast")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (fit, extrapolate, compare, forecast):
        app.command()(command)


def _fit_study(path: Path, keep_going: bool) -> None:
    """Fit the laws of a study to its runs as the store has them now, and judge the claims that it tests."""
    from scaling.analysis.own_study import fit_laws, judge_own_claims
    from scaling.jobs.collected import Collected
    from scaling.jobs.owner import open_own
    from scaling.runs.derived import write_json
    from scaling.runs.records import FAILED, MISSING

    study, layout = open_own(path, say)
    collected = Collected(study, layout, say)
    if collected.runs["status"].is_in([FAILED, MISSING]).all() and not keep_going:
        say(f"no run of {path} has a result yet: run `snakemake --cores all --config study={path}` first")
        raise typer.Exit(options.MISSING_WORK)
    benchmarks = collected.benchmarks()
    if benchmarks.lacking:
        say(f"{benchmarks.lacking}: run `scaling benchmark {path}` with the machine to itself, or Snakemake, first")
        raise typer.Exit(options.MISSING_WORK)
    origins = collected.verdicts(collected.write(), benchmarks)
    fits = fit_laws(study, collected.runs)
    write_json(fits, layout.fits, origins[layout.fits])
    claims = judge_own_claims(study, collected.runs, collected.measurements(benchmarks), fits)
    write_json(claims, layout.claims, origins[layout.claims])
    end(missing=has_holes(collected.runs), keep_going=keep_going)


def _refuse_table_options(context: typer.Context, path: Path) -> None:
    """A study says itself how its laws are fitted."""
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in (None, "path", "keep_going")
        and getattr(context.get_parameter_source(option.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        say(f"{path} is a study, which says itself what is fitted; {', '.join(given)} belong to a table (.csv, .parquet)")
        raise typer.Exit(2)


@contextmanager
def _one_line() -> Iterator[None]:
    """What a user did wrong, in a line, with exit code 2."""
    try:
        yield
    except InputError as error:
        say(str(error))
        raise typer.Exit(2) from error


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """How far it is, on standard error: a bar on a terminal, else a line after 2 s and every 10 s from then on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        with _lines(label) as report:
            yield report
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _lines(label: str) -> Iterator[Callable[[int, int], None]]:
    """The lines of ``_progress``, written by a thread of their own: one large group reports nothing until it is done."""
    clock, over = time.monotonic(), threading.Event()
    known = [0, 0]

    def write() -> None:
        wait = FIRST_LINE
        while not over.wait(wait):
            done, total = known
            spent = time.monotonic() - clock
            groups = f", {done} of {total} groups, about {spent * (total - done) / done:.0f} s left" if done else ""
            say(f"{label}: {spent:.0f} s{groups}")
            wait = NEXT_LINE

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield lambda done, total: known.__setitem__(slice(None), (done, total))
    finally:
        over.set()
        thread.join()


def _required(path: Path, options: dict[str, str | None]) -> list[str]:
    """The values of ``options``; raises InputError for those that are missing, with the columns to choose from."""
    from scaling.laws.any_table.read_table import column_names

    missing = [name for name, value in options.items() if value is None]
    if missing:
        held = ", ".join(column_names(path))
        raise InputError(f"{path}: {' and '.join(missing)} must name a column; it has {held}")
    return [value for value in options.values() if value is not None]


def _show(result: Any, as_json: bool, printer: str) -> None:
    if as_json:
        from scaling.analysis.fits_rows import plain

        print(json.dumps(plain(result), indent=1, allow_nan=False))
        return
    from scaling.report import terminal_laws

    getattr(terminal_laws, printer)(result)


def has_holes(runs: pl.DataFrame) -> bool:
    """Whether a cell of the runs table has no result."""
    from scaling.runs.records import FAILED, MISSING

    return bool(runs["status"].is_in([FAILED, MISSING]).any())


def end(*, missing: bool, keep_going: bool) -> None:
    """End a command whose own work is done: with exit code 1 where runs are missing, unless others are to ``keep_going``."""
    if missing and not keep_going:
        say("runs are missing: `scaling complete STUDY` names them")
        raise typer.Exit(options.MISSING_WORK)


def say(message: str) -> None:
    """Print a message for people, to standard error."""
    print(message, file=sys.stderr, flush=True)
