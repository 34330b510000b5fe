"""The commands that fit laws to any table of runs: ``scaling fit | extrapolate | compare | forecast``. None imports torch.

Results go to standard output, as a page for people or as JSON with --json; everything else goes to standard error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer

from scaling.cli import options
from scaling.cli.endings import BAD_INPUT, end, say
from scaling.cli.options import DEFAULT_STUDY
from scaling.cli.progress_bar import progress_bar
from scaling.laws.law_errors import InputError

STUDY_ENDINGS: Final = (".yaml", ".yml")


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
    """Fit a law to a table, or to each of its groups; for a study, fit its laws to its runs.

    Every fit comes with a status, a certificate of the optimum, and intervals or the reason why there are none.
    """
    if path.name.endswith(STUDY_ENDINGS):
        from scaling.jobs.fit_study import fit_study

        _refuse_table_options(context, path)
        all_there = fit_study(path, say, without_runs=keep_going)
        end(missing=not all_there, keep_going=keep_going)
        return
    with _one_line():
        from scaling.laws.any_table.fit_table import fit_table, told_of_many
        from scaling.laws.any_table.pool import usable_cores

        (y,) = _required(path, {"--y": y})
        with progress_bar(f"fitting {path.name}") as progress:
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
    """Fit the rows marked train, predict the rows marked test, and say how far off the predictions are."""
    with _one_line():
        from scaling.laws.any_table.extrapolate import extrapolate_table
        from scaling.laws.any_table.pool import usable_cores

        y, split = _required(path, {"--y": y, "--split": split})
        with progress_bar(f"extrapolating {path.name}") as progress:
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
    """Say which families follow their law: how well each predicts its larger runs, its exponents, and all pairs compared."""
    with _one_line():
        from scaling.analysis.compare import compare_table

        family, n, d, y = _required(path, {"--family": family, "--n": n, "--d": d, "--y": y})
        with progress_bar(f"comparing {path.name}") as progress:
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
    """Ask a fitted law: which loss at this N and D, which N and D for this budget, which budget for this loss."""
    with _one_line():
        from scaling.laws.any_table.forecast import forecast_table

        n, d, y = _required(path, {"--n": n, "--d": d, "--y": y})
        with progress_bar(f"fitting {path.name}"):
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


def _refuse_table_options(context: typer.Context, path: Path) -> None:
    """Refuse options of a table for a study, which says itself how its laws are fitted."""
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in (None, "path", "keep_going")
        and getattr(context.get_parameter_source(option.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        say(f"{path} is a study, which says itself what is fitted; only a table (.csv, .parquet) takes {', '.join(given)}")
        raise typer.Exit(BAD_INPUT)


@contextmanager
def _one_line() -> Iterator[None]:
    """Bad input ends the command with one line and exit code 2."""
    try:
        yield
    except InputError as error:
        say(str(error))
        raise typer.Exit(BAD_INPUT) from error


def _required(path: Path, options: dict[str, str | None]) -> list[str]:
    """The values of ``options``. Raises InputError if some are missing, with the columns to choose from."""
    from scaling.laws.any_table.read_table import column_names

    missing = [name for name, value in options.items() if value is None]
    if missing:
        held = ", ".join(column_names(path))
        raise InputError(f"{path}: {' and '.join(missing)} must name a column; it has {held}")
    return [value for value in options.values() if value is not None]


def _show(result: Any, as_json: bool, printer: str) -> None:
    if as_json:
        from scaling.analysis.fits_rows import jsonable

        print(json.dumps(jsonable(result), indent=1, allow_nan=False))
        return
    from scaling.report import terminal_laws

    getattr(terminal_laws, printer)(result)
