"""Intervals of a crossed study: cells that share the luck of their subset are no independent evidence."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic_runs import TRUTHS, synthetic_runs

from scaling.analysis.family_evidence import judge_families
from scaling.analysis.fits_rows import crossed_intervals
from scaling.analysis.usable_runs import cells_of
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.profile import profile_intervals


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_cover_where_cells_share_the_luck_of_their_subset() -> None:
    """Small version of benchmarks/coverage.py --crossed: 4 x 4, seeds 3, 2, 1, 1, 70 % of the variance shared."""
    crossed, naive = {"alpha": [], "beta": []}, []
    for index in range(20):
        runs = synthetic_runs(sizes=4, data_sizes=4, seeds=3, noise=0.015, shared=0.7, seed=index)
        seeds = pl.col("images").replace_strict(sorted(runs["images"].unique()), [3, 2, 1, 1], return_dtype=pl.Int64)
        families = [cells_of(runs.filter(pl.col("seed") < seeds), family, "loss") for family in TRUTHS]
        for one in judge_families(families, forms.chinchilla(), seed=index, resamples=2):
            truth, (intervals, _) = TRUTHS[one.cells.family], crossed_intervals(one)
            for name, inside in crossed.items():
                inside.append(intervals[name] is not None and intervals[name][0] <= truth[name] <= intervals[name][1])
            low, high = profile_intervals(one.found)[0]["beta"] or (np.nan, np.nan)
            naive.append(low <= truth["beta"] <= high)
    assert 0.90 <= np.mean(crossed["alpha"]) <= 0.995
    assert 0.90 <= np.mean(crossed["beta"]) <= 0.995
    assert np.mean(naive) < 0.85
