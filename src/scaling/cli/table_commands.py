"""The commands that fit laws to any table of runs: ``scaling fit | extrapolate | compare | forecast``. None imports torch.

Results go to standard output, as a page for people or as JSON with --json; everything else goes to standard error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer

from scaling.cli import options
from scaling.cli.endings import BAD_INPUT, end, say
from scaling.cli.option_groups import with_option_groups
from scaling.cli.options import DEFAULT_STUDY
from scaling.cli.progress_bar import progress_bar
from scaling.cores import usable_cores
from scaling.laws.any_table.table_file import STANDARD_INPUT, TableFile, open_table
from scaling.laws.law_errors import InputError
from scaling.study.layout import is_study_file

PANEL: Final = "Laws and pages, of a study or of any table of runs"
"""What the list of commands calls these and those of ``report_commands.py``."""
FORECAST_OF_STUDY: Final = (
    "law",
    "y",
    "at",
    "budget",
    "target",
    "delta",
    "drop_largest",
    "ceiling",
    "where",
    "seed",
    "as_json",
)
"""Parameters of ``scaling forecast`` that a study takes too."""


def fit(
    context: typer.Context,
    path: options.TableOrStudy = DEFAULT_STUDY,
    law: options.LawName = "chinchilla",
    variables: options.Variables = options.NO_VARIABLES,
    by: options.Groups = None,
    delta: options.Delta = "1e-3",
    drop_largest: options.DropLargest = 0,
    bootstrap: options.Bootstrap = 0,
    starts: options.Starts = 16,
    ceiling: options.Ceiling = None,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 42,
    as_json: options.AsJson = False,
    latex: options.AsLatex = False,
    keep_going: options.KeepGoing = False,
) -> None:
    """Fit a law to a table, or to each of its groups; for a study, fit its laws to its runs.

    Every fit comes with a status, a certificate of the optimum, and intervals or the reason why there are none.
    """
    if is_study_file(path):
        from scaling.jobs.fit_study import fit_study

        refuse_options(context, path)
        all_there = fit_study(path, say, without_runs=keep_going)
        end(missing=not all_there, keep_going=keep_going)
        return
    with one_line():
        from scaling.laws.any_table.fit_table import fit_table, told_of_many

        table, (y,) = opened(path, rows.separator, {"--y": variables.y})
        with progress_bar(f"fitting {called(path)}") as progress:
            entries = fit_table(
                table,
                y=y,
                law=law,
                n=variables.n,
                d=variables.d,
                x=variables.x,
                unique=variables.unique,
                rate=variables.rate,
                by=options.columns_of(by),
                delta=options.delta_of(delta),
                drop_largest=drop_largest,
                bootstrap=bootstrap,
                seed=seed,
                starts=starts,
                ceiling=options.ceiling_of(ceiling),
                workers=usable_cores(),
                progress=progress,
                choice=rows.choice(),
            )
        if told := told_of_many(entries):
            say(f"{called(path)}: {told}")
    _show(entries, as_json, "terminal_laws.print_fits", "latex_of_fits" if latex else None)


def extrapolate(
    path: options.TablePath,
    variables: options.Variables = options.NO_VARIABLES,
    split: options.SplitColumn = None,
    by: options.Groups = None,
    estimator: options.Estimator = "auto",
    ceiling: options.Ceiling = None,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Fit the rows marked train, predict the rows marked test, and say how far off the predictions are."""
    with one_line():
        from scaling.laws.any_table.extrapolate import extrapolate_table

        table, (y, split) = opened(path, rows.separator, {"--y": variables.y, "--split": split})
        with progress_bar(f"extrapolating {called(path)}") as progress:
            result = extrapolate_table(
                table,
                y=y,
                split=split,
                n=variables.n,
                d=variables.d,
                x=variables.x,
                unique=variables.unique,
                rate=variables.rate,
                by=options.columns_of(by),
                estimator=estimator,
                ceiling=options.ceiling_of(ceiling),
                seed=seed,
                workers=usable_cores(),
                progress=progress,
                choice=rows.choice(),
            )
    _show(result, as_json, "terminal_forecast.print_extrapolation")


def compare(
    path: options.TablePath,
    columns: options.FamilyColumns = options.NO_COLUMNS,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
    latex: options.AsLatex = False,
) -> None:
    """Say which families follow their law: skill on larger runs, exponents, and a comparison of all pairs."""
    with one_line():
        from scaling.analysis.compare import compare_table

        needed = {"--family": columns.family, "--n": columns.n, "--d": columns.d, "--y": columns.y}
        table, (family, n, d, y) = opened(path, rows.separator, needed)
        with progress_bar(f"comparing {called(path)}") as progress:
            result = compare_table(
                table,
                family=family,
                kind=columns.kind,
                n=n,
                d=d,
                y=y,
                seed_column=columns.seed_column,
                ceiling=options.ceiling_of(columns.ceiling),
                seed=seed,
                progress=progress,
                choice=rows.choice(),
            )
    _show(result, as_json, "terminal_laws.print_comparison", "latex_of_comparison" if latex else None)


def forecast(
    context: typer.Context,
    path: options.TableOrStudy,
    law: options.GridLawName = "chinchilla",
    n: options.SizeColumn = None,
    d: options.DataColumn = None,
    y: options.Response = None,
    at: options.Places = None,
    budget: options.Budgets = None,
    target: options.Targets = None,
    by: options.Groups = None,
    flop: options.FlopColumn = None,
    delta: options.Delta = "auto",
    drop_largest: options.DropLargest = 0,
    ceiling: options.Ceiling = None,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 42,
    as_json: options.AsJson = False,
) -> None:
    """Ask a fitted law: which loss at this N and D, which N and D for this budget, which budget for this loss.

    Of a study, each family is asked, from the runs that the store holds now.
    """
    with one_line():
        from scaling.laws.any_table.forecast import forecast_groups

        if is_study_file(path):
            from scaling.jobs.study_runs import own_runs

            refuse_options(context, path, allowed=FORECAST_OF_STUDY)
            table = open_table(own_runs(path, say), name=str(path))
            n, d, y, flop, by = "params", "images", y or "loss", "flop", ["family"]
        else:
            table, (n, d, y) = opened(path, rows.separator, {"--n": n, "--d": d, "--y": y})
        with progress_bar(f"fitting {called(path)}") as progress:
            entries = forecast_groups(
                table,
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
                by=options.columns_of(by),
                seed=seed,
                progress=progress,
                choice=rows.choice(),
            )
        for warning in entries[0]["warnings"]:
            say(f"{called(path)}: {warning}")
    _show(entries if by else entries[0], as_json, "terminal_forecast.print_forecast")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (fit, extrapolate, compare, forecast):
        app.command(rich_help_panel=PANEL)(with_option_groups(command))


def refuse_options(context: typer.Context, path: Path, allowed: Sequence[str] = ()) -> None:
    """Refuse options of a table for a study, which says itself what they say; parameters called ``allowed`` are taken."""
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in (None, "path", "keep_going", *allowed)
        and getattr(context.get_parameter_source(option.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        say(f"{path} is a study, which says itself what is fitted; only a table (.csv, .parquet) takes {', '.join(given)}")
        raise typer.Exit(BAD_INPUT)


@contextmanager
def one_line() -> Iterator[None]:
    """Bad input ends the command with one line and exit code 2."""
    try:
        yield
    except InputError as error:
        say(str(error))
        raise typer.Exit(BAD_INPUT) from error


def opened(path: Path, separator: str | None, options: dict[str, str | None]) -> tuple[TableFile, list[str]]:
    """The table, and the values of ``options``. Raises InputError if some are missing, with the columns to choose from."""
    table = open_table(path, separator)
    missing = [name for name, value in options.items() if value is None]
    if missing:
        held = ", ".join(table.columns)
        raise InputError(f"{table.name}: {' and '.join(missing)} must name a column; it has {held}")
    return table, [value for value in options.values() if value is not None]


def called(path: Path) -> str:
    """What messages call a table."""
    return "standard input" if str(path) == STANDARD_INPUT else path.name


def _show(result: Any, as_json: bool, printer: str, latex: str | None = None) -> None:
    """Print a result as JSON, as LaTeX by the function of that name, or as a page for people by ``printer``."""
    if as_json and latex:
        say("--json and --latex exclude each other")
        raise typer.Exit(BAD_INPUT)
    if latex:
        from scaling.report import latex_table

        print(getattr(latex_table, latex)(result))
        return
    if as_json:
        from scaling.analysis.fits_rows import jsonable

        print(json.dumps(jsonable(result), indent=1, allow_nan=False))
        return
    module, function = printer.split(".")
    getattr(import_module(f"scaling.report.{module}"), function)(result)
