"""How often do the verdicts tell families apart that obey one law, and how often do they find one that does not?

    uv run python benchmarks/verdicts.py [--studies 2000] [--sizes 4] [--data-sizes 4] [--seeds 1] [--bump 0]

Seven families with one law but their own ranges of N and unequal noise (0.6 to 3 % at D = 1,000, falling with D; 30 % of
its variance shared by all cells of a (seed, D)). ``--bump`` multiplies the loss of one family at the largest D by
exp(bump): a law that ends there. Prints the family-wise share of studies with a false contrast, and the power.
About half a second a study of 4 x 4 cells on one core.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import polars as pl

from scaling.laws import forms
from scaling.laws.holdout import ORIGINS
from scaling.laws.synthetic import TRUTHS, synthetic_runs
from scaling.verdicts import judging
from scaling.verdicts.cells import cells_of
from scaling.verdicts.families import LEVEL, conclude, contrasts, measured_exponent, measured_skill
from scaling.verdicts.judging import hold_out, judge_families, skill_of

LAW = forms.chinchilla()
NOISES = (0.006, 0.008, 0.01, 0.014, 0.02, 0.02, 0.03)
SHARED = 0.3
RESAMPLES = 100
MARKED = "vit"


def study(index: int, options: argparse.Namespace) -> pl.DataFrame:
    """Runs of seven families that obey one law; their noise is dealt anew for each study."""
    rng = np.random.default_rng([index, 1])
    noises = dict(zip(TRUTHS, rng.permutation(NOISES), strict=True))
    one_law = dict.fromkeys(TRUTHS, TRUTHS[MARKED])
    parts = [
        synthetic_runs(
            (family,),
            truths=one_law,
            noise=noise * np.sqrt(1 - SHARED),
            shared=0.0,
            sizes=options.sizes,
            data_sizes=options.data_sizes,
            seeds=options.seeds,
            second_seed_share=0.25,
            seed=1000 * index + place,
        )
        for place, (family, noise) in enumerate(noises.items())
    ]
    runs = pl.concat(parts)
    places = runs.select("seed", "images").unique().sort("seed", "images")
    lucky = places.with_columns(pl.Series("common", rng.standard_normal(places.height)))
    spread = pl.col("family").replace_strict(noises, return_dtype=pl.Float64) * (pl.col("images") / 1000.0) ** -0.25
    common = np.sqrt(SHARED) * spread * pl.col("common")
    bumped = (pl.col("family") == MARKED) & (pl.col("images") == runs["images"].max())
    shift = common + pl.when(bumped).then(options.bump).otherwise(0.0)
    return runs.join(lucky, on=["seed", "images"], how="left").with_columns(pl.col("loss") * shift.exp())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="index of the first study")
    parser.add_argument("--sizes", type=int, default=4)
    parser.add_argument("--data-sizes", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--bump", type=float, default=0.0)
    options = parser.parse_args()
    judging.HOLDOUT_DRAWS = RESAMPLES
    false, found, gaps, clock = [], [], [], time.process_time()
    for index in range(options.first, options.first + options.studies):
        runs = study(index, options)
        families = [cells_of(runs, family, "loss") for family in TRUTHS]
        judged = list(judge_families(families, LAW, seed=index, resamples=RESAMPLES))
        skills = {one.cells.family: skill_of([hold_out(one, origin) for origin in ORIGINS]) for one in judged}
        freedom = {one.cells.family: max(one.found.rows - len(one.found.theta), 1) for one in judged}
        rows = contrasts(
            "skill",
            {
                one.cells.family: measured_skill(skills[one.cells.family].value, skills[one.cells.family].draws, one.freedom)
                for one in judged
            },
        )
        for column, name in ((2, "alpha"), (4, "beta")):
            measured = {
                one.cells.family: measured_exponent(one.found.parameters[name], one.draws[:, column], freedom[one.cells.family])
                for one in judged
            }
            rows += contrasts(name, measured)
        rows = conclude(rows)
        told = [row for row in rows if row["p_holm"] < LEVEL]
        marked = [row for row in rows if row["contrast"] == "skill" and MARKED in (row["first"], row["second"])]
        false.append(any(MARKED not in (row["first"], row["second"]) or not options.bump for row in told))
        if options.bump:
            found += [row["p_holm"] < LEVEL for row in marked]
            others = np.mean([skill.value for name, skill in skills.items() if name != MARKED])
            gaps.append(others - skills[MARKED].value)
    seconds = (time.process_time() - clock) / options.studies
    print(f"{options.studies} studies of {options.sizes} x {options.data_sizes} x {options.seeds}, {seconds:.2f} s each")
    print(f"share of studies with a false contrast: {np.mean(false):.3f}")
    if options.bump:
        print(f"difference in skill {np.mean(gaps):.2f}: power {np.mean(found):.2f} a pair")


if __name__ == "__main__":
    main()
