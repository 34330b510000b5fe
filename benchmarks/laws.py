"""Scaling-law fits beside the published procedures, on one machine in one run.

    uv run python benchmarks/laws.py DATA [--starts 1000] [--published 20] [--parts optimum,bootstrap,curves,grid]

DATA is a folder with chinchilla_245.csv (Besiroglu et al. 2024), few_shot_curves_72.csv (Alabdulmohsin et al. 2022) and
vision_grid_imagenet.csv (Gokce and Schrimpf). Takes about three minutes on one core with the defaults.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import logsumexp

from scaling.laws import fit
from scaling.laws.any_table.extrapolate import extrapolate_table
from scaling.laws.fitting.newton import huber, minimise
from scaling.laws.fitting.solver import SAME_OPTIMUM, make_problem, spread_of
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
        raw = (end := minimise(make_problem(law, logs, log_y, width), raw, np.ones(len(loss)), tolerance=tolerance)).theta
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


def grid(folder: Path) -> None:
    """ImageNet grid: the largest data size predicted from those below 35 % of it."""
    print("\n## ImageNet grid, root mean square log error on the test rows")
    path = folder / "vision_grid_imagenet.csv"
    for estimator in ("auto", "bounded", "chinchilla"):
        result = extrapolate_table(path, n="params", d="images", y="error", by=["family"], split="split", estimator=estimator)
        rows = [
            f"{c['group']['family']} {number(c['rmse_log'])} "
            f"(inside {number(c.get('rmse_log_inside'))}, outside {number(c.get('rmse_log_outside'))})"
            for c in result["curves"]
        ]
        print(f"{estimator}: mean {number(result['mean'])}; " + "; ".join(rows))


def number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--published", type=int, default=20, help="starts and resamples of the published procedure")
    parser.add_argument("--parts", default="optimum,bootstrap,curves,grid")
    options = parser.parse_args()
    parts = {
        "optimum": lambda: optimum(options.data, options.starts, options.published),
        "bootstrap": lambda: bootstrap(options.data, options.published),
        "curves": lambda: curves(options.data),
        "grid": lambda: grid(options.data),
    }
    for name in options.parts.split(","):
        if name not in parts:
            parser.error(f"part {name!r} is not known; allowed: {', '.join(parts)}")
        parts[name]()


if __name__ == "__main__":
    main()
