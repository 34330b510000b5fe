"""How biased is the parabola through isoFLOP slices, and do the intervals of the exponent of N* cover?

    uv run python benchmarks/isoflop.py [--replicates 300]

Without noise: error of N*, extrapolated by the power law through the slices' optima to a thousand times the largest
budget. With noise: bias and standard deviation of the exponent a of N* ~ C^a, coverage of its 95 % interval, and its median
width. Three ways: the surface, slice by slice, the parabola (``laws/compute_optimal/isoflop.py``). About three minutes on one
core.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scaling.laws import fit
from scaling.laws.compute_optimal.frontier import Compute, SixND, tabled_compute
from scaling.laws.compute_optimal.isoflop import WAYS, isoflop
from scaling.laws.compute_optimal.slices import slices_of
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import residual_draws

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from synthetic_runs import TRUTHS

LAW = forms.chinchilla()
FURTHER = 1e3
RESAMPLES = 200


class Design(NamedTuple):
    """Rows of a table, the law behind them and the price of (N, D)."""

    truth: dict[str, float]
    params: Floats
    images: Floats
    flop: Floats
    compute: Compute

    @property
    def exponent(self) -> float:
        """True a of N* ~ C^a where compute is in proportion to N D."""
        return self.truth["beta"] / (self.truth["alpha"] + self.truth["beta"])


def best_params(truth: dict[str, float], flop: float) -> float:
    """N* where C = 6 N D (Hoffmann et al. 2022, equation 4)."""
    a, b = truth["alpha"], truth["beta"]
    return (a * truth["A"] / (b * truth["B"])) ** (1 / (a + b)) * (flop / 6) ** (b / (a + b))


def slice_design(alpha: float, beta: float, width: float, offset: float, drift: float) -> Design:
    """Five slices from 1e18 to 1e21 FLOP of seven sizes, a factor ``width`` to either side of 10^offset times N*.

    From slice to slice the centre drifts by another 10^drift. At 1e20 FLOP the optimum is N = 1e9 and 0.6 above the floor.
    """
    images = 1e20 / 6 / 1e9
    share = beta / (alpha + beta)
    truth = {"E": 1.8, "A": 0.6 * share * 1e9**alpha, "alpha": alpha, "B": 0.6 * (1 - share) * images**beta, "beta": beta}
    sizes, data = [], []
    for step, flop in enumerate(np.geomspace(1e18, 1e21, 5)):
        centre = best_params(truth, flop) * 10 ** (offset + drift * (step - 2))
        sizes.append(centre * width ** np.linspace(-1, 1, 7))
        data.append(flop / 6 / sizes[-1])
    n, d = np.concatenate(sizes), np.concatenate(data)
    price = SixND((np.log(n.min()) - 9, np.log(n.max()) + 9), (np.log(6 * n.min() * d.min()), np.log(1e30)))
    return Design(truth, n, d, 6 * n * d, price)


def grid_design(family: str, levels: int, span: float) -> Design:
    """A crossed grid about a point of the frontier at D = 2000, N and D over a factor ``span`` each."""
    truth = dict(TRUTHS[family])
    # On the frontier alpha A / N^alpha = beta B / D^beta.
    centre = (truth["alpha"] * truth["A"] / (truth["beta"] * truth["B"] * 2000.0 ** -truth["beta"])) ** (1 / truth["alpha"])
    steps = span ** np.linspace(-0.5, 0.5, levels)
    n, d = (axis.ravel() for axis in np.meshgrid(centre * steps, 2000.0 * steps))
    flop = 180.0 * n * 24.0 * d
    return Design(truth, n, d, flop, tabled_compute(n, d, flop))


def noiseless(design: Design) -> list[float]:
    """Relative error of N* at FURTHER times the largest budget, by each way."""
    loss = LAW.predict(design.truth, N=design.params, D=design.images)
    found = fit(LAW, {"N": design.params, "D": design.images}, loss)
    slices = slices_of(design.params, design.images, design.flop, design.compute)
    result = isoflop(found, slices, design.compute, found.log_y[None])
    log_flop = np.array([one.log_flop for one in slices])
    target = FURTHER * float(np.exp(log_flop[-1]))
    errors = []
    for way in WAYS:
        line = np.polyfit(log_flop, result.optima[way].log_params[0], 1)
        errors.append(float(np.exp(np.polyval(line, np.log(target)))) / best_params(design.truth, target) - 1)
    return errors


def noisy(design: Design, noise: float, replicates: int) -> dict[str, tuple[float, ...]]:
    """Way -> bias, standard deviation, coverage, median width, share without an estimate."""
    rng = np.random.default_rng(0)
    slices = slices_of(design.params, design.images, design.flop, design.compute)
    clean = LAW.predict(design.truth, N=design.params, D=design.images)
    rows: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for seed in range(replicates):
        loss = clean * np.exp(noise * rng.normal(size=len(clean)))
        found = fit(LAW, {"N": design.params, "D": design.images}, loss, delta=None, starts=6)
        result = isoflop(found, slices, design.compute, residual_draws(found, RESAMPLES, seed))
        for way in WAYS:
            one = result.exponents["a"][way]
            rows[way].append((np.nan,) * 3 if one is None else tuple(one))
    summary = {}
    for way, values in rows.items():
        value, low, high = np.array(values).T
        inside = (low <= design.exponent) & (design.exponent <= high)
        known = np.isfinite(value)
        summary[way] = (
            float(np.mean(value[known]) - design.exponent),
            float(np.std(value[known])),
            float(np.mean(inside[known])),
            float(np.median((high - low)[known])),
            1.0 - float(np.mean(known)),
        )
    return summary


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=300)
    replicates = parser.parse_args().replicates
    print(f"no noise: error of N* at {FURTHER:g} times the largest budget\n")
    print("| alpha | beta | sizes: factor either side | off centre by | drift a slice | surface | slices | parabola |")
    print("|---|---|---|---|---|---|---|---|")
    for alpha, beta in ((0.34, 0.34), (0.3478, 0.3658), (0.34, 0.28), (0.46, 0.25), (0.25, 0.55)):
        for width, offset, drift in ((2.0, 0.0, 0.0), (8.0, 0.0, 0.0), (8.0, 0.3, 0.0), (8.0, 0.0, 0.15)):
            errors = noiseless(slice_design(alpha, beta, width, offset, drift))
            shown = " | ".join(f"{error:+.1%}" for error in errors)
            print(f"| {alpha} | {beta} | {width:g} | {10**offset:.2g} | {10**drift:.2g} | {shown} |")
    print(f"\nnoise: exponent of N*, {replicates} tables a row\n")
    print("| design | noise | true a | way | bias | deviation | coverage | median width | no estimate |")
    print("|---|---|---|---|---|---|---|---|---|")
    designs = {
        "grid 4x4, factor 10": (grid_design("mlp", 4, 10.0), 0.01),
        "grid 5x5, factor 30": (grid_design("vit", 5, 30.0), 0.02),
        "grid 6x6, factor 100": (grid_design("resnet", 6, 100.0), 0.02),
        "slices, factor 8, off by 2": (slice_design(0.3478, 0.3658, 8.0, 0.3, 0.0), 0.01),
        "slices, unequal exponents": (slice_design(0.46, 0.25, 8.0, 0.3, 0.0), 0.01),
    }
    for name, (design, noise) in designs.items():
        clock = time.process_time()
        for way, row in noisy(design, noise, replicates).items():
            bias, deviation, coverage, width, lacking = row
            numbers = f"{bias:+.4f} | {deviation:.4f} | {coverage:.1%} | {width:.3f} | {lacking:.1%}"
            print(f"| {name} | {noise:.1%} | {design.exponent:.3f} | {way} | {numbers} |", flush=True)
        print(f"  ({(time.process_time() - clock) / replicates * 1e3:.0f} ms of CPU a table)")


if __name__ == "__main__":
    main()
