"""Laws with a learning rate: what their formula says, and a known surface is found again."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.forms import rates

TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.32, "B": 900.0, "beta": 0.3, "kappa": 0.08, "rho": 14.0, "mu": -0.5, "nu": 0.02}


def table() -> dict[str, np.ndarray]:
    axes = np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(2e8, 2e10, 4), [5e-4, 1e-3, 2e-3, 4e-3])
    return dict(zip(("N", "D", "rate"), (axis.ravel() for axis in axes), strict=True))


def test_the_law_is_its_formula() -> None:
    data = table()
    best = 14.0 * data["N"] ** -0.5 * data["D"] ** 0.02
    cost = np.exp(0.08 * np.log(data["rate"] / best) ** 2)
    expected = 1.7 + (400.0 / data["N"] ** 0.32 + 900.0 / data["D"] ** 0.3) * cost
    assert np.allclose(rates.rated().predict(TRUTH, **data), expected)


@pytest.mark.parametrize(
    ("law", "others"),
    [
        (rates.rated(), {}),
        (rates.rated_tied(), {}),
        (rates.rated_kaplan(), {"N_c": 1e11, "alpha_N": 0.3, "D_c": 3e9, "alpha_D": 0.4}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_known_surfaces_are_recovered(law: rates.Law, others: dict[str, float]) -> None:
    truth = {name: (TRUTH | others)[name] for name in law.parameters}
    data = table()
    found = fit(law, data, law.predict(truth, **data), starts=30)
    assert found.status == "converged"
    for name, value in truth.items():
        assert found.parameters[name] == pytest.approx(value, rel=1e-3)
