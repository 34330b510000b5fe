"""All statistics of a study from its runs table: fits, held-out predictions, frontier, verdicts.

The result is plain JSON, so that a report, a notebook or another program can build on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from scaling.laws import forms
from scaling.laws.bootstrap import refit
from scaling.laws.frontier import best_split, compute_of, trained_budgets
from scaling.laws.holdout import ORIGINS, Origin, predict_splits, rolling_splits, root_mean_square, skill_of
from scaling.laws.noise import Noise, draw_noise, estimate_noise, seed_spread
from scaling.laws.profile import profile_intervals
from scaling.laws.solver import Fit, fit
from scaling.laws.terms import Floats
from scaling.records import DONE
from scaling.verdicts.families import (
    centred_interval,
    contrasts,
    family_sentence,
    gate,
    order_share,
)

SCHEMA_VERSION = 1
RESPONSES = ("loss", "error")
KEPT_DRAWS = 200
HOLDOUT_DRAWS = 200


@dataclass(frozen=True)
class Cells:
    """The cells of one family that a fit of one response uses."""

    family: str
    kind: str
    response: str
    keys: list[str]
    params: Floats
    images: Floats
    seeds: Floats
    y: Floats
    flop: Floats
    excluded: list[dict[str, str]]


@dataclass(frozen=True)
class Judged:
    """A family's fit of one response with its draws."""

    cells: Cells
    found: Fit
    draws: Floats | None
    resampled: Floats | None


def fit_study(runs: pl.DataFrame, *, classes: int, seed: int = 0, bootstrap: int = 500) -> dict[str, Any]:
    """Fit, hold out, compare.

    Args:
        runs: the runs table (``scaling.records``), at least family, kind, params, images, seed, loss, error, flop, status, key.
        classes: number of classes K; the error rate is bounded by chance, (K - 1) / K.
        seed: of every resampling.
        bootstrap: resamples a fit.

    Returns:
        ``{"schema", "fits", "holdout", "frontier", "verdicts", "pairs", "summary"}``, JSON-able.

    Raises:
        ValueError: if a column is missing or ``classes`` is below 2.
    """
    if classes < 2:
        raise ValueError(f"classes is {classes}; it must be at least 2")
    needed = ("family", "kind", "params", "images", "seed", *RESPONSES, "flop", "status", "key")
    for name in needed:
        if name not in runs.columns:
            raise ValueError(f"the runs table lacks the column {name}; it has {', '.join(runs.columns)}")
    rng = np.random.default_rng(seed)
    shared = {
        (float(s), float(d)): rng.standard_normal(bootstrap)
        for s, d in runs.select("seed", "images").drop_nulls().unique().sort("seed", "images").iter_rows()
    }
    report: dict[str, Any] = {"schema": SCHEMA_VERSION, "fits": [], "holdout": [], "frontier": []}
    judged: dict[str, list[Judged]] = {}
    noises: dict[str, Noise] = {}
    for response in RESPONSES:
        law = forms.chinchilla() if response == "loss" else forms.bounded((classes - 1) / classes)
        families = [_cells(runs, family, response) for family in runs["family"].unique(maintain_order=True)]
        noises[response], judged[response] = _fit_families(families, law, shared, bootstrap, seed)
        for one in judged[response]:
            spread = seed_spread(_frame(one.cells), "y") if one.cells.keys else None
            report["fits"].append(_fit_entry(one, spread))
    skills = {}
    for one in (*judged["loss"], *judged["error"]):
        entries, skill = _holdout(one, noises[one.cells.response])
        report["holdout"] += entries
        if one.cells.response == "loss":
            skills[one.cells.family] = skill
    report["frontier"] = [entry for one in judged["loss"] if (entry := _frontier(one))]
    report |= _verdicts(judged["loss"], skills, report["fits"])
    return _plain(report)


def _cells(runs: pl.DataFrame, family: str, response: str) -> Cells:
    rows = runs.filter(pl.col("family") == family)
    value = pl.col(response)
    why = (
        pl.when(pl.col("status") != DONE)
        .then(pl.col("status"))
        .when(value.is_null() | value.is_nan() | value.is_infinite())
        .then(pl.lit(f"{response} is not a number"))
        .when(value <= 0)
        .then(pl.lit(f"{response} is 0: its logarithm is not defined"))
    )
    rows = rows.with_columns(why.alias("_why"))
    left = rows.filter(pl.col("_why").is_not_null())
    kept = rows.filter(pl.col("_why").is_null())
    columns = {name: kept[name].to_numpy().astype(float) for name in ("params", "images", "seed", response, "flop")}
    return Cells(
        family,
        str(rows["kind"][0]),
        response,
        kept["key"].to_list(),
        columns["params"],
        columns["images"],
        columns["seed"],
        columns[response],
        columns["flop"],
        [{"key": key, "why": text} for key, text in left.select("key", "_why").iter_rows()],
    )


def _frame(cells: Cells) -> pl.DataFrame:
    return pl.DataFrame({"params": cells.params, "images": cells.images, "y": cells.y}).with_columns(
        pl.lit(cells.family).alias("family")
    )


def _fit_families(
    families: list[Cells], law: forms.Law, shared: dict[tuple[float, float], Floats], bootstrap: int, seed: int
) -> tuple[Noise, list[Judged]]:
    """Fit each family, learn the noise from all residuals together, fit again with its weights, and resample."""

    def fitted(cells: Cells, weights: Floats | None) -> Fit:
        return fit(law, {"N": cells.params, "D": cells.images}, cells.y, weights, delta=None, seed=seed)

    first = [fitted(cells, None) for cells in families]
    noise = estimate_noise(
        [
            (found.residuals, cells.images, cells.seeds, len(law.parameters))
            for cells, found in zip(families, first, strict=True)
            if found.parameters
        ]
    )
    judged = []
    for index, cells in enumerate(families):
        found = fitted(cells, noise.weights(cells.images) if len(cells.keys) else None)
        if not found.parameters:
            judged.append(Judged(cells, found, None, None))
            continue
        rng = np.random.default_rng([seed, index])
        errors = draw_noise(
            found.residuals, cells.images, cells.seeds, len(law.parameters), noise, shared, rng, bootstrap
        )
        resampled = found.log_y - found.residuals + errors
        judged.append(Judged(cells, found, refit(found, resampled), resampled))
    return noise, judged


def _fit_entry(one: Judged, spread: float | None) -> dict[str, Any]:
    cells, found = one.cells, one.found
    intervals, reasons = profile_intervals(found)
    status = found.status
    if status in ("converged", "at-bound") and any(intervals[name] is None for name in intervals):
        status = "not-identifiable"
    public = None if one.draws is None else found.law.publish(one.draws, found.centre)
    names = found.law.parameters
    return {
        "family": cells.family,
        "kind": cells.kind,
        "response": cells.response,
        "law": found.law.name,
        "ceiling": None if found.law.ceiling is None else found.law.ceiling.ceiling,
        "formula": found.law.formula,
        "reference": found.law.reference,
        "status": status,
        "reasons": found.reasons | reasons,
        "rows": found.rows,
        "excluded": cells.excluded,
        "parameters": found.parameters,
        "objective": found.objective,
        "delta": found.delta,
        "standard_errors": {}
        if public is None
        else dict(zip(names, np.std(public, axis=0, ddof=1).tolist(), strict=True)),
        "intervals": {name: None if ends is None else list(ends) for name, ends in intervals.items()},
        "residual_rms": float(root_mean_square(found.residuals)) if found.parameters else None,
        "noise_rms": spread,
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "seconds": found.seconds,
        "draws": [] if public is None else [dict(zip(names, row, strict=True)) for row in public[:KEPT_DRAWS].tolist()],
    }


@dataclass(frozen=True)
class Skill:
    """Pooled over the origins: skill, draws of log(RMSE / RMSE of persistence), and why there is none."""

    value: float | None
    draws: Floats | None
    reason: str | None


def _holdout(one: Judged, noise: Noise) -> tuple[list[dict[str, Any]], Skill]:
    cells, entries = one.cells, []
    squares = np.zeros(2)
    drawn = np.zeros((2, HOLDOUT_DRAWS))
    for origin in ORIGINS:
        entry, part, part_drawn = _holdout_origin(one, noise, origin)
        entries.append(entry)
        if part is not None:
            squares, drawn = squares + part, drawn[:, : part_drawn.shape[1]] + part_drawn
    if squares[1] == 0.0:
        return entries, Skill(None, None, str(entries[0]["reason"]))
    return entries, Skill(
        1 - float(np.sqrt(squares[0] / squares[1])),
        0.5 * np.log(np.maximum(drawn[0], 1e-300) / drawn[1]),
        None if cells.keys else "no cells",
    )


def _holdout_origin(one: Judged, noise: Noise, origin: Origin) -> tuple[dict[str, Any], Floats | None, Floats | None]:
    cells, found = one.cells, one.found
    entry: dict[str, Any] = {
        "family": cells.family,
        "response": cells.response,
        "origin": origin,
        "cells": [],
        "rmse_log": None,
        "persistence_rmse_log": None,
        "skill": None,
        "interval": None,
        "reason": None,
    }
    law = found.law
    splits = [] if not found.parameters else rolling_splits(law, cells.params, cells.images, cells.seeds, origin)
    if not splits:
        n, d = len(np.unique(cells.params)), len(np.unique(cells.images))
        entry["reason"] = f"too few cells: {n} sizes x {d} data sizes leave no grid to learn from and one to predict"
        return entry, None, None
    weights = noise.weights(cells.images)
    predicted = predict_splits(
        law, cells.params, cells.images, found.log_y, weights, found.delta, splits,
        warm=found.theta, warm_centre=found.centre,
    )[0]  # fmt: skip
    test = np.concatenate([split.test for split in splits])
    nearest = np.concatenate([split.nearest for split in splits])
    persistence, observed = found.log_y[nearest], found.log_y[test]
    error, base, skill = skill_of(observed, predicted, persistence)
    resampled = one.resampled[:HOLDOUT_DRAWS]
    again = predict_splits(
        law, cells.params, cells.images, resampled, weights, found.delta, splits,
        warm=found.theta, warm_centre=found.centre,
    )  # fmt: skip
    squares = np.array([np.sum((predicted - observed) ** 2), np.sum((persistence - observed) ** 2)])
    drawn = np.stack(
        [
            np.sum((again - resampled[:, test]) ** 2, axis=1),
            np.sum((resampled[:, nearest] - resampled[:, test]) ** 2, axis=1),
        ]
    )
    low, high = centred_interval(np.log(error / base), 0.5 * np.log(np.maximum(drawn[0], 1e-300) / drawn[1]))
    entry |= {
        "cells": [
            {
                "key": cells.keys[row],
                "params": cells.params[row],
                "images": cells.images[row],
                "seed": int(cells.seeds[row]),
                "observed": float(np.exp(observed[i])),
                "predicted": float(np.exp(predicted[i])),
                "persistence": float(np.exp(persistence[i])),
            }
            for i, row in enumerate(test)
        ],
        "rmse_log": float(error),
        "persistence_rmse_log": float(base),
        "skill": float(skill),
        "interval": [1 - float(np.exp(high)), 1 - float(np.exp(low))],
    }
    return entry, squares, drawn


def _frontier(one: Judged) -> dict[str, Any] | None:
    cells, found = one.cells, one.found
    if not found.parameters or not np.isfinite(cells.flop).all() or (cells.flop <= 0).any():
        return None
    compute = compute_of(cells.params, cells.images, cells.flop)
    budgets = trained_budgets(cells.flop)
    rows = [best_split(lambda n, d: found.predict(N=n, D=d), compute, float(flop)) for flop in budgets]
    params, images, loss = (np.array(column) for column in zip(*rows, strict=True))
    known = np.isfinite(loss)
    params, images, loss, budgets = params[known], images[known], loss[known], budgets[known]
    logs = np.log(np.column_stack([params, images])) - found.centre
    band = np.exp(found.law.log_values(one.draws, logs))
    low, high = np.quantile(band, [0.025, 0.975], axis=0)
    return {
        "family": cells.family,
        "flop": budgets.tolist(),
        "loss": loss.tolist(),
        "params": params.tolist(),
        "images": images.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }


def _verdicts(judged: list[Judged], skills: dict[str, Skill], fits: list[dict[str, Any]]) -> dict[str, Any]:
    entries = {(entry["family"], entry["response"]): entry for entry in fits}
    verdicts, scaling = [], {}
    for one in judged:
        cells = one.cells
        entry, skill = entries[cells.family, "loss"], skills[cells.family]
        log_y = np.log(cells.y)
        over = gate(cells.params, cells.images, log_y)
        noise, residual = entry["noise_rms"], entry["residual_rms"]
        step = noise if noise is not None else (residual or 0.0)
        misfit = residual / noise if noise and residual is not None else None
        interval = None
        if skill.value is not None and skill.draws is not None:
            low, high = centred_interval(np.log(max(1 - skill.value, 1e-12)), skill.draws)
            interval = (1 - float(np.exp(high)), 1 - float(np.exp(low)))
        if over.scales and skill.value is not None:
            scaling[cells.family] = one
        verdicts.append(
            {
                "family": cells.family,
                "kind": cells.kind,
                "scales": over.scales,
                "skill": skill.value,
                "skill_interval": interval,
                "misfit": misfit,
                "order_params": order_share(cells.params, cells.images, cells.seeds, log_y, step)[0],
                "order_images": order_share(cells.images, cells.params, cells.seeds, log_y, step)[0],
                "sentence": family_sentence(cells.family, over, skill.value, interval, skill.reason, misfit),
            }
        )
    pairs = contrasts(
        "skill",
        {name: skills[name].value for name in scaling},
        {name: 1 - np.exp(skills[name].draws) for name in scaling},
        "skill",
    )
    for name in ("alpha", "beta"):
        known = {f: one for f, one in scaling.items() if entries[f, "loss"]["intervals"][name] is not None}
        place = judged[0].found.law.parameters.index(name) if judged else 0
        pairs += contrasts(
            name,
            {f: entries[f, "loss"]["parameters"][name] for f in known},
            {f: one.draws[:, place] for f, one in known.items()},
            name,
        )
    return {"verdicts": verdicts, "pairs": pairs, "summary": _summary(verdicts, pairs)}


def _summary(verdicts: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> list[str]:
    ranked = sorted((v for v in verdicts if v["scales"] and v["skill"] is not None), key=lambda v: -v["skill"])
    flat = [v["family"] for v in verdicts if not v["scales"]]
    sentences = []
    if ranked:
        order = ", ".join(f"{v['family']} {v['skill']:.2f}" for v in ranked)
        sentences.append(f"Skill of each family's law at predicting its larger cells: {order}.")
    if flat:
        sentences.append(f"Not shown to scale here, so not ranked: {', '.join(flat)}.")
    told = [pair["verdict"] for pair in pairs if pair["p_holm"] < 0.05]
    if told:
        sentences += [f"{text[0].upper()}{text[1:]}." for text in told]
    elif pairs:
        sentences.append(
            f"Cannot tell any two families apart: {len(pairs)} paired contrasts, none below 0.05 after Holm."
        )
    kinds = {v["kind"] for v in verdicts}
    if len(kinds) > 1:
        count = ", ".join(f"{sum(v['kind'] == kind for v in verdicts)} {kind}" for kind in sorted(kinds))
        sentences.append(f"These sentences are about these families ({count}), not about kinds of architecture.")
    return sentences


def _plain(value: Any) -> Any:
    """Numbers that JSON knows: numpy scalars as Python's, NaN and infinities as null."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
