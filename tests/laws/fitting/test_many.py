"""Tables fitted together: the same optima as each alone."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws.fitting.many import fit_many
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.catalogue import law_named
from scaling.laws.forms.law import Law


def grids(count: int, seed: int = 0) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Tables of 20 to 60 rows, each with a law of its own."""
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(count):
        rows = int(rng.integers(20, 60))
        n, d = np.exp(rng.uniform(9, 18, rows)), np.exp(rng.uniform(11, 20, rows))
        loss = rng.uniform(1, 2) + 400 / n ** rng.uniform(0.3, 0.4) + 2000 / d ** rng.uniform(0.3, 0.4)
        tables.append(({"N": n, "D": d, "x": n}, loss * np.exp(0.01 * rng.standard_normal(rows))))
    return tables


@pytest.mark.parametrize("name", ["chinchilla", "powers", "power-floor", "tied"])
def test_as_each_alone(name: str) -> None:
    law, tables = law_named(name, None), grids(12)
    together = fit_many(law, tables, starts=8, seed=1)
    for found, (data, response) in zip(together, tables, strict=True):
        alone = fit(law, data, response, starts=8, seed=1)
        assert (found.status, found.rows, found.reasons.keys()) == (alone.status, alone.rows, alone.reasons.keys())
        assert found.objective == pytest.approx(alone.objective, rel=1e-7)
        if alone.status == "converged":
            assert found.parameters == pytest.approx(alone.parameters, rel=1e-3)
        assert found.certificate.starts == 8


def test_a_ceiling_and_an_automatic_delta() -> None:
    law, tables = law_named("bounded", 50.0), grids(6, seed=2)
    for found, (data, response) in zip(fit_many(law, tables, delta=None, starts=8), tables, strict=True):
        alone = fit(law, data, response, delta=None, starts=8)
        assert found.delta == pytest.approx(alone.delta, rel=1e-2)
        assert found.parameters["alpha"] == pytest.approx(alone.parameters["alpha"], abs=1e-2)


def test_tables_that_cannot_be_fitted_together_are_fitted_alone() -> None:
    law, tables = law_named("chinchilla", None), grids(3)
    data, response = tables[1]
    tables[1] = ({name: values[:4] for name, values in data.items()}, response[:4])
    proportional = {"N": data["N"], "D": 20 * data["N"]}
    tables.append((proportional, response))
    statuses = [found.status for found in fit_many(law, tables)]
    assert statuses[1] == "too-few-cells"
    assert statuses[3] == fit(law, proportional, response, starts=4).status == "not-identifiable"
    assert "failed" not in statuses


def test_a_law_says_whether_it_stacks() -> None:
    stacking: dict[str, Law] = {name: law_named(name, None) for name in ("chinchilla", "tied", "kaplan")}
    assert [law.stacks for law in stacking.values()] == [True, False, False]
