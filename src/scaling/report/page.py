"""The report of a study: one page that needs nothing else, and its tables as CSV beside it."""

from __future__ import annotations

import json
import re
import time
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from scaling.analysis.misfit import MISFIT_MARGIN
from scaling.files import write_atomic
from scaling.report import first_screen
from scaling.report import report_tables as tables
from scaling.report.claims_page import claim_pictures, claims_csv, effect_cell
from scaling.report.data_package import describe_tables
from scaling.report.figures import Figure
from scaling.report.figures.figure_data import packed_csv
from scaling.report.figures.labels import count, power, significant
from scaling.report.figures.theme import family_order
from scaling.report.gallery import PAGE_FIGURES
from scaling.report.inline_svg import inline_svg
from scaling.report.inputs import ReportInputs
from scaling.report.jobs_table import jobs_csv, jobs_table
from scaling.report.rate_table import rate_rows, rate_sentence, rates_csv
from scaling.report.summary import summary
from scaling.runs.mixed import mixed
from scaling.runs.records import SCHEMA


def build(run: ReportInputs, output: Path) -> Path:
    """Write the page to ``output`` (index.html), and runs.csv, laws.csv and summary.md next to it, each whole or not at all.

    Where the study tests claims, claims.html and claims.csv too; where learning rates were tuned, rates.csv; where jobs left
    notes, jobs.csv. datapackage.json says what the columns of the tables are, but for jobs.csv.

    Raises ValueError when the runs table lacks a column of ``records.SCHEMA``.
    """
    lacking = [name for name in SCHEMA if name not in run.runs.columns]
    if lacking:
        raise ValueError(f"the runs table lacks the columns {', '.join(lacking)}; it has {', '.join(run.runs.columns)}")
    page = render(run)
    csv = {"runs": run.runs.select(list(SCHEMA)), "laws": tables.laws_csv(run.fits)}
    if run.rate_errors:
        csv["rates"] = rates_csv(run.rate_errors, run.runs)
    if run.claims:
        csv["claims"] = claims_csv(run.claims)
        write_atomic(output.parent / "claims.html", render_claims(run).encode())
    for name, table in csv.items():
        write_atomic(output.parent / f"{name}.csv", table.write_csv().encode())
    write_atomic(output.parent / "datapackage.json", describe_tables(run.study, list(csv)).encode())
    if run.notes:
        write_atomic(output.parent / "jobs.csv", jobs_csv(run.notes, time.time()).write_csv().encode())
    write_atomic(output.parent / "summary.md", summary(run).encode())
    write_atomic(output, page.encode())
    return output


def render(run: ReportInputs) -> str:
    """The page as text. All text that comes from data is escaped."""
    with_laws = run.with_laws()
    progress = tables.progress(run.runs)
    done = run.runs.filter(pl.col("status") == "done")
    families = tables.families(with_laws.runs, run.fits)
    return unbroken(
        page_environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            style=verbatim("page.css"),
            script=verbatim("page.js") + verbatim("figures.js"),
            progress=progress,
            partial=run.partial or progress["done"] + progress["diverged"] < progress["all"],
            mixed=mixed(run.runs),
            holes=tables.holes(run.runs),
            diverged=tables.diverged(run.runs),
            title=run.study.get("title") or run.study["name"],
            answer=first_screen.answer(run.fits),
            skills=first_screen.family_skills(run.fits),
            parts=first_screen.PARTS,
            limits=first_screen.limits(with_laws.runs, run.fits, run.next_runs),
            families=families,
            by_family={row["family"]: row for row in families},
            parameter_names=tables.parameter_names(run.fits),
            compute_optimal=tables.compute_optimal(run.fits),
            outliers=tables.outliers(run.runs, run.fits),
            outlier_threshold=tables.outlier_threshold(run.fits),
            checklist=tables.checklist(run.fits),
            summary=run.fits.get("summary", []),
            forms=run.fits.get("forms", []),
            misfit_margin=MISFIT_MARGIN,
            pairs=run.fits.get("pairs", []),
            tuning={family: run.tuning[family] for family in family_order(run.tuning)},
            rates=rate_rows(run.rate_errors, run.runs),
            rate_sentence=rate_sentence(run.rate_errors),
            pictures=[_picture(name, figure, with_laws) for name, figure in PAGE_FIGURES.items()],
            cells=run.runs.sort("family", "target_params", "images", "seed").to_dicts(),
            jobs=jobs_table(run.notes, run.runs, time.time()),
            totals={
                "flop": done["flop"].sum(),
                "seconds": done["seconds"].sum(),
                "params": (done["params"].min(), done["params"].max()) if len(done) else None,
                "images": (done["images"].min(), done["images"].max()) if len(done) else None,
            },
        )
    )


def render_claims(run: ReportInputs) -> str:
    """The page of the claims as text."""
    return unbroken(
        page_environment()
        .get_template("claims.html.j2")
        .render(
            run=run,
            style=verbatim("page.css"),
            claims_style=verbatim("claims.css"),
            script=verbatim("page.js") + verbatim("figures.js"),
            partial=run.partial,
            claims=run.claims,
            pictures={claim["name"]: claim_pictures(claim, run.images) for claim in run.claims},
        )
    )


def page_environment() -> jinja2.Environment:
    """The templates of the pages with the filters that they use; text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scaling.report", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "power": power,
        "significant": significant,
        "span": tables.span,
        "skill": first_screen.skill_text,
        "skill_interval": first_screen.interval_text,
        "interval": tables.interval,
        "effect": effect_cell,
        "duration": tables.duration,
        "gigabytes": _gigabytes,
        "rate_rule": tables.rate_rule,
        "json": _readable_json,
    }
    return environment


def unbroken(page: str) -> str:
    """``page`` with no line break between a number, or an interval, and its per cent sign."""
    return re.sub(r"(?<=[\d\]]) %", "\u00a0%", page)


def _picture(name: str, figure: Figure, run: ReportInputs) -> dict[str, Any]:
    drawing = figure.draw(run)
    svg = inline_svg(drawing, name, f"{figure.title} {figure.caption}")
    return {
        "name": name,
        "title": figure.title,
        "caption": figure.caption,
        "svg": Markup(svg),
        "data": packed_csv(drawing),
    }


def verbatim(name: str) -> Markup:
    """A file of the templates' folder as it stands: our own style and script, in which nothing comes from data."""
    return Markup(resources.files("scaling.report").joinpath("template", name).read_text("utf-8"))


def _gigabytes(megabytes: float | None) -> str:
    return "–" if megabytes is None else f"{significant(megabytes / 1000, 2)} GB"


def _readable_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
