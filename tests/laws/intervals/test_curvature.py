"""Standard errors at a narrow delta are those of repeated tables."""

import numpy as np

from scaling.laws import fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.curvature import standard_errors

TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}


def test_standard_errors_at_a_narrow_delta_are_the_spread_of_the_estimates():
    law = forms.chinchilla()
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e8, 1e10, 6)))
    estimates, errors = [], []
    for seed in range(30):
        noise = 0.01 * np.random.default_rng(seed).normal(size=len(n))
        found = fit(law, {"N": n, "D": d}, law.predict(TRUTH, N=n, D=d) * np.exp(noise), delta=1e-3, starts=4)
        estimates.append(found.parameters["alpha"])
        errors.append(standard_errors(found)["alpha"])
    assert 0.6 < np.median(errors) / np.std(estimates) < 1.5
