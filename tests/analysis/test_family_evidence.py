"""Held-out predictions of a family's runs, and of resamples of them."""

from dataclasses import replace

import numpy as np
from synthetic_runs import synthetic_runs

from scaling.analysis.family_evidence import hold_out, judge_families, skill_of
from scaling.analysis.usable_runs import cells_of
from scaling.laws.fitting.holdout import ORIGINS
from scaling.laws.forms.known_laws import chinchilla


def test_families_are_compared_by_one_procedure_for_runs_and_resamples():
    """A resample that equals the runs gets the score of the runs; otherwise null families would seem to differ."""
    cells = [cells_of(synthetic_runs(("vit",), seeds=2, noise=0.05), "vit", "loss")]
    (one,) = judge_families(cells, chinchilla(), seed=0, resamples=3)
    copied = replace(one, simulated=np.stack([one.found.log_y, one.simulated[0]]))
    held = [hold_out(copied, origin) for origin in ORIGINS]
    for part in held:
        np.testing.assert_allclose(part.near[:, 1], part.near[:, 0], rtol=1e-9)
        # From where the runs ended, a copy of them cannot end worse; persistence is the same.
        np.testing.assert_allclose(part.drawn[1, 0], part.squares[1])
    skill = skill_of(held)
    assert skill.near[0] == skill.near[1] != skill.near[2]
    assert len(skill.draws) == 2
