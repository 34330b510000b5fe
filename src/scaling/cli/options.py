"""What the commands take: arguments and options with their help, and how those of several parts are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scaling.cli.endings import say
from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.forms.catalogue import NAMES
from scaling.laws.law_errors import InputError

CEILING_HELP = (
    "limit of the response, for the laws bounded and power-bounded and for auto: a number, such as the value by chance (for K "
    "classes an error rate of (K - 1) / K, a cross-entropy of ln K); classes, for that value with K from the column classes; "
    "or none"
)

DEFAULT_STUDY = Path("config.yaml")

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="a study file")]
FamilyName = Annotated[str, typer.Argument(metavar="FAMILY", help="an entry of the study's families")]
PackName = Annotated[str, typer.Argument(metavar="PACK", help="a job of the study, by name; a wrong name lists them")]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="end with 0 even if runs are missing, as Snakemake's rules do: `complete` names them"),
]

TablePath = Annotated[
    Path,
    typer.Argument(metavar="TABLE", help="a .csv, .tsv, .jsonl or .parquet file, one row per run, or - for standard input"),
]
TableOrStudy = Annotated[
    Path, typer.Argument(metavar="TABLE|STUDY", help="a .csv, .tsv, .jsonl or .parquet table, - , or a .yaml study")
]

LawName = Annotated[
    str,
    typer.Option("--law", metavar="NAME", help=f"{', '.join(NAMES)}, or auto: the one that predicts larger rows best"),
]
GridLawName = Annotated[str, typer.Option("--law", metavar="NAME", help="a law of N and D")]
SizeColumn = Annotated[str | None, typer.Option("--n", metavar="COL", help="column of N, the model's size")]
DataColumn = Annotated[str | None, typer.Option("--d", metavar="COL", help="column of D, the data's size")]
Response = Annotated[str | None, typer.Option("--y", metavar="COL", help="column of the response: a loss, an error rate")]
Groups = Annotated[list[str] | None, typer.Option("--by", metavar="COL,...", help="columns whose values make the groups")]
SplitColumn = Annotated[
    str | None,
    typer.Option("--split", metavar="COL", help="column that says train or test; other rows are left out and counted"),
]
FlopColumn = Annotated[str | None, typer.Option("--flop", metavar="COL", help="column of training compute, if it is not 6 N D")]
Estimator = Annotated[
    str,
    typer.Option("--estimator", metavar="NAME", help="auto (a stack of laws), m1, m2, m3, m4, bnsl, or the name of a law"),
]
Delta = Annotated[
    str,
    typer.Option(
        "--delta", metavar="VALUE|auto", help="Huber's delta, in log units; auto: 1.345 times the spread of the residuals"
    ),
]
DropLargest = Annotated[
    int,
    typer.Option(
        "--drop-largest", metavar="COUNT", help="rows with the largest response to leave out, in each group; they are listed"
    ),
]
Bootstrap = Annotated[
    int, typer.Option("--bootstrap", metavar="COUNT", help="pair resamples for errors and intervals; 0: profile likelihood")
]
Starts = Annotated[int, typer.Option("--starts", metavar="COUNT", help="random starts of the search")]
Places = Annotated[
    list[str] | None, typer.Option("--at", metavar="N,D", help="which response at this N and D? may be repeated")
]
Budgets = Annotated[
    list[float] | None, typer.Option("--budget", metavar="FLOP", help="which N and D for this compute? may be repeated")
]
Targets = Annotated[
    list[float] | None, typer.Option("--target", metavar="VALUE", help="which compute for this response? may be repeated")
]
Ceiling = Annotated[str | None, typer.Option("--ceiling", metavar="LIMIT", help=CEILING_HELP)]
Seed = Annotated[int, typer.Option("--seed", help="seed of random starts and resamples")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a page for people")]
AsLatex = Annotated[bool, typer.Option("--latex", help="print a table for a paper, in LaTeX")]


@dataclass(frozen=True)
class TableRows:
    """How a table is read, and which of its rows are used."""

    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="use only the rows for which this holds: family = 'vit' and params > 1000"),
    ] = None
    skip_invalid: Annotated[
        bool,
        typer.Option("--skip-invalid", help="leave out rows with values that cannot be used, and name them, instead of ending"),
    ] = False
    separator: Annotated[
        str | None, typer.Option(metavar="CHARACTER", help="what stands between the columns: a character, or tab, space")
    ] = None

    def choice(self) -> Choice:
        """Which rows are used; what is left out is said on standard error."""
        return Choice(self.where, self.skip_invalid, say)


@dataclass(frozen=True)
class Variables:
    """The columns of a law's variables and of its response."""

    n: SizeColumn = None
    d: DataColumn = None
    unique: Annotated[
        str | None,
        typer.Option(metavar="COL", help="column of U, the unique data; --d is then the data seen, repeats included"),
    ] = None
    rate: Annotated[
        str | None,
        typer.Option(metavar="COL", help="column of the learning rate (or batch size), where runs of one N and D had several"),
    ] = None
    x: Annotated[
        str | None,
        typer.Option("--x", metavar="COL", help="column of the variable of a law in one variable, instead of --n and --d"),
    ] = None
    y: Response = None


@dataclass(frozen=True)
class FamilyColumns:
    """The columns of a table of families, and the limit of its response."""

    family: Annotated[str | None, typer.Option(metavar="COL", help="column of the families' names")] = None
    kind: Annotated[str | None, typer.Option(metavar="COL", help="column of the families' kinds")] = None
    n: SizeColumn = None
    d: DataColumn = None
    y: Response = None
    seed_column: Annotated[
        str | None,
        typer.Option(metavar="COL", help="column of seeds: runs with the same seed and D share the noise of their data"),
    ] = None
    ceiling: Ceiling = None


ALL_ROWS = TableRows()
NO_VARIABLES = Variables()
NO_COLUMNS = FamilyColumns()


def columns_of(by: list[str] | None) -> list[str]:
    """Columns of --by, which may be repeated or hold commas."""
    return list(dict.fromkeys(name.strip() for part in by or () for name in part.split(",")))


def delta_of(text: str) -> float | None:
    """Huber's delta, or None for auto.

    Raises:
        InputError: for anything but auto or a number.
    """
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--delta is {text!r}; it must be a positive number or auto") from error


def ceiling_of(text: str | None) -> float | str | None:
    """The ceiling: None if nothing was said, infinite for none, a number, or classes.

    Raises:
        InputError: for anything else.
    """
    if text is None or text == "classes":
        return text
    if text == "none":
        return float("inf")
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"--ceiling is {text!r}; it must be none, a positive number or classes") from error
    if not 0 < value < float("inf"):
        raise InputError(f"--ceiling is {text}; it must be none, a positive number or classes")
    return value


def place_of(text: str) -> tuple[float, float]:
    """N and D of --at.

    Raises:
        InputError: for anything but two numbers.
    """
    try:
        size, data = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--at is {text!r}; it must be two numbers, N,D") from error
    return size, data
