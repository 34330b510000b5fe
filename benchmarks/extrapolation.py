"""Intervals where the law is wrong: how often they hold a new run 3 and 10 times beyond the data, and the floor.

    uv run python benchmarks/extrapolation.py [--tables 8] [--floors 0] [--seed 7]

Each table is a crossed grid drawn from a law; only the first of those is among the stack's candidates. Six predictions per
table: over N, over D and over both. About five minutes on one core. With --floors the intervals of the floor E are tried
instead, on that many tables per law and setting: those of Chinchilla's form if it holds, by the pair bootstrap, and honestly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scaling.laws import fit
from scaling.laws.fitting.selection import stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.agreement import honest_intervals
from scaling.laws.intervals.bootstrap import pairs
from scaling.laws.intervals.profile import profile_intervals

SETTINGS = ((5, 1, 0.01, 0.0), (4, 2, 0.02, 0.25), (7, 1, 0.004, 0.0))
"""Levels of N and of D, seeds a cell, noise at the smallest D, and the exponent with which noise shrinks with D."""
KINDS = ("chinchilla", "three powers", "break", "drifting exponent", "bounded", "logarithm in N")
SCALE = 1e5

RESAMPLES = 200

Setting = tuple[int, int, float, float]


class Truth(NamedTuple):
    """A law of N and D in units of the smallest of each, and its limit; None where it has none."""

    loss: Callable[[Floats, Floats], Floats]
    floor: float | None

    def table(self, setting: Setting, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """N, D and noisy loss of the rows of a grid."""
        levels, seeds, spread, shrink = setting
        axes = (np.geomspace(1.0, 10 ** rng.uniform(1.0, 2.0), levels) for _ in "ND")
        n, d = (np.tile(axis.ravel(), seeds) for axis in np.meshgrid(*axes))
        return n, d, self.loss(n, d) * np.exp(spread * d**-shrink * rng.normal(size=len(n)))


def truth_of(kind: str, rng: np.random.Generator) -> Truth:
    """A law of that kind with random parameters."""
    floor, a, b = rng.uniform(0.5, 2.0), rng.uniform(0.25, 0.55), rng.uniform(0.25, 0.5)
    first, second = rng.uniform(0.3, 2.0, 2)
    third, slow, place = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.2), np.exp(rng.uniform(2.0, 3.5))
    drift = rng.uniform(-0.03, 0.03)

    def plain(n: Floats, d: Floats) -> Floats:
        return floor + first * n**-a + second * d**-b

    def below(error: Floats) -> Floats:
        return 0.9 * error / (error**3 + 0.9**3) ** (1 / 3)

    losses = {
        "chinchilla": plain,
        "three powers": lambda n, d: plain(n, d) + third * (n * d) ** -slow,
        "break": lambda n, d: floor + first * n**-a + second * d**-b * (1 + d / place) ** (0.5 * b),
        "drifting exponent": lambda n, d: floor + first * n**-a + second * d ** -(b + drift * np.log(n)),
        "bounded": lambda n, d: below(0.05 + first * n**-a + second * d**-b),
        "logarithm in N": lambda n, d: floor + first - 0.06 * first * np.log(n) + second * d**-b,
    }
    floors = {"bounded": float(below(np.array(0.05))), "logarithm in N": None}
    return Truth(losses[kind], floors.get(kind, floor))


def simulate(kind: str, setting: Setting, tables: int, rng: np.random.Generator) -> Floats:
    """Rows of (reach, held honestly, held if true, half width of either in log units, error)."""
    _, _, spread, shrink = setting
    rows = []
    for _ in range(tables):
        truth = truth_of(kind, rng)
        n, d, loss = truth.table(setting, rng)
        model = stack({"N": n * SCALE, "D": d * SCALE}, loss)
        for reach in (3.0, 10.0):
            far_n, far_d = n.max() * np.array([reach, 1.0, reach]), d.max() * np.array([1.0, reach, reach])
            new = truth.loss(far_n, far_d) * np.exp(spread * far_d**-shrink * rng.normal(size=3))
            places = {"N": far_n * SCALE, "D": far_d * SCALE}
            held = []
            for ends in model.intervals(**places):
                held += [(ends.low <= new) & (new <= ends.high), np.log(ends.high / ends.low) / 2]
            errors = np.log(model.predict(**places) / new)
            rows += [(reach, *row) for row in zip(held[0], held[2], held[1], held[3], errors, strict=True)]
    return np.array(rows, float)


def floors_of(kind: str, setting: Setting, tables: int, rng: np.random.Generator) -> str | None:
    """Cells of a line: held and width over E if the law holds, by the bootstrap, honestly; None for a law without a floor."""
    ends: dict[str, list[tuple[float, float] | None]] = {"true": [], "bootstrap": [], "honest": []}
    for _ in range(tables):
        truth = truth_of(kind, rng)
        n, d, loss = truth.table(setting, rng)
        if truth.floor is None:
            return None
        data = {"N": n * SCALE, "D": d * SCALE}
        found = fit(forms.chinchilla(), data, loss, delta=None)
        own, _ = profile_intervals(found)
        honest = honest_intervals(found, data, loss, own)["intervals"]["E"]
        low, high = np.quantile(pairs(found, RESAMPLES, 0)[:, found.law.parameters.index("E")], [0.025, 0.975])
        for name, pair in (("true", own["E"]), ("bootstrap", (low, high)), ("honest", honest)):
            ends[name].append(None if pair is None else (pair[0] / truth.floor, pair[1] / truth.floor))
    cells = []
    for every in ends.values():
        given = [one for one in every if one is not None]
        held = np.mean([low <= 1.0 <= high for low, high in given]) if given else np.nan
        width = np.median([high - low for low, high in given]) if given else np.nan
        cells.append(f"{held:.0%} ({1 - len(given) / len(every):.0%}) | {width:.2f}")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=8, help="a law and setting")
    parser.add_argument("--floors", type=int, default=0, help="tables per law and setting whose floor is tried instead")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    if options.floors:
        names = ("if the law holds", "pair bootstrap", "honestly")
        print(f"| truth | grid | {' | '.join(f'{name}: held (refused) | width over E' for name in names)} |\n|{'---|' * 8}")
        for kind in KINDS:
            for setting in SETTINGS:
                cells = floors_of(kind, setting, options.floors, rng)
                if cells is not None:
                    print(f"| {kind} | {setting[0]} x {setting[0]} x {setting[1]} | {cells} |", flush=True)
        return
    print("| truth | grid | reach | held honestly | held if true | half width honestly | half width if true | rms error |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for setting in SETTINGS:
            rows = simulate(kind, setting, options.tables, rng)
            for reach in (3.0, 10.0):
                part = rows[rows[:, 0] == reach]
                shares, widths = part[:, 1:3].mean(axis=0), np.median(part[:, 3:5], axis=0)
                rms = np.sqrt(np.mean(part[:, 5] ** 2))
                grid = f"{setting[0]} x {setting[0]} x {setting[1]}"
                cells = (*(f"{share:.0%}" for share in shares), *(f"{width:.3f}" for width in widths), f"{rms:.3f}")
                print(f"| {kind} | {grid} | {reach:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
