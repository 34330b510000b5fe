"""Forms compared by prediction: the true one wins, and no verdict rests on one family."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from synthetic_runs import synthetic_runs

from scaling.analysis import fit_study
from scaling.analysis.family_evidence import judge_families
from scaling.analysis.rival_forms import compare_forms, rivals
from scaling.analysis.usable_runs import cells_of
from scaling.laws.fitting.solver import fit
from scaling.laws.forms import known_laws as forms


def entries(runs: pl.DataFrame) -> dict[str, dict]:
    families = [cells_of(runs, name, "loss") for name in runs["family"].unique(maintain_order=True)]
    judged = list(judge_families(families, forms.chinchilla(), seed=0, resamples=20))
    return {entry["rival"]: entry for entry in compare_forms(judged, "loss", np.log(10))}


@pytest.mark.slow
def test_power_laws_with_a_floor_beat_forms_without_a_power() -> None:
    found = entries(synthetic_runs(sizes=5, data_sizes=5, noise=0.005, seed=1))
    for rival in ("logarithms", "exponentials"):
        assert found[rival]["interval"][0] > 1, found[rival]["sentence"]
        assert "predicts worse" in found[rival]["sentence"]
    assert len(found["logarithms"]["families"]) == 7


@pytest.mark.slow
def test_a_logarithmic_truth_is_seen() -> None:
    runs = synthetic_runs(("mlp", "vgg", "resnet", "vit"), sizes=5, data_sizes=5, noise=0.004, seed=2)
    plane = 4.0 - 0.12 * pl.col("params").log() - 0.2 * pl.col("images").log()
    rng = np.random.default_rng(0)
    noise = pl.Series(np.exp(rng.normal(0, 0.004, runs.height)))
    found = entries(runs.with_columns(loss=plane * noise))
    assert found["logarithms"]["interval"][1] < 1
    assert "predicts better" in found["logarithms"]["sentence"]


def test_one_family_settles_nothing() -> None:
    found = entries(synthetic_runs(("vit",), sizes=5, data_sizes=5, noise=0.005))
    assert found["powers"]["interval"] is None
    assert found["powers"]["sentence"].startswith("Cannot compare chinchilla with powers: one family could be scored")


@pytest.mark.slow
def test_both_responses_are_compared_with_the_other_answer_to_a_ceiling() -> None:
    report = fit_study(synthetic_runs(("mlp", "vit"), sizes=4, data_sizes=4), classes=10, bootstrap=20)
    pairs = {(entry["response"], entry["law"], entry["rival"]) for entry in report["forms"]}
    assert ("loss", "chinchilla", "bounded") in pairs
    assert ("error", "bounded", "chinchilla") in pairs


@pytest.mark.parametrize("law", [forms.powers(), forms.exponentials(), forms.logarithms()])
def test_rivals_recover_their_own_surface(law: forms.Law) -> None:
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e3, 1e5, 6), np.geomspace(300, 3e4, 6)))
    truth = {
        "powers": {"A": 9.0, "alpha": 0.4, "B": 12.0, "beta": 0.5},
        "exponentials": {"E": 0.3, "A": 0.8, "N_tau": 2e4, "B": 0.5, "D_tau": 4e3},
        "logarithms": {"A": 5.0, "B": 0.1, "C": 0.25},
    }[law.name]
    found = fit(law, {"N": n, "D": d}, law.predict(truth, N=n, D=d))
    assert found.parameters == pytest.approx(truth, rel=1e-4)


def test_a_law_with_a_ceiling_has_the_free_one_as_its_rival() -> None:
    assert [law.name for law in rivals(forms.bounded(0.9), 0.9)][-1] == "chinchilla"
    assert [law.name for law in rivals(forms.chinchilla(), 2.3)][-1] == "bounded"
