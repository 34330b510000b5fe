"""Intervals of predictions where the law is wrong: how often they hold a new run 3 and 10 times beyond the data.

    uv run python benchmarks/extrapolation.py [--tables 8] [--seed 7]

Each table is a crossed grid drawn from a law; only the first of those is among the stack's candidates. Six predictions a table:
over N, over D and over both. About five minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from scaling.laws.fitting.selection import stack
from scaling.laws.forms.terms import Floats

SETTINGS = ((5, 1, 0.01, 0.0), (4, 2, 0.02, 0.25), (7, 1, 0.004, 0.0))
"""Levels of N and of D, seeds a cell, noise at the smallest D, and the exponent with which noise shrinks with D."""
KINDS = ("chinchilla", "three powers", "break", "drifting exponent", "bounded", "logarithm in N")
SCALE = 1e5

Truth = Callable[[Floats, Floats], Floats]


def truth_of(kind: str, rng: np.random.Generator) -> Truth:
    """A law of N and D in units of the smallest of each."""
    floor, a, b = rng.uniform(0.5, 2.0), rng.uniform(0.25, 0.55), rng.uniform(0.25, 0.5)
    first, second = rng.uniform(0.3, 2.0, 2)
    third, slow, place = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.2), np.exp(rng.uniform(2.0, 3.5))
    drift = rng.uniform(-0.03, 0.03)

    def plain(n: Floats, d: Floats) -> Floats:
        return floor + first * n**-a + second * d**-b

    def bounded(n: Floats, d: Floats) -> Floats:
        error = 0.05 + first * n**-a + second * d**-b
        return 0.9 * error / (error**3 + 0.9**3) ** (1 / 3)

    return {
        "chinchilla": plain,
        "three powers": lambda n, d: plain(n, d) + third * (n * d) ** -slow,
        "break": lambda n, d: floor + first * n**-a + second * d**-b * (1 + d / place) ** (0.5 * b),
        "drifting exponent": lambda n, d: floor + first * n**-a + second * d ** -(b + drift * np.log(n)),
        "bounded": bounded,
        "logarithm in N": lambda n, d: floor + first - 0.06 * first * np.log(n) + second * d**-b,
    }[kind]


def simulate(kind: str, setting: tuple[int, int, float, float], tables: int, rng: np.random.Generator) -> Floats:
    """Rows of (reach, held honestly, held if true, half width of either in log units, error)."""
    levels, seeds, spread, shrink = setting
    rows = []
    for _ in range(tables):
        truth = truth_of(kind, rng)
        axes = (np.geomspace(1.0, 10 ** rng.uniform(1.0, 2.0), levels) for _ in "ND")
        n, d = (np.tile(axis.ravel(), seeds) for axis in np.meshgrid(*axes))
        model = stack({"N": n * SCALE, "D": d * SCALE}, truth(n, d) * np.exp(spread * d**-shrink * rng.normal(size=len(n))))
        for reach in (3.0, 10.0):
            far_n, far_d = n.max() * np.array([reach, 1.0, reach]), d.max() * np.array([1.0, reach, reach])
            new = truth(far_n, far_d) * np.exp(spread * far_d**-shrink * rng.normal(size=3))
            places = {"N": far_n * SCALE, "D": far_d * SCALE}
            held = []
            for ends in model.intervals(**places):
                held += [(ends.low <= new) & (new <= ends.high), np.log(ends.high / ends.low) / 2]
            errors = np.log(model.predict(**places) / new)
            rows += [(reach, *row) for row in zip(held[0], held[2], held[1], held[3], errors, strict=True)]
    return np.array(rows, float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=8, help="a law and setting")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
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
