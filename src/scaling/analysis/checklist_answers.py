"""A study's answers to the checklist of each fit (``laws.any_table.checklist``), beyond what the fit itself knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from scaling.analysis.family_evidence import Judged, Skill
from scaling.analysis.usable_runs import Cells
from scaling.laws.any_table.checklist import AUTOMATIC_DELTA, checklist

RESPONSE_MEANINGS: Final = {
    "loss": "cross-entropy in nats on the test images, at the checkpoint that is best on validation images",
    "error": "share of the test images that are misclassified, at the checkpoint that is best on validation images",
}
COUNTING: Final = (
    "N: all trainable parameters, with embeddings and biases, without auxiliary classifiers; D: unique training images; "
    "C: 3 times the forward pass times the images seen, with 2 FLOP per multiply-add of matrix products and convolutions"
)


def with_checklists(
    part: Mapping[str, Sequence[dict[str, Any]]],
    judged: Sequence[Judged],
    skills: Mapping[str, Skill],
    known: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    """The entries of ``part["fits"]``, each with its ``checklist``.

    Args:
        part: entries ``fits`` and ``holdout`` of one response.
        judged: the fits, in the order of the entries.
        skills: family -> skill over all origins.
        known: family -> checklist item -> what is known about its training and measurement.
    """
    entries = []
    for one, entry in zip(judged, part["fits"], strict=True):
        family = entry["family"]
        holdout = [held for held in part["holdout"] if held["family"] == family]
        own = {
            "choice": "the same form for every family, set before the fit",
            "objective": AUTOMATIC_DELTA,
            "weights": f"inverse noise variances, from all families' residuals: D to the power {-one.noise.slope:.2g}",
            "identified": _identified(entry),
            "intervals": _intervals(one),
            "validation": _validation(holdout, skills[family]),
        }
        own["left out"] = known[family].get("left out") or _left_out(one.cells)
        entries.append(entry | {"checklist": checklist(one.found, entry["outliers"], dict(known[family]) | own)})
    return entries


def trained_as(runs: pl.DataFrame, family: str, response: str) -> dict[str, str]:
    """Checklist item -> what a study's runs table says about a family's training and measurement; columns may be missing.

    Args:
        runs: the runs table; family: a value of its column family; response: column.
    """
    rows = runs.filter(pl.col("family") == family)

    def span(column: str) -> tuple[float, float] | None:
        values = rows[column].drop_nulls().to_numpy() if column in rows.columns else ()
        return (float(min(values)), float(max(values))) if len(values) else None

    known = {"counting": COUNTING, "checkpoints": "one per model: the best on validation images"}
    known["response"] = RESPONSE_MEANINGS.get(response, f"column {response}")
    seeds = rows["seed"].drop_nulls().n_unique()
    known["models"] = f"{rows.height} models planned, {seeds} {'seed' if seeds == 1 else 'seeds'}"
    seen, rates = span("images_seen"), span("learning_rate")
    if seen and {"images", "images_seen"} <= set(rows.columns):
        epochs = (rows["images_seen"] / rows["images"]).drop_nulls()
        known["data"] = (
            f"every image is seen {epochs.min():.3g} to {epochs.max():.3g} times; smaller sets are part of larger ones"
        )
    recipes = rows["recipe"].drop_nulls().unique().sort().to_list() if "recipe" in rows.columns else []
    if recipes and rates:
        known["settings"] = (
            f"recipe {', '.join(recipes)}; peak learning rates {rates[0]:.3g} to {rates[1]:.3g}, set by the study or tuned on "
            "validation images (Learning rates in the report)"
        )
    known["code"] = "this program; every run is a row of runs.csv, and every setting is in the report under Method"
    return known


def _identified(entry: Mapping[str, Any]) -> str:
    lacking = [name for name, ends in entry["intervals"].items() if ends is None]
    if not entry["parameters"]:
        return ""
    return f"without an interval: {', '.join(lacking)}" if lacking else "every parameter has an interval"


def _intervals(one: Judged) -> str:
    if one.draws is None:
        return "there are none"
    return (
        "95 % by profile likelihood, widened for the noise that runs of one subset share; bands and standard errors by "
        f"{len(one.draws)} refits to resampled residuals with the same sharing"
    )


def _validation(holdout: Sequence[Mapping[str, Any]], skill: Skill) -> str:
    if skill.value is None:
        return f"not possible: {skill.reason}"
    kinds = {"params": "larger N", "images": "larger D", "both": "larger N and D"}
    parts = [
        f"{len(part['cells'])} predictions of {kinds[part['origin']]} (root mean square log error {part['rmse_log']:.3g})"
        for part in holdout
        if part["rmse_log"] is not None
    ]
    return f"by rolling origins, refitted to the smaller runs: {', '.join(parts)}; skill {skill.value:.2f} over persistence"


def _left_out(cells: Cells) -> str:
    if not cells.excluded:
        return "none"
    why, counts = np.unique([left["why"] for left in cells.excluded], return_counts=True)
    return ", ".join(f"{count} ({text})" for text, count in zip(why, counts, strict=True)) + "; listed under excluded"
