"""The report of a study, from what its folders hold now."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from scaling.analysis.own_study import fit_laws, judge_own_claims
from scaling.analysis.rate_error import rate_errors
from scaling.data import DataError, ImageData, load, prepared_path
from scaling.jobs.collected import Benchmarks, Collected
from scaling.jobs.job_notes import read_all_notes
from scaling.jobs.next_runs import Budget, next_runs
from scaling.jobs.owner import open_own
from scaling.jobs.plan import make_plan
from scaling.report.architectures import architectures
from scaling.report.asked_images import gather_answers
from scaling.report.first_screen import answer
from scaling.report.gallery import PAGE_FIGURES
from scaling.report.inputs import ReportInputs
from scaling.report.next_table import next_section
from scaling.report.page import build
from scaling.report.size_notes import size_notes
from scaling.runs.derived import WrongFile, read_json, set_aside
from scaling.runs.learning_curves import learning_curves
from scaling.runs.records import DONE, FAILED, MISSING
from scaling.runs.resolve import read_tuning
from scaling.runs.store import Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings, look_at_images

if TYPE_CHECKING:
    import plotnine as p9

Verdicts = tuple[dict[str, Any], list[dict[str, Any]]]
"""The laws with the verdicts on families; the verdicts on claims."""

PICTURED = 4
"""Test images that pictures of claims may show (assumption)."""
QUICK = 200
"""The most resamples where a report has to fit the laws itself (assumption)."""


@dataclass(frozen=True)
class Written:
    """A report that was written: its page, the verdicts on claims, whether runs are missing, and the answer in a sentence."""

    page: Path
    claims: list[dict[str, Any]]
    partial: bool
    answer: str


def write_report(study: Study, study_path: Path, layout: Layout, warn: Callable[[str], None]) -> Written:
    """Write the page of ``study``.

    Made from the store as it is: where that has moved on since the laws were fitted, they are fitted anew for the page, and
    the claims are judged anew.
    """
    inputs = _gathered(study, study_path, layout, warn)
    return Written(build(inputs, layout.report), inputs.claims, inputs.partial, answer(inputs.fits))


def study_figures(study_path: Path, warn: Callable[[str], None]) -> dict[str, p9.ggplot]:
    """The figures of the page of a study as its store has it now, by name. Raises StudyError."""
    study, layout = open_own(study_path, warn)
    inputs = _gathered(study, study_path, layout, warn).with_laws()
    return {name: figure.draw(inputs) for name, figure in PAGE_FIGURES.items()}


def _gathered(study: Study, study_path: Path, layout: Layout, warn: Callable[[str], None]) -> ReportInputs:
    """All that the page is made from."""
    collected = Collected(study, layout, warn)
    runs, benchmarks = collected.runs, collected.benchmarks()
    if benchmarks.lacking:
        warn(f"{benchmarks.lacking}: claims on times are judged without it")
    fits, claims = _stored(collected, benchmarks, warn) or _judged(study, collected, benchmarks)
    images = look_at_images(study, layout)
    data, store, done = _images(study, layout), Store(layout.store), runs.filter(pl.col("status") == DONE)["key"]
    tuned = {family: read_tuning(study, layout, family, images) for family in study.families}
    tuning = {family: asdict(found) for family, found in tuned.items() if found}
    inputs = ReportInputs(
        study=_resolved(study),
        runs=runs,
        fits=fits,
        tuning=tuning,
        rate_errors=rate_errors(runs, tuning, fits, seed=study.laws.seed),
        environment=environment(),
        plan=_planned(study, layout),
        partial=bool(benchmarks.lacking or runs["status"].is_in([FAILED, MISSING]).any()),
        command=f"snakemake --cores all --config study={study_path}",
        claims=claims,
        images=data.test_images[:PICTURED].copy() if data and claims else None,
        asked=gather_answers(data, store, done) if data else None,
        architectures=architectures(study, layout),
        notes=read_all_notes(layout.jobs),
        size_notes=size_notes(study),
        curves=learning_curves(store, done, warn),
        next_runs=next_section(next_runs(study, layout, runs, "prediction", Budget())),
    )
    return inputs


def _stored(collected: Collected, benchmarks: Benchmarks, warn: Callable[[str], None]) -> Verdicts | None:
    """The contents of fits.json and claims.json, if they were made from these tables by the present code; else None."""
    seals = collected.held()
    if seals is None or benchmarks.lacking:
        return None
    found = []
    for path, origin in collected.verdicts(seals, benchmarks).items():
        try:
            content, seal = read_json(path, origin)
        except FileNotFoundError:
            return None
        except WrongFile as error:
            set_aside(path, error, warn)
            return None
        if not seal.same_origin(origin):
            return None
        found.append(content)
    return found[0], found[1]


def _judged(study: Study, collected: Collected, benchmarks: Benchmarks) -> Verdicts:
    """Fit the laws and judge families and claims now, with few resamples."""
    fits = fit_laws(study, collected.runs, most=QUICK)
    return fits, judge_own_claims(study, collected.runs, collected.measurements(benchmarks), fits)


def _images(study: Study, layout: Layout) -> ImageData | None:
    """The images of ``study``; None where they are not prepared."""
    try:
        return load(prepared_path(data_settings(study), layout.data), verify=False)
    except DataError:
        return None


def _resolved(study: Study) -> dict[str, Any]:
    plain = study.model_dump(mode="json", exclude_none=True)
    plain["recipes"] = {f: study.family_recipe(f).model_dump(mode="json") for f in study.families}
    return plain


def _planned(study: Study, layout: Layout) -> dict[str, Any] | None:
    """The cost of the whole study from nothing on this machine, or None where its speed was not measured."""
    plan = make_plan(study, Layout(study.name, results=layout.results), from_nothing=True)
    if plan.core_seconds is None:
        return None
    return {"cells": plan.new, "hours": plan.core_seconds / 3600, "flop": plan.flop}


def environment() -> dict[str, Any]:
    """Versions, machine and commit behind a report; "unknown" where one cannot be found out."""
    packages = ("torch", "torchvision", "timm", "snakemake", "polars", "scipy", "plotnine")
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "machine": platform.machine() or "unknown",
        "system": platform.system(),
        "cores": os.cpu_count(),
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
