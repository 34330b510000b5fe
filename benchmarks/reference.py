"""The answers to the questions of docs/reference.md, by the rules written there before any run.

    uv run python benchmarks/reference.py [--reports reports]

Reads reports/reference/runs.csv, as it is shipped or as the study has written it, and fits its laws. For question 7 it reads
reports/reference-convergence/runs.csv too, where that study has run: its runs are trained twice as long. A minute or two.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import root_scalar

from scaling.analysis.family_evidence import Judged, judge_families
from scaling.analysis.study_statistics import fit_study
from scaling.analysis.usable_runs import cells_of
from scaling.laws import predict
from scaling.laws.fitting.holdout import ORIGINS, predict_splits, rolling_splits
from scaling.laws.fitting.solver import fit
from scaling.laws.forms import known_laws as forms
from scaling.runs.records import SCHEMA

TRANSFORMERS = ("vit", "swin")
CONVOLUTIONAL = ("alexnet", "vgg", "googlenet", "resnet", "convnext")
WAYS = {"params": "larger N", "images": "larger D", "both": "both"}

CLASSES = 10
"""Of Fashion-MNIST."""
PREDICTS, FAILS = 0.0, 0.1
"""Question 1: an interval of skill above the first says yes, below the second no."""
LEVEL, EQUIVALENT = 0.05, 0.2
"""Question 2: the level of p, and the difference in skill that would matter."""
SHARE = 0.975
"""Question 4: the share of resamples that must cross."""
REACH = 10
"""Question 4: crossings are sought up to this factor beyond the grid."""
PUBLISHED = (("alpha", 0.156), ("alpha", 0.106), ("alpha", 0.16), ("alpha", 0.26), ("beta", 0.43))
"""Question 6 (arXiv:2603.07365): two exponents of CIFAR-100, then width, depth and data of small convolutional nets."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    folder = parser.parse_args().reports
    runs = read_runs(folder / "reference" / "runs.csv")
    fits = fit_study(runs, classes=CLASSES)
    answers = predicts(fits)
    between_kinds(fits)
    not_all(answers, fits)
    crossings(fits, runs)
    floor_or_exponential(fits, runs)
    exponents(fits)
    longer = folder / "reference-convergence" / "runs.csv"
    if longer.exists():
        long_enough(fits, read_runs(longer))


def read_runs(path: Path) -> pl.DataFrame:
    """The runs table of a report, with the types that it was written with."""
    return pl.read_csv(path, schema_overrides=SCHEMA)


def shown(ends: Iterable[float] | None, digits: int = 2) -> str:
    return "no interval" if ends is None else "[" + ", ".join(f"{end:.{digits}f}" for end in ends) + "]"


def predicts(fits: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Question 1: (family, origin) -> yes, no, cannot tell, or does not scale here."""
    print("\n1. Which laws predict? Skill over the nearest smaller run")
    scales = {row["family"]: row["scales"] for row in fits["verdicts"]}
    answers = {}
    for row in fits["holdout"]:
        if row["response"] != "loss":
            continue
        ends, key = row["interval"], (row["family"], row["origin"])
        if not scales[row["family"]]:
            answers[key] = "does not scale here"
        elif ends is None:
            answers[key] = f"cannot tell: {row['reason']}"
        else:
            answers[key] = "yes" if ends[0] > PREDICTS else "no" if ends[1] < FAILS else "cannot tell"
        skill = "" if row["skill"] is None else f"{row['skill']:.2f} {shown(ends)}"
        print(f"  {row['family']:10} {WAYS[row['origin']]:9} {skill:24} {answers[key]}")
    return answers


def between_kinds(fits: dict[str, Any]) -> None:
    """Question 2, the primary hypothesis: transformers minus convolutional families."""
    print("\n2. Does a transformer's law predict better than a convolutional one's?")
    for row in fits["pairs"]:
        kinds = [row["first"].split()[0], row["second"].split()[0]]
        if row["contrast"] != "skill" or set(kinds) != {"transformer", "convolutional"}:
            continue
        sign = 1 if kinds[0] == "transformer" else -1
        low, high = sorted(sign * end for end in row["interval"])
        if row["p"] < LEVEL and low * high > 0:
            answer = "yes" if low > 0 else "no, worse"
        else:
            within = low > -EQUIVALENT and high < EQUIVALENT
            answer = f"no difference larger than {EQUIVALENT}" if within else "cannot tell"
        print(f"  difference {sign * row['difference']:.2f} [{low:.2f}, {high:.2f}], p = {row['p']:.4f}: {answer}")


def not_all(answers: dict[tuple[str, str], str], fits: dict[str, Any]) -> None:
    """Question 3: some family's law fails in a direction in which both transformers' laws predict."""
    families = [row["family"] for row in fits["verdicts"]]
    failing = [
        (family, way)
        for way in WAYS
        for family in families
        if answers[family, way] in ("no", "does not scale here") and all(answers[name, way] == "yes" for name in TRANSFORMERS)
    ]
    everywhere = all(answers[family, way] == "yes" for family in families for way in WAYS)
    named = ", ".join(f"{family} ({WAYS[way]})" for family, way in failing)
    print(f"\n3. Not all models do: {'yes: ' + named if failing else 'no' if everywhere else 'cannot tell'}")


def last_crossing(first: dict, second: dict, along: str, other: float, span: tuple[float, float], draw: int | None) -> float:
    """log of the last N or D (``along``) within ``span`` at which two laws are equal, at the other one fixed; or infinity."""

    def gap(log_x: float | np.ndarray) -> float | np.ndarray:
        x = np.exp(log_x)
        at = (x, other) if along == "params" else (other, x)
        return np.log(predict(first, *at, draw)) - np.log(predict(second, *at, draw))

    grid = np.linspace(math.log(span[0]), math.log(span[1]), 80)
    signs = np.sign(gap(grid))
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    if not len(changes):
        return math.inf
    return float(root_scalar(gap, bracket=(grid[changes[-1]], grid[changes[-1] + 1])).root)


def crossings(fits: dict[str, Any], runs: pl.DataFrame) -> None:
    """Question 4: for each transformer and convolutional family, along D at the largest N, and along N at the largest D."""
    laws = {row["family"]: row for row in fits["fits"] if row["response"] == "loss" and row["parameters"]}
    for along, fixed in (("images", "params"), ("params", "images")):
        grid, letter = runs[along], {"images": "D", "params": "N"}[along]
        span = (float(grid.min()) / REACH, float(grid.max()) * REACH)
        print(f"\n4. Do the laws cross, along {letter} from {span[0]:,.0f} to {span[1]:,.0f}?")
        for t, c in product(TRANSFORMERS, CONVOLUTIONAL):
            if t not in laws or c not in laws:
                continue
            own = runs.filter(pl.col("family").is_in([t, c]))
            at = (laws[t], laws[c], along, float(own[fixed].max()), span)
            point = last_crossing(*at, None)
            count = min(len(laws[t]["draws"]), len(laws[c]["draws"]))
            draws = np.array([last_crossing(*at, draw) for draw in range(count)])
            crossed = draws[np.isfinite(draws)]
            share = len(crossed) / count if count else 0.0
            ends = np.exp(np.quantile(crossed, [0.025, 0.975])) if len(crossed) > 1 else None
            where = f"{letter} = {math.exp(point):,.0f}" if math.isfinite(point) else "no crossing"
            answer = "yes" if share >= SHARE and math.isfinite(point) else "no" if share <= 1 - SHARE else "cannot tell"
            beyond = ", an extrapolation" if math.isfinite(point) and not grid.min() <= math.exp(point) <= grid.max() else ""
            print(f"  {t} and {c}: {where} {shown(ends, 0)}, in {share:.0%} of the resamples: {answer}{beyond}")


def floor_or_exponential(fits: dict[str, Any], runs: pl.DataFrame) -> None:
    """Question 5: mean difference of squared log errors on held-out runs, with its standard error over the origins' fits."""
    print("\n5. Does a power law with a floor predict better than an exponential approach to one?")
    rows = {row["family"]: row for row in fits["fits"] if row["response"] == "loss" and row["parameters"]}
    law = forms.chinchilla()
    for one in judge_families([cells_of(runs, family, "loss") for family in rows], law, seed=0, resamples=2):
        differences = np.array(_squared_error_gaps(one))
        if len(differences) < 2:
            print(f"  {one.cells.family}: cannot tell, too few held-out runs")
            continue
        mean, error = differences.mean(), differences.std(ddof=1) / math.sqrt(len(differences))
        answer = "yes" if mean > 2 * error else "no" if mean < -2 * error else "cannot tell"
        print(f"  {one.cells.family:10} exponential minus power law: {mean:.2e} +- {error:.1e} in squared log error: {answer}")


def _squared_error_gaps(one: Judged) -> list[float]:
    """Per fit to smaller runs: the mean squared log error of the exponential minus that of the law, on the runs predicted."""
    cells, found = one.cells, one.found
    if not found.parameters:
        return []
    rival = fit(
        forms.exponentials(), {"N": cells.params, "D": cells.images}, cells.y, one.noise.weights(cells.images), delta=None
    )
    if not rival.parameters:
        return []
    gaps = []
    for origin in ORIGINS:
        for split in rolling_splits(found.law, cells.params, cells.images, cells.seeds, origin):
            truth = found.log_y[split.test]
            errors = [
                np.mean((predict_splits(form, cells.logs, None, [split], delta=found.delta)[0] - truth) ** 2)
                for form in (rival, found)
            ]
            gaps.append(float(errors[0] - errors[1]))
    return gaps


def exponents(fits: dict[str, Any]) -> None:
    """Question 6: exponents of the law of the error rate beside published ones."""
    print("\n6. Do the exponents of the error agree with published ones?")
    for row in fits["fits"]:
        if row["response"] != "error" or row["family"] not in (*CONVOLUTIONAL, *TRANSFORMERS) or not row["parameters"]:
            continue
        parts = []
        for name, value in PUBLISHED:
            ends = row["intervals"].get(name)
            inside = "no interval" if ends is None else "agrees" if ends[0] <= value <= ends[1] else "differs"
            parts.append(f"{name} {value}: {inside}")
        own = ", ".join(f"{n} = {row['parameters'][n]:.2f} {shown(row['intervals'][n])}" for n in ("alpha", "beta"))
        print(f"  {row['family']:10} {own}; " + ", ".join(parts))


def long_enough(fits: dict[str, Any], runs: pl.DataFrame) -> None:
    """Question 7: log ratio of the loss of a run trained twice as long, mean over the corners, against the noise of one run."""
    print("\n7. Is training long enough?")
    done = runs.filter(pl.col("status") == "done").with_columns(pl.col("loss").log().alias("log_loss"))
    for row in fits["fits"]:
        family = row["family"]
        if row["response"] != "loss" or row["noise_rms"] is None:
            continue
        usual, longer = (done.filter(pl.col("family") == name) for name in (family, f"{family}-long"))
        both = usual.join(longer, on=["params", "images", "seed"], suffix="_long")
        if not both.height:
            continue
        ratio, noise = float((both["log_loss_long"] - both["log_loss"]).mean()), float(row["noise_rms"])
        limit = 2 * noise / math.sqrt(both.height)
        print(
            f"  {family:10} loss changes by {math.expm1(ratio):+.1%} over {both.height} corners, "
            f"limit {math.expm1(limit):.1%}: {'yes' if abs(ratio) < limit else 'no'}"
        )


if __name__ == "__main__":
    main()
