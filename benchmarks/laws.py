"""Scaling-law fits beside the published procedures, on one machine in one run.

    uv run python benchmarks/laws.py DATA [--starts 1000] [--published 20] [--parts optimum,bootstrap,curves,tables]

DATA is a folder with chinchilla_245.csv (Besiroglu et al. 2024), few_shot_curves_72.csv (Alabdulmohsin et al. 2022),
vision_grid_imagenet.csv (Gokce and Schrimpf), lm_grid.csv and lm_rates_grid.csv (hadasah/scaling_laws), lm_repeated_182.csv
(Muennighoff et al. 2023) and clip_zero_shot.csv (LAION-AI/scaling-laws-openclip). Takes about five minutes on one core with the
defaults.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import logsumexp

from scaling.laws import fit
from scaling.laws.any_table.extrapolate import extrapolate_table
from scaling.laws.fitting.newton import huber, minimise
from scaling.laws.fitting.points import huber_problem, spread_of
from scaling.laws.fitting.solver import SAME_OPTIMUM
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.bootstrap import pair_counts, pairs

DELTA = 1e-3


def chinchilla(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N, D and loss of the 240 points that are kept when the five largest losses are dropped."""
    table = pl.read_csv(folder / "chinchilla_245.csv")
    loss = table["loss"].to_numpy()
    kept = np.sort(np.argsort(loss)[:-5])
    return table["params"].to_numpy()[kept], table["tokens"].to_numpy()[kept], loss[kept]


def published_objective(theta: np.ndarray, log_n: np.ndarray, log_d: np.ndarray, log_y: np.ndarray) -> float:
    """Sum of Huber over log residuals of logsumexp(a - alpha log N, b - beta log D, e), as the paper writes it."""
    a, b, e, alpha, beta = theta
    rows = np.stack([a - alpha * log_n, b - beta * log_d, np.full(len(log_y), e)])
    return float(huber(log_y - logsumexp(rows, axis=0), DELTA).sum())


def published_fit(start: np.ndarray, columns: tuple[np.ndarray, ...]) -> tuple[float, np.ndarray]:
    """L-BFGS-B with numerical gradients from one start, at tolerances tight enough to be worth comparing."""
    options = {"ftol": 1e-14, "gtol": 1e-10, "maxiter": 15_000, "maxfun": 100_000}
    found = minimize(published_objective, start, args=columns, method="L-BFGS-B", options=options)
    return float(found.fun), found.x


def optimum(folder: Path, starts: int, published: int) -> None:
    """The global optimum: what it is, how long it takes, how many starts reach it."""
    n, d, loss = chinchilla(folder)
    law, data = forms.chinchilla(), {"N": n, "D": d}
    fit(law, data, loss)
    clock = time.process_time()
    found = fit(law, data, loss, delta=DELTA)
    ours = time.process_time() - clock
    print("\n## Chinchilla, 240 points, delta = 1e-3")
    show(found.parameters, found.objective)
    print(f"certificate: {found.certificate}; {1e3 * ours:.0f} ms")
    exact = fit(law, data, loss, delta=5e-9)
    print("delta = 5e-9:", end=" ")
    show(exact.parameters, exact.objective)
    many = fit(law, data, loss, delta=DELTA, starts=starts, seed=1)
    print(f"{starts} random exponents, amplitudes by least squares: {many.certificate.share:.1%} reach the optimum")
    logs, log_y = np.log(np.column_stack([n, d])), np.log(loss)
    logs = logs - logs.mean(axis=0)
    raw = law.starts(spread_of(logs, log_y), np.random.default_rng(2), starts)
    for width in (0.1, 0.01, DELTA):
        tolerance = 1e-14 if width == DELTA else 1e-3
        raw = (end := minimise(huber_problem(law, logs, log_y, width), raw, np.ones(len(loss)), tolerance=tolerance)).theta
    reached = np.mean(end.objective <= found.objective * (1 + SAME_OPTIMUM))
    print(f"{starts} random starts in all five parameters: {reached:.1%} reach it")

    columns = (np.log(n), np.log(d), np.log(loss))
    rng = np.random.default_rng(0)
    grid = np.array(
        np.meshgrid(
            [0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 20, 25], [-1, -0.5, 0, 0.5, 1], [0, 0.5, 1, 1.5, 2], [0, 0.5, 1, 1.5, 2]
        )
    )
    grid = grid.reshape(5, -1).T[rng.permutation(4500)[:published]]
    clock = time.process_time()
    values = np.array([published_fit(start.astype(float), columns)[0] for start in grid])
    each = (time.process_time() - clock) / published
    near = np.mean(values <= found.objective * (1 + 1e-4))
    print(
        f"published procedure, {published} of its 4,500 starts: {1e3 * each:.0f} ms a start "
        f"({4500 * each / 60:.1f} minutes for all), best {values.min():.12f}, {near:.1%} within 1e-4 of the optimum"
    )


def show(parameters: dict[str, float], objective: float) -> None:
    print(", ".join(f"{name} {value:.6g}" for name, value in parameters.items()), f"objective {objective:.14g}")


def bootstrap(folder: Path, published: int) -> None:
    """4,000 pair bootstraps beside the published ones, on the same resamples."""
    n, d, loss = chinchilla(folder)
    found = fit(forms.chinchilla(), {"N": n, "D": d}, loss, delta=DELTA)
    clock = time.process_time()
    draws = pairs(found, 4000, 42)
    ours = (time.process_time() - clock) / 4000
    errors = np.std(draws, axis=0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    print("\n## 4,000 pair bootstraps")
    for i, name in enumerate(found.law.parameters):
        print(f"{name}: standard error {errors[i]:.4g}, 95 % interval {low[i]:.4g} to {high[i]:.4g}")
    p = found.parameters
    start = np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]])
    counts = pair_counts(len(loss), published, 42).astype(int)
    columns = (np.log(n), np.log(d), np.log(loss))
    clock = time.process_time()
    theirs = [published_fit(start, tuple(np.repeat(c, row) for c in columns)) for row in counts]
    each = (time.process_time() - clock) / published
    log_y = np.log(loss)
    gaps = []
    for row, (value, _), mine in zip(counts, theirs, draws, strict=False):
        prediction = found.law.predict(dict(zip(found.law.parameters, mine, strict=True)), N=n, D=d)
        gaps.append(value / float((row * huber(log_y - np.log(prediction), DELTA)).sum()) - 1)
    print(
        f"{1e3 * ours:.2f} ms a resample; published {1e3 * each:.0f} ms: {each / ours:.0f} times; "
        f"objective of the published over ours - 1: median {np.median(gaps):.1e}, largest {np.max(gaps):.1e}"
    )


def curves(folder: Path) -> None:
    """72 few-shot curves: the stack beside single estimators, all fitted by us on the train rows."""
    print("\n## 72 few-shot curves, root mean square log error on the test rows")
    path = folder / "few_shot_curves_72.csv"
    results = {}
    for estimator in ("auto", "m1", "m2", "m3", "m4", "bnsl"):
        clock = time.process_time()
        result = extrapolate_table(path, x="examples_seen", y="error", by=["task", "model"], split="split", estimator=estimator)
        results[estimator] = np.array([np.nan if c["rmse_log"] is None else c["rmse_log"] for c in result["curves"]])
        failed = int(np.isnan(results[estimator]).sum())
        print(
            f"{estimator}: mean {result['mean']:.4f}, median {result['median']:.4f}, "
            f"{failed} not fitted, {time.process_time() - clock:.0f} s"
        )
    print(f"auto beats m4 on {np.mean(~(results['auto'] >= results['m4'])):.0%} of the curves")


class Source(NamedTuple):
    """A public table, what its columns are called, the law that its source fits, and what an earlier ``auto`` was off by."""

    name: str
    file: str
    columns: dict[str, str]
    by: tuple[str, ...]
    own: str
    before: float | None

    def rows(self, folder: Path) -> pl.DataFrame:
        """The table, with the number of unique images where only the name of the pre-training set is given."""
        table = pl.read_csv(folder / self.file)
        if "unique" not in self.columns.values():
            return table
        ends = table["data"].map_elements(lambda name: UNIQUE[name.rsplit("-", 1)[1]], return_dtype=pl.Float64)
        return table.with_columns(unique=ends)


SOURCES = (
    Source("language models", "lm_grid.csv", {"n": "params", "d": "tokens", "y": "loss"}, (), "chinchilla", 0.0136),
    Source(
        "language models, every rate",
        "lm_rates_grid.csv",
        {"n": "params", "d": "tokens", "rate": "learning_rate", "y": "loss"},
        (),
        "rated",
        None,
    ),
    Source(
        "repeated data",
        "lm_repeated_182.csv",
        {"n": "params", "d": "tokens", "unique": "unique_tokens", "y": "loss"},
        (),
        "repeated",
        0.036,
    ),
    Source(
        "CLIP zero-shot",
        "clip_zero_shot.csv",
        {"n": "params", "d": "samples", "unique": "unique", "y": "error"},
        ("task",),
        "kaplan",
        0.155,
    ),
    Source(
        "ImageNet grid", "vision_grid_imagenet.csv", {"n": "params", "d": "images", "y": "error"}, ("family",), "bounded", 0.233
    ),
    Source("72 curves", "few_shot_curves_72.csv", {"x": "examples_seen", "y": "error"}, ("task", "model"), "m4", 0.0277),
)
CEILING = {"ImageNet grid": 0.999}
"""Chance, which Rosenfeld's law needs and is told; ``auto`` is told nothing."""
UNIQUE = {"80M": 8e7, "400M": 4e8, "2B": 2e9}
"""Images of a pre-training set, by the end of its name."""


def tables(folder: Path) -> None:
    """The table of tables: published laws and ours, one setting for all, on the test rows."""
    print("\n## Root mean square log error on the test rows; auto is told nothing of a ceiling")
    head = ("data", "chinchilla (of a curve: E + B / x^c)", "tied", "bnsl", "source's own law", "auto, before", "auto")
    print(f"| {' | '.join((*head, 'in 95 %', 'half width', 'in 95 % if true'))} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for source in SOURCES:
        table = source.rows(folder)
        curve = "x" in source.columns
        tried = ("power-floor", None, "bnsl") if curve else ("chinchilla", "tied", None)
        cells = [number(None if name is None else scored(table, source, name)["mean"]) for name in tried]
        own = scored(table, source, source.own, CEILING.get(source.name))["mean"]
        result = scored(table, source, "auto")
        rows = [row for one in result["curves"] for row in one.get("predictions", ())]
        held = np.mean([row["low"] <= row["observed"] <= row["high"] for row in rows])
        true = np.mean([row["low_if_true"] <= row["observed"] <= row["high_if_true"] for row in rows])
        width = np.median([np.log(row["high"] / row["low"]) / 2 for row in rows])
        cells += [f"{source.own} {number(own)}", number(source.before), number(result["mean"])]
        print(f"| {source.name} | {' | '.join(cells)} | {held:.0%} | {width:.3f} | {true:.0%} |", flush=True)
        if 1 < len(result["curves"]) < 10:
            print("  ", "; ".join(f"{next(iter(c['group'].values()))} {number(c['rmse_log'])}" for c in result["curves"]))


def scored(table: pl.DataFrame, source: Source, estimator: str, ceiling: float | None = None) -> dict[str, Any]:
    """What an estimator makes of a source's table; laws of N and D do not see a third variable."""
    columns = dict(source.columns)
    if estimator not in ("auto", "repeated", "rated"):
        columns.pop("unique", None)
        columns.pop("rate", None)
    return extrapolate_table(table, **columns, by=source.by, split="split", estimator=estimator, ceiling=ceiling)


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--published", type=int, default=20, help="starts and resamples of the published procedure")
    parser.add_argument("--parts", default="optimum,bootstrap,curves,tables")
    options = parser.parse_args()
    parts = {
        "optimum": lambda: optimum(options.data, options.starts, options.published),
        "bootstrap": lambda: bootstrap(options.data, options.published),
        "curves": lambda: curves(options.data),
        "tables": lambda: tables(options.data),
    }
    for name in options.parts.split(","):
        if name not in parts:
            parser.error(f"part {name!r} is not known; allowed: {', '.join(parts)}")
        parts[name]()


if __name__ == "__main__":
    main()
