"""The commands that write pages and figures: ``scaling report | figures``, of a study or of any table of runs."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaling.cli import options
from scaling.cli.endings import end, say
from scaling.cli.option_groups import with_option_groups
from scaling.cli.options import DEFAULT_STUDY
from scaling.cli.progress_bar import progress_bar
from scaling.cli.table_commands import PANEL, called, one_line, opened, refuse_options
from scaling.laws.law_errors import InputError
from scaling.study.layout import is_study_file

if TYPE_CHECKING:
    import plotnine as p9

    from scaling.analysis.compare import JudgedTable


class Format(StrEnum):
    """What a figure is written as."""

    PDF = "pdf"
    SVG = "svg"
    PNG = "png"


DPI = 300
"""Dots per inch of a PNG (assumption): what journals usually ask for."""
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="of a table: the page to write (default: TABLE.html, here)")
]
Pdf = Annotated[bool, typer.Option("--pdf", help="also print the page to a PDF beside it, by an installed Chromium")]
Folder = Annotated[
    Path | None, typer.Option("--output", metavar="FOLDER", help="where the files go (default: TABLE-figures, here)")
]
FigureFormat = Annotated[Format, typer.Option("--format", help="what the files are")]


def report(
    context: typer.Context,
    path: options.TableOrStudy = DEFAULT_STUDY,
    columns: options.FamilyColumns = options.NO_COLUMNS,
    flop: options.FlopColumn = None,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 0,
    output: Output = None,
    pdf: Pdf = False,
    keep_going: options.KeepGoing = False,
) -> None:
    """Write the report of a study from what is there now, marked as partial if runs are missing; or of any table of runs.

    The page of a table is one file that needs nothing else: laws, figures, and the families compared.
    """
    if is_study_file(path):
        from scaling.jobs.owner import open_own
        from scaling.report.plan_table import print_claims
        from scaling.report.study_report import write_report

        refuse_options(context, path, allowed=("pdf",))
        study, layout = open_own(path, say)
        written = write_report(study, path, layout, say)
        if written.answer:
            print(written.answer)
        if written.claims:
            print_claims(written.claims)
        say(f"report: {written.page}")
        if pdf:
            _print(written.page)
        end(missing=written.partial, keep_going=keep_going)
        return
    with one_line():
        from scaling.report.first_screen import answer
        from scaling.report.table_figures import fits_of
        from scaling.report.table_report import write_table_report

        page = output or Path(f"{_stem(path)}.html")
        if page.suffix not in (".html", ".htm"):
            raise InputError(f"--output is {page}; it must be an .html file")
        judged, (n, d, y) = _judged(path, columns, flop, rows, seed)
        command = shlex.join(["scaling", *sys.argv[1:]])
        if said := answer(fits_of(judged)):
            print(said)
        say(f"report: {write_table_report(judged, page, n=n, d=d, y=y, command=command)}")
    if pdf:
        _print(page)


def figures(
    context: typer.Context,
    path: options.TableOrStudy = DEFAULT_STUDY,
    columns: options.FamilyColumns = options.NO_COLUMNS,
    flop: options.FlopColumn = None,
    rows: options.TableRows = options.ALL_ROWS,
    seed: options.Seed = 0,
    output: Folder = None,
    figure_format: FigureFormat = Format.PDF,
) -> None:
    """Write each figure of a report to a file of its own, for a paper: those of a study, or of any table of runs."""
    with one_line():
        folder = output or Path(f"{_stem(path)}-figures")
        if is_study_file(path):
            from scaling.report.study_report import study_figures

            refuse_options(context, path, allowed=("output", "figure_format"))
            drawn = study_figures(path, say)
        else:
            from scaling.report.table_figures import table_figures

            judged, (n, d, y) = _judged(path, columns, flop, rows, seed)
            drawn = {name: figure for name, _, figure in table_figures(judged, n=n, d=d, y=y)}
    _save(drawn, folder, figure_format)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (report, figures):
        app.command(rich_help_panel=PANEL)(with_option_groups(command))


def _judged(
    path: Path, columns: options.FamilyColumns, flop: str | None, rows: options.TableRows, seed: int
) -> tuple[JudgedTable, list[str]]:
    """The laws of a table's families, and its columns of N, D and the response. Raises InputError."""
    from scaling.analysis.compare import judge_table

    table, (n, d, y) = opened(path, rows.separator, {"--n": columns.n, "--d": columns.d, "--y": columns.y})
    with progress_bar(f"judging {called(path)}") as progress:
        judged = judge_table(
            table,
            family=columns.family,
            kind=columns.kind,
            n=n,
            d=d,
            y=y,
            seed_column=columns.seed_column,
            flop=flop,
            ceiling=options.ceiling_of(columns.ceiling),
            seed=seed,
            progress=progress,
            choice=rows.choice(),
        )
    return judged, [n, d, y]


def _print(page: Path) -> None:
    """Print a page to a PDF beside it; the page is whole without, so that a failure is told and does not end the command."""
    from scaling.report.print_page import CannotPrint, print_page

    try:
        say(f"report: {print_page(page)}")
    except CannotPrint as error:
        say(str(error))


def _save(drawn: dict[str, p9.ggplot], folder: Path, kind: Format) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        file = folder / f"{name}.{kind.value}"
        figure.save(file, format=kind.value, dpi=DPI, verbose=False, limitsize=False)
        say(str(file))


def _stem(path: Path) -> str:
    """A table's or a study's name without its endings."""
    return called(path).split(".")[0]
