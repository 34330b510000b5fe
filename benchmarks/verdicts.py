"""How often do the verdicts tell families apart that obey one law, and how often do they find one that does not?

    uv run python benchmarks/verdicts.py [--studies 2000] [--sizes 4] [--data-sizes 4] [--seeds 1] [--bump 0]

Seven families with one law but their own ranges of N and unequal noise (0.6 to 3 % at D = 1,000, falling with D; 30 % of
its variance shared by all cells of a (seed, D)). ``--bump`` multiplies the loss of both transformers at the largest D by
exp(bump): a law that ends there. Prints the family-wise share of studies with a false contrast, or the power: of a contrast
between a bumped and another family, and of the contrast of kinds. About half a second a study of 4 x 4 cells on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from scaling.analysis import family_evidence as judging
from scaling.analysis.family_evidence import hold_out, judge_families, skill_of
from scaling.analysis.ranking import compare_pairs
from scaling.analysis.significance import SIGNIFICANCE
from scaling.analysis.usable_runs import cells_of
from scaling.laws.fitting.holdout import ORIGINS
from scaling.laws.forms import known_laws as forms

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from synthetic_runs import TRUTHS, synthetic_runs

LAW = forms.chinchilla()
NOISES = (0.006, 0.008, 0.01, 0.014, 0.02, 0.02, 0.03)
SHARED = 0.3
RESAMPLES = 100
MARKED = ("vit", "swin")


def study(index: int, options: argparse.Namespace) -> pl.DataFrame:
    """Runs of seven families that obey one law; their noise is dealt anew for each study."""
    rng = np.random.default_rng([index, 1])
    noises = dict(zip(TRUTHS, rng.permutation(NOISES), strict=True))
    one_law = dict.fromkeys(TRUTHS, TRUTHS[MARKED[0]])
    parts = [
        synthetic_runs(
            (family,),
            truths=one_law,
            noise=noise * np.sqrt(1 - SHARED),
            shared=0.0,
            sizes=options.sizes,
            data_sizes=options.data_sizes,
            seeds=max(options.seeds),
            seed=1000 * index + place,
        )
        for place, (family, noise) in enumerate(noises.items())
    ]
    runs = pl.concat(parts)
    levels = sorted(runs["images"].unique())
    seeds = [*options.seeds, *[options.seeds[-1]] * len(levels)]
    runs = runs.filter(pl.col("seed") < pl.col("images").replace_strict(levels, seeds[: len(levels)], return_dtype=pl.Int64))
    places = runs.select("seed", "images").unique().sort("seed", "images")
    lucky = places.with_columns(pl.Series("common", rng.standard_normal(places.height)))
    spread = pl.col("family").replace_strict(noises, return_dtype=pl.Float64) * (pl.col("images") / 1000.0) ** -0.25
    common = np.sqrt(SHARED) * spread * pl.col("common")
    bumped = pl.col("family").is_in(MARKED) & (pl.col("images") == runs["images"].max())
    shift = common + pl.when(bumped).then(options.bump).otherwise(0.0)
    return runs.join(lucky, on=["seed", "images"], how="left").with_columns(pl.col("loss") * shift.exp())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="index of the first study")
    parser.add_argument("--sizes", type=int, default=4)
    parser.add_argument("--data-sizes", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 2, 1], help="of each D, the last for all further ones")
    parser.add_argument("--bump", type=float, default=0.0)
    options = parser.parse_args()
    judging.HOLDOUT_DRAWS = RESAMPLES
    false, pairs, kind, gaps, clock = [], [], [], [], time.process_time()
    for index in range(options.first, options.first + options.studies):
        runs = study(index, options)
        families = [cells_of(runs, family, "loss") for family in TRUTHS]
        judged = list(judge_families(families, LAW, seed=index, resamples=RESAMPLES))
        skills = {one.cells.family: skill_of([hold_out(one, origin) for origin in ORIGINS]) for one in judged}
        scaling = {one.cells.family: one for one in judged}
        rows, _ = compare_pairs(scaling, skills, {name: list(scaling) for name in ("alpha", "beta")})
        told = [row for row in rows if row["p_holm"] < SIGNIFICANCE]
        by_skill = [row for row in rows if row["contrast"] == "skill"]
        between = [row for row in by_skill if (row["first"] in MARKED) != (row["second"] in MARKED) and "(" not in row["first"]]
        kinds = [row for row in by_skill if "(" in row["first"]]
        false.append(bool(told))
        pairs += [row["p_holm"] < SIGNIFICANCE for row in between]
        kind += [row["p_holm"] < SIGNIFICANCE for row in kinds]
        gaps.append(
            np.mean([skill.value for name, skill in skills.items() if name not in MARKED])
            - np.mean([skills[name].value for name in MARKED])
        )
    seconds = (time.process_time() - clock) / options.studies
    print(f"{options.studies} studies of {options.sizes} x {options.data_sizes}, seeds {options.seeds}, {seconds:.2f} s each")
    if options.bump:
        print(
            f"difference in skill {np.mean(gaps):.2f}: told apart {np.mean(pairs):.2f} of the pairs, "
            f"kinds {np.mean(kind):.2f} of the studies"
        )
    else:
        print(f"share of studies with a false contrast: {np.mean(false):.3f}")


if __name__ == "__main__":
    main()
