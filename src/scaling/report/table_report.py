"""The report of any table of runs: one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from scaling.analysis.compare import JudgedTable
from scaling.analysis.misfit import MISFIT_MARGIN
from scaling.files import write_atomic
from scaling.report import report_tables as tables
from scaling.report.figures.figure_data import packed_csv
from scaling.report.first_screen import answer
from scaling.report.inline_svg import inline_svg
from scaling.report.page import page_environment, unbroken, verbatim
from scaling.report.table_figures import fits_of, runs_of, table_figures


def write_table_report(judged: JudgedTable, output: Path, *, n: str, d: str, y: str, command: str) -> Path:
    """Write the page of a table to ``output``, whole or not at all; returns it.

    Args:
        judged: the table with its laws; output: an .html file; n, d, y: what the table's columns are called.
        command: what the page says that it was made by.
    """
    runs, fits = runs_of(judged), fits_of(judged)
    pictures = []
    for name, description, figure in table_figures(judged, n=n, d=d, y=y):
        svg = inline_svg(figure, name, f"{description.title} {description.caption}")
        said_of = {"name": name, "title": description.title, "caption": description.caption}
        pictures.append(said_of | {"svg": Markup(svg), "data": packed_csv(figure)})
    said: dict[str, Any] = {
        "name": Path(judged.table.name).name,
        "columns": {"N": n, "D": d, "response": y},
        "command": command,
        "style": verbatim("page.css"),
        "script": verbatim("page.js") + verbatim("figures.js"),
        "not_used": [one.sentence() for one in judged.table.not_used],
        "rows": runs.height,
        "families": tables.families(runs, fits),
        "parameter_names": tables.parameter_names(fits),
        "origins": tables.ORIGINS,
        "answer": answer(fits),
        "summary": fits["summary"],
        "pairs": fits["pairs"],
        "compute_optimal": tables.compute_optimal(fits),
        "outliers": tables.outliers(runs, fits),
        "outlier_threshold": tables.outlier_threshold(fits),
        "checklist": tables.checklist(fits),
        "misfit_margin": MISFIT_MARGIN,
        "pictures": pictures,
        "cells": runs.sort("family", "params", "images").to_dicts(),
    }
    write_atomic(output, unbroken(page_environment().get_template("table.html.j2").render(said)).encode())
    return output
