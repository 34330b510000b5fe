"""All statistics of a study from its runs table: fits, held-out predictions, frontier, verdicts.

The result is plain JSON, which a report, a notebook or another program can use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.checklist_answers import trained_as, with_checklists
from scaling.analysis.family_evidence import Judged, Skill, hold_out, judge_families, skill_of
from scaling.analysis.fits_rows import fit_row, frontier_row, holdout_row, jsonable
from scaling.analysis.ranking import rank_families
from scaling.analysis.rival_forms import compare_forms
from scaling.analysis.usable_runs import Cells, cells_of
from scaling.laws.fitting.holdout import ORIGINS
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law

RESPONSES = ("loss", "error")


def fit_study(runs: pl.DataFrame, *, classes: int, seed: int = 0, bootstrap: int = 500) -> dict[str, Any]:
    """Fit the laws of all families, predict held-out runs, and compare the families.

    Args:
        runs: the runs table (``scaling.runs.records``), at least family, kind, params, images, seed, loss, error, flop,
            status, key.
        classes: number of classes K; the error rate is bounded by chance, (K - 1) / K.
        seed: of every resampling.
        bootstrap: resamples per fit.

    Returns:
        ``{"fits", "holdout", "frontier", "forms", "verdicts", "pairs", "summary"}``, JSON-able.

    Raises:
        ValueError: if a column is missing or ``classes`` is below 2.
    """
    if classes < 2:
        raise ValueError(f"classes is {classes}; it must be at least 2")
    for name in ("family", "kind", "params", "images", "seed", *RESPONSES, "flop", "status", "key"):
        if name not in runs.columns:
            raise ValueError(f"the runs table lacks the column {name}; it has {', '.join(runs.columns)}")
    names = runs["family"].unique(maintain_order=True)
    report: dict[str, Any] = {"fits": [], "holdout": [], "frontier": [], "forms": []}
    for response in RESPONSES:
        ceiling = float(np.log(classes)) if response == "loss" else (classes - 1) / classes
        law = forms.chinchilla() if response == "loss" else forms.bounded(ceiling)
        families = [cells_of(runs, name, response) for name in names]
        part, judged, skills = judge(families, law, seed=seed, resamples=bootstrap)
        known = {name: trained_as(runs, name, response) for name in names}
        report["fits"] += with_checklists(part, judged, skills, known)
        report["holdout"] += part["holdout"]
        report["forms"] += compare_forms(judged, response, ceiling)
        if response == "loss":
            report["frontier"] = [row for one in judged if (row := frontier_row(one))]
            ranked = rank_families(judged, skills, part["fits"])
    return jsonable(report | ranked)


def judge(
    families: Sequence[Cells], law: Law, *, seed: int, resamples: int, progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, list[dict[str, Any]]], list[Judged], dict[str, Skill]]:
    """Entries ``fits`` and ``holdout`` of one response, and what they were made from except for the simulated responses.

    Args:
        families: one response of each; law: the same for all.
        seed, resamples: as for ``judge_families``.
        progress: called after each family with the number of families done and of all.
    """
    entries: dict[str, list[dict[str, Any]]] = {"fits": [], "holdout": []}
    judged, skills = [], {}
    for one in judge_families(families, law, seed=seed, resamples=resamples):
        entries["fits"].append(fit_row(one))
        held = [hold_out(one, origin) for origin in ORIGINS]
        entries["holdout"] += [holdout_row(one, part) for part in held]
        skills[one.cells.family] = skill_of(held)
        judged.append(replace(one, simulated=None))
        if progress is not None:
            progress(len(judged), len(families))
    return entries, judged, skills
