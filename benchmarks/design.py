"""Which runs tell most for their cost? Designs that are only planned, simulated, and replayed on public tables.

    uv run python benchmarks/design.py grids RUNS.csv        expected widths of other grids, before anything is trained
    uv run python benchmarks/design.py simulated             designs followed on simulated truths, beside the whole grid
    uv run python benchmarks/design.py replayed DATA         designs followed on the public tables, beside the whole tables

grids: RUNS is a runs table of a study that ran (``reports/<study>/runs.csv``): its laws, its noise between seeds and its
seconds per run stand for what another grid would show. For each design: core minutes, and the median over families of the 95 %
widths of alpha and beta (root mean square of both) and of the log prediction at three times the largest N and D.

simulated and replayed: a pilot of the cheapest rows is fitted; the runs that narrow the prediction most for their cost are
added, up to a share of the cost of the whole grid; the law is fitted again, and so on. Beside it rows in random order, the
cheapest first, and the whole grid. The error is that of the predictions of the test rows (simulated: of the truth at three
times the largest N and D).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.analysis.design_evidence import UNKNOWN_PLACE
from scaling.laws import Law, fit
from scaling.laws.design.asked import Asked, asked_of, gradients
from scaling.laws.design.narrowing import WIDTH, Narrowing
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.design.spending import Aim, spend
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.points import too_few
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.catalogue import law_named

Grid = dict[float, int]
"""D -> seeds."""
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5)
"""Shares of the cost of the whole grid after which the law is fitted and runs are chosen again."""
PILOTS = 10
"""Pilots from which the public tables are replayed: one replay says little, as the random orders show."""


class Family(NamedTuple):
    """What a family showed: its law, the noise of its runs, log seconds of a run as a plane in log N and log D [3], its N."""

    name: str
    found: Fit
    noise: RunNoise
    cost: np.ndarray
    sizes: tuple[float, float]


def learn(runs: pl.DataFrame, slope: float) -> list[Family]:
    """Laws, noise and costs of the families of a runs table."""
    families = []
    for (name,), rows in runs.filter(pl.col("status") == "done").group_by("family", maintain_order=True):
        n, d, y, s = (rows[c].cast(pl.Float64).to_numpy() for c in ("params", "images", "loss", "seconds"))
        weights = (d / 1000.0) ** -slope
        found = fit(forms.chinchilla(), {"N": n, "D": d}, y, weights, delta=None)
        variance = float(np.sum(weights * found.residuals**2) / max(len(y) - 5, 1))
        cost = np.linalg.lstsq(np.column_stack([np.ones(len(n)), np.log(n), np.log(d)]), np.log(s), rcond=None)[0]
        noise = RunNoise(variance, slope, float(np.log(1000.0)))
        families.append(Family(str(name), found, noise, cost, (n.min(), n.max())))
    return families


def evaluate(family: Family, sizes: int, grid: Grid, reach: float) -> tuple[float, list[float]]:
    """Core seconds of a design, and the widths of the exponents and of the log prediction beyond it."""
    low, high = family.sizes
    levels = np.geomspace(low, high * reach, sizes)
    n, d = (
        np.array(c)
        for c in zip(*((size, images) for size in levels for images, k in grid.items() for _ in range(k)), strict=True)
    )
    seconds = float(np.exp(family.cost @ np.array([np.ones(len(n)), np.log(n), np.log(d)])).sum())
    runs = Runs(np.log(np.column_stack([n, d])), np.arange(len(n), dtype=float))
    nothing = Runs(np.zeros((0, 2)), np.zeros(0))
    goals = [asked_of(family.found, "exponents"), asked_of(family.found, "prediction")]
    return seconds, [WIDTH * Narrowing(family.found, family.noise, runs, nothing, asked).variance ** 0.5 for asked in goals]


DESIGNS: dict[str, tuple[int, Grid, float]] = {
    "4 sizes, D 500 x2, 1k, 2k, 4k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "4 sizes, two seeds everywhere": (4, {500: 2, 1000: 2, 2000: 2, 4000: 2}, 1.0),
    "4 sizes, D 500 x3, 1k x3, 2k, 4k": (4, {500: 3, 1000: 3, 2000: 1, 4000: 1}, 1.0),
    "4 sizes, D 500 x3, 1k x2, 2k x2, 4k": (4, {500: 3, 1000: 2, 2000: 2, 4000: 1}, 1.0),
    "4 sizes, 3 seeds, D 500, 1k, 2k": (4, {500: 3, 1000: 3, 2000: 3}, 1.0),
    "5 sizes, D 500 x2, 1k, 2k, 4k": (5, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "6 sizes, D 500, 1k, 2k, 4k": (6, {500: 1, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "4 sizes to 2 N, D 500 x3, 1k x2, 2k, 4k": (4, {500: 3, 1000: 2, 2000: 1, 4000: 1}, 2.0),
    "4 sizes to 2 N, D 500 x2, 1k, 2k, 4k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 2.0),
    "5 sizes to 2 N, D 500 x2, 1k, 2k, 4k": (5, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 2.0),
    "4 sizes, D 500 x2, 1k, 2k, 4k, 8k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1, 8000: 1}, 1.0),
    "4 sizes, D 300 x2, 600, 1.2k, 2.4k, 4.8k": (4, {300: 2, 600: 1, 1200: 1, 2400: 1, 4800: 1}, 1.0),
    "4 sizes, D 500 x4, 1.4k x2, 4k": (4, {500: 4, 1400: 2, 4000: 1}, 1.0),
    "4 sizes, D 500 x3, 1k x2, 2k x2, 4k x2": (4, {500: 3, 1000: 2, 2000: 2, 4000: 2}, 1.0),
    "4 sizes, D 500 x3, 2k x2, 8k": (4, {500: 3, 2000: 2, 8000: 1}, 1.0),
}


def grids(path: Path, slope: float) -> None:
    """Expected widths of the designs above."""
    families = learn(pl.read_csv(path), slope)
    print(f"{'design':44} core minutes  width of exponents, of the log prediction at 3x (median of families)")
    for name, (sizes, grid, reach) in DESIGNS.items():
        found = [evaluate(family, sizes, grid, reach) for family in families]
        minutes = sum(seconds for seconds, _ in found) / 60
        widths = np.median([width for _, width in found], axis=0)
        print(f"{name:44} {minutes:8.1f}      " + "  ".join(f"{width:.3f}" for width in widths))


class Table(NamedTuple):
    """Rows that a design may choose from, and rows that are to be predicted.

    Attributes:
        name: for people; law: that is fitted.
        logs: uncentred logs of the law's variables [n, k]; log_y: log response [n]; cost: [n].
        places: logs of the variables where the law is asked for [m, k]; truth: log response there [m].
    """

    name: str
    law: Law
    logs: np.ndarray
    log_y: np.ndarray
    cost: np.ndarray
    places: np.ndarray
    truth: np.ndarray


def fitted(table: Table, rows: np.ndarray) -> Fit:
    """The law fitted to some rows of a table."""
    data = {name: np.exp(table.logs[rows, i]) for i, name in enumerate(table.law.variables)}
    return fit(table.law, data, np.exp(table.log_y[rows]), delta=None)


def error_of(table: Table, rows: np.ndarray) -> float:
    """Root mean square log error of the predictions from some rows; NaN where nothing can be fitted."""
    found = fitted(table, rows)
    if not found.parameters:
        return float("nan")
    predicted = found.law.log_values(found.theta[None], table.places - found.centre)[0]
    return float(np.sqrt(np.mean((predicted - table.truth) ** 2)))


def pilot_of(table: Table, rng: np.random.Generator | None = None) -> np.ndarray:
    """The cheapest rows that a law can be fitted to with as many rows to spare as it has parameters.

    With ``rng`` each row counts as if it cost up to e times less or more: other pilots, about as cheap.
    """
    price = np.log(table.cost) + (0.0 if rng is None else rng.uniform(-1.0, 1.0, len(table.cost)))
    order = np.argsort(price, kind="stable")
    for count in range(2 * len(table.law.parameters), len(order)):
        if not too_few(table.law, table.logs[order[:count]]):
            return order[:count]
    return order


def add_by_design(table: Table, rows: np.ndarray, limit: float) -> np.ndarray:
    """The rows with those that narrow the predictions most added, up to the cost ``limit``."""
    found = fitted(table, rows)
    left = limit - float(table.cost[rows].sum())
    rest = np.setdiff1d(np.arange(len(table.cost)), rows)
    if not found.parameters or left <= 0 or not len(rest):
        return rows
    spare = max(len(rows) - len(table.law.parameters), 1)
    noise = RunNoise(max(float(np.sum(found.residuals**2)) / spare, 1e-8), place=UNKNOWN_PLACE)
    runs, others = (Runs(table.logs[part], part.astype(float)) for part in (rows, rest))
    asked = Asked(gradients(found, table.places - found.centre), "log response", table.places)
    family = Narrowing(found, noise, runs, others, asked)
    chosen = spend([family], [table.cost[rest]], left, Aim([family], paired=False))
    return np.concatenate([rows, rest[[choice.candidate for choice in chosen]]])


def in_turn(order: np.ndarray) -> Callable[[Table, np.ndarray, float], np.ndarray]:
    """A rival of the design: the rows in this order, as far as they fit below the limit."""

    def add(table: Table, rows: np.ndarray, limit: float) -> np.ndarray:
        taken = list(rows)
        spent = float(table.cost[rows].sum())
        for row in order:
            if row not in taken and spent + table.cost[row] <= limit:
                taken.append(row)
                spent += float(table.cost[row])
        return np.array(taken)

    return add


def followed(table: Table, pilot: np.ndarray, add: Callable[[Table, np.ndarray, float], np.ndarray]) -> list[float]:
    """Error after each of the SHARES; NaN while the pilot alone costs more."""
    rows, errors = pilot, []
    for share in SHARES:
        limit = share * float(table.cost.sum())
        if table.cost[rows].sum() > limit:
            errors.append(float("nan"))
            continue
        rows = add(table, rows, limit)
        errors.append(error_of(table, rows))
    return errors


def compared(table: Table, seed: int = 0, pilots: int = 1) -> dict[str, np.ndarray]:
    """Errors [pilots, shares] of the design, of one random order for each pilot and of the cheapest rows first, all from the
    same pilots; and of the whole table [1]. The first pilot is the cheapest."""
    rng = np.random.default_rng(seed)
    ways: dict[str, list[list[float]]] = {"design": [], "random": [], "cheapest": []}
    cheapest = in_turn(np.argsort(table.cost, kind="stable"))
    for number in range(pilots):
        pilot = pilot_of(table, rng if number else None)
        adds = {"design": add_by_design, "random": in_turn(rng.permutation(len(table.cost))), "cheapest": cheapest}
        for way, add in adds.items():
            ways[way].append(followed(table, pilot, add))
    return {way: np.array(errors) for way, errors in ways.items()} | {
        "whole": np.array([error_of(table, np.arange(len(table.cost)))])
    }


def show(name: str, pilot: float, found: dict[str, np.ndarray]) -> None:
    """A table of errors by share of the cost, medians over pilots, and in how many of them the design was ahead."""
    print(f"\n{name}: pilot {pilot:.1%} of the cost, whole table {found['whole'][0]:.4f}")
    print(f"{'':20}" + "".join(f"{share:>8.0%}" for share in SHARES))
    for way in ("design", "random", "cheapest"):
        print(f"{way:20}" + "".join(f"{error:8.4f}" for error in median(found[way])))
    ahead = np.where(np.isnan(found["design"]), np.nan, found["design"] < found["random"])
    print(f"{'ahead of random in':20}" + "".join(f"{share:>8.0%}" for share in mean(ahead)), flush=True)


def median(errors: np.ndarray) -> np.ndarray:
    """Median over pilots of those whose cost allows a fit; NaN where there is none."""
    return np.array([np.median(kept) if len(kept := column[~np.isnan(column)]) else np.nan for column in errors.T])


def mean(shares: np.ndarray) -> np.ndarray:
    """The same for means."""
    return np.array([np.mean(kept) if len(kept := column[~np.isnan(column)]) else np.nan for column in shares.T])


def public_tables(folder: Path) -> list[Table]:
    """The public tables, with the rows that they keep for testing."""

    def table(name: str, law: Law, frame: pl.DataFrame, columns: Sequence[str], y: str, cost: pl.Expr) -> Table:
        frame = frame.with_columns(cost.alias("(cost)"))
        train, test = (frame.filter(pl.col("split") == part) for part in ("train", "test"))
        logs = [np.log(part.select(columns).cast(pl.Float64).to_numpy()) for part in (train, test)]
        ys = [np.log(part[y].to_numpy()) for part in (train, test)]
        return Table(name, law, logs[0], ys[0], train["(cost)"].to_numpy(), logs[1], ys[1])

    flop = 6.0 * pl.col("params") * pl.col("tokens")
    repeated = pl.read_csv(folder / "lm_repeated_182.csv")
    points = pl.read_csv(folder / "chinchilla_245.csv").sort("loss")[:-5].sort("flop")
    points = points.with_columns(split=pl.when(pl.int_range(pl.len()) < 216).then(pl.lit("train")).otherwise(pl.lit("test")))
    vision = pl.read_csv(folder / "vision_grid_imagenet.csv")
    return [
        table("lm_grid", law_named("chinchilla"), pl.read_csv(folder / "lm_grid.csv"), ["params", "tokens"], "loss", flop),
        table(
            "chinchilla, test: the 24 dearest", law_named("chinchilla"), points, ["params", "tokens"], "loss", pl.col("flop")
        ),
        table("lm_repeated_182", law_named("overfitting"), repeated, ["params", "tokens", "unique_tokens"], "loss", flop),
        *(
            table(f"ImageNet, {name}", law_named("bounded", 0.999), rows, ["params", "images"], "error", pl.col("flop"))
            for (name,), rows in vision.group_by("family", maintain_order=True)
        ),
    ]


TRUTHS = {
    "mlp": {"E": 0.25, "A": 40.0, "alpha": 0.60, "B": 3.5, "beta": 0.35},
    "vgg": {"E": 0.20, "A": 6.0, "alpha": 0.45, "B": 14.0, "beta": 0.55},
    "vit": {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45},
}
"""Laws of the size that small image classifiers show."""


def simulated_table(truth: dict[str, float], levels: int, seeds: int, noise: float, rng: np.random.Generator) -> Table:
    """A grid of ``levels`` N and D over two decades each, and the truth at three times the largest."""
    law = forms.chinchilla()
    n, d, _ = (a.ravel() for a in np.meshgrid(np.geomspace(5e3, 5e5, levels), np.geomspace(300, 3e4, levels), range(seeds)))
    log_y = np.log(law.predict(truth, N=n, D=d)) + noise * rng.normal(size=len(n))
    place = np.array([[1.5e6, 9e4]])
    value = np.log(law.predict(truth, N=place[:, 0], D=place[:, 1]))
    return Table("", law, np.log(np.column_stack([n, d])), log_y, n * d, np.log(place), value)


def simulated(repeats: int) -> None:
    """Designs on simulated grids; medians over repetitions."""
    for name, truth in TRUTHS.items():
        for levels, seeds, noise in ((6, 1, 0.01), (6, 2, 0.02), (8, 1, 0.02)):
            found, pilots = [], []
            for repeat in range(repeats):
                table = simulated_table(truth, levels, seeds, noise, np.random.default_rng(repeat))
                pilots.append(table.cost[pilot_of(table)].sum() / table.cost.sum())
                found.append(compared(table, repeat))
            merged = {way: np.concatenate([one[way] for one in found]) for way in found[0]}
            merged["whole"] = np.median(merged["whole"], keepdims=True)
            show(f"{name}, {levels} x {levels}, {seeds} seeds, noise {noise:.0%}", float(np.mean(pilots)), merged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("grids", "simulated", "replayed"))
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--slope", type=float, default=-0.5, help="grids: d log variance / d log D of the noise")
    parser.add_argument("--repeats", type=int, default=40, help="simulated: grids per setting")
    options = parser.parse_args()
    if options.part == "simulated":
        simulated(options.repeats)
        return
    if options.path is None:
        parser.error(f"{options.part} needs a path")
    if options.part == "grids":
        grids(options.path, options.slope)
        return
    for table in public_tables(options.path):
        show(table.name, table.cost[pilot_of(table)].sum() / table.cost.sum(), compared(table, pilots=PILOTS))


if __name__ == "__main__":
    main()
