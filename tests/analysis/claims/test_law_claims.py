"""Claims that are read off laws: planted skills, slopes and crossings are recovered, and none is invented."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from planted import CLASSES, named, runs, verdicts
from synthetic_runs import TRUTHS, synthetic_runs

from scaling.analysis import fit_study
from scaling.analysis.claims import c07_scaling_laws as scaling
from scaling.analysis.claims import c08_more_data_larger_models as more
from scaling.analysis.claims.claim import MissingEvidence
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims, limits

FLAT = {"E": 1.0, "A": 1e-9, "alpha": 0.5, "B": 1e-9, "beta": 0.5}


@pytest.mark.parametrize(("skill", "interval"), [(0.8, [0.7, 0.9]), (-0.5, [-1.0, -0.1])])
def test_a_skill_on_its_symmetric_scale(skill: float, interval: list[float]):
    found = scaling.from_skill(skill, interval, "")
    assert math.expm1(found.effect) == pytest.approx(1 / (1 - skill) - 1)
    assert (found.effect > 0) == (skill > 0)
    assert found.interval[0] < found.effect < found.interval[1]


def fits(skills: dict[str, tuple[float, float, float]], p: dict[tuple[str, str], float]) -> dict:
    """fits.json as far as the claim reads it: skills with intervals by family, p of their contrasts."""
    verdict = {
        name: {"family": name, "scales": True, "skill": skill, "skill_interval": [low, high], "sentence": name}
        for name, (skill, low, high) in skills.items()
    }
    pairs = [
        {"first": a, "second": b, "contrast": "skill", "difference": skills[a][0] - skills[b][0], "p": value}
        | {"interval": [skills[a][0] - skills[b][0] - 0.1, skills[a][0] - skills[b][0] + 0.1]}
        for (a, b), value in p.items()
    ]
    holdout = [
        {"family": name, "response": "loss", "origin": origin, "skill": skill, "interval": [low, high], "reason": ""}
        for name, (skill, low, high) in skills.items()
        for origin in scaling.AXES
    ]
    return {"verdicts": list(verdict.values()), "pairs": pairs, "holdout": holdout}


def with_compute(families: tuple[str, ...]) -> pl.DataFrame:
    """Runs with the compute of N D T."""
    return synthetic_runs(families).with_columns(flop=6.0 * pl.col("params") * pl.col("images"))


NOT_ALL = "not all models"


def note_of(evidence: Evidence) -> str:
    (entry,) = judge_claims([named("scaling-laws")], evidence)
    return next(part["note"] for part in entry["parts"] if part["name"] == NOT_ALL)


GOOD, POOR = (0.8, 0.7, 0.87), (0.1, -0.1, 0.3)


def test_transformers_that_follow_a_law_beside_one_that_does_not():
    p = {("vit", "mlp"): 0.001, ("mlp", "swin"): 0.002, ("vit", "vgg"): 0.5, ("vgg", "swin"): 0.5}
    found = fits({"vit": GOOD, "swin": GOOD, "mlp": POOR, "vgg": GOOD}, p)
    evidence = Evidence(with_compute(("vit", "swin", "mlp", "vgg")), CLASSES, fits=found)
    assert verdicts(named("scaling-laws"), evidence)["scaling-laws"] == "seen"
    assert "mlp is the family" in note_of(evidence)
    (entry,) = judge_claims([named("scaling-laws")], evidence)
    drawn = next(row for row in entry["rows"] if row["x"] == "mlp" and row["panel"] == "loss, larger N")
    assert (drawn["low"], drawn["y"]) == pytest.approx((1 / 1.1, 1 / 0.9))  # a skill below 0 is a ratio below 1


def test_one_transformer_that_outdoes_a_family_is_not_enough():
    p = {("vit", "mlp"): 0.001, ("mlp", "swin"): 0.3}
    evidence = Evidence(synthetic_runs(("vit",)), CLASSES, fits=fits({"vit": GOOD, "swin": POOR, "mlp": POOR}, p))
    found = verdicts(named("scaling-laws"), evidence)
    assert (found["vit, larger N"], found["swin, larger D"], found[NOT_ALL]) == ("seen", "cannot tell", "cannot tell")


def test_a_transformer_that_does_not_scale_supports_nothing():
    found = fits({"vit": GOOD, "swin": GOOD, "mlp": POOR}, {})
    found["verdicts"][0]["scales"] = False
    evidence = Evidence(synthetic_runs(("vit",)), CLASSES, fits=found)
    assert verdicts(named("scaling-laws"), evidence)["vit, larger N"] == "cannot tell"


def test_a_new_transformer_in_the_study_is_no_other_family():
    p = {("vit", "mlp"): 0.001, ("mlp", "swin"): 0.002, ("vit", "deit"): 1e-6, ("deit", "swin"): 1e-6}
    found = fits({"vit": GOOD, "swin": GOOD, "mlp": POOR, "deit": POOR}, p)
    evidence = Evidence(synthetic_runs(("vit", "swin", "mlp")), CLASSES, fits=found)
    assert "mlp is the family" in note_of(evidence)


NEW_FAMILIES = """
from dataclasses import replace
from scaling.models.registry import FAMILIES
if NEW:
    for name, like in (("deit", "vit"), ("densenet", "resnet")):
        FAMILIES[name] = replace(FAMILIES[like], name=name)
from scaling.analysis.claims.claim_files import claim_files
from scaling.analysis.claims.load_claims import load_claims
print([(claim.number, part.name, part.decides) for claim in load_claims(claim_files()) for part in claim.parts])
"""


@pytest.mark.slow
def test_a_new_family_changes_no_claim():
    def parts(new: bool) -> str:
        command = [sys.executable, "-c", f"NEW = {new}\n{NEW_FAMILIES}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = parts(False)
    assert "(7, 'vit, larger N', True)" in before
    assert parts(True) == before


@pytest.fixture(scope="module")
def studied():
    """Runs and laws of a study in which transformers scale, and of one in which nothing falls."""
    made = {}
    for name, truths in (("falling", TRUTHS), ("flat", dict.fromkeys(TRUTHS, FLAT))):
        table = synthetic_runs(("vgg", "vit"), noise=0.01, truths=truths)
        made[name] = Evidence(table, CLASSES, fits=fit_study(table, classes=CLASSES, bootstrap=20))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("part", ["larger models", "more data", "order in N", "order in D"])
def test_larger_models_and_more_data_that_help_are_seen(studied: dict[str, Evidence], part: str):
    claim = named("more-data-larger-models")
    assert verdicts(claim, studied["falling"])[part] == "seen"
    assert verdicts(claim, studied["flat"])[part] != "seen"


@pytest.mark.slow
def test_the_whole_way_from_runs_to_the_headline(studied: dict[str, Evidence]):
    assert verdicts(named("scaling-laws"), studied["falling"])["vit, larger D"] == "seen"
    assert verdicts(named("scaling-laws"), studied["flat"])["vit, larger D"] != "seen"


@pytest.mark.parametrize("slope", [0.2, 0.0])
def test_the_interval_of_a_slope_covers_it_in_95_of_100(slope: float):
    rng = np.random.default_rng(0)
    table = synthetic_runs(("vit", "swin"))
    level = table["family"].replace_strict({"vit": 0.0, "swin": 1.0}).to_numpy()
    clean = level - slope * np.log(table["params"].to_numpy())
    hits = []
    for _ in range(300):
        found = more.fall(table.with_columns(loss=np.exp(clean + 0.01 * rng.normal(size=len(table)))), "params")
        low, high = limits(found)
        hits.append(low <= slope <= high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.04)


def law(family: str, A: float, B: float) -> dict:
    parameters = {"E": 0.1, "A": A, "alpha": 0.5, "B": B, "beta": 0.5}
    draws = [parameters | {"A": A * (1 + 0.001 * i)} for i in range(60)]
    fit = {"family": family, "response": "loss", "law": "chinchilla", "parameters": parameters, "draws": draws}
    return fit | {"status": "converged", "ceiling": None}


def test_a_crossing_of_laws_is_where_it_was_planted():
    # At N = 10,000: 10 / 100 + 20 / sqrt(D) against 20 / 100 + 10 / sqrt(D): equal where sqrt(D) = 100.
    data_hungry, other = law("vit", 10.0, 20.0), law("vgg", 20.0, 10.0)
    assert more.laws_cross(data_hungry, other, 10_000, (100, 1e6)) == pytest.approx(math.log(10_000))
    assert more.laws_cross(data_hungry, other, 10_000, (100, 5000)) == math.inf
    table = synthetic_runs(("vit", "vgg"))
    at, last = table["params"].max(), 10 * table["images"].max()  # with these laws where D = N
    assert at < last
    (entry,) = judge_claims([named("more-data-larger-models")], Evidence(table, CLASSES, fits={"fits": [data_hungry, other]}))
    (part,) = [part for part in entry["parts"] if part["name"] == "laws cross"]
    assert part["effect"] == pytest.approx(math.log(last / at))
    assert part["verdict"] == "seen"
    (row,) = entry["rows"]
    assert (row["series"], row["x"], row["y"]) == ("vit", "vgg", pytest.approx(at))
    assert at * 0.88 < row["low"] < row["high"] <= at  # the resamples' A differ the more, the further they are drawn


def test_the_first_of_several_crossings_pays_for_the_choice():
    others = ("alexnet", "vgg", "googlenet", "resnet")
    laws = [law("vit", 10.0, 15.0), *(law(family, 20.0, 10.0) for family in others)]
    evidence = Evidence(synthetic_runs(("vit", *others)), CLASSES, fits={"fits": laws})
    found = more._crossing(evidence)
    assert found.p == pytest.approx(4 * 2 / 61)
    assert "4 of 4 pairs cross" in found.note
    assert {row["x"] for row in found.rows} == set(others)


def test_pairs_whose_laws_do_not_cross_are_named_and_drawn_as_a_bound():
    laws = [law("vit", 10.0, 20.0), law("vgg", 20.0, 10.0), law("resnet", 5.0, 5.0)]
    found = more._crossing(Evidence(synthetic_runs(("vit", "vgg", "resnet")), CLASSES, fits={"fits": laws}))
    assert "1 of 2 pairs cross, not vit and resnet" in found.note
    assert [row["x"] for row in found.rows if row.get("bound")] == ["resnet"]


def test_overtaking_is_judged_by_losses_that_were_measured():
    losses = {more.on_all(name): 0.3 for name in (*more.TRANSFORMERS, *more.RIVALS)} | {"vgg-all": 0.4, "resnet-all": 0.2}
    found = verdicts(named("more-data-larger-models"), Evidence(runs(losses, noise=0.003), CLASSES))
    assert found["vit overtakes vgg"] == "seen"
    assert found["swin overtakes resnet"] == "the opposite is seen"
    assert found["more-data-larger-models"] == "seen in part"


def test_laws_that_do_not_cross_are_said_not_to():
    evidence = Evidence(
        synthetic_runs(("vit", "vgg")), CLASSES, fits={"fits": [law("vit", 20.0, 20.0), law("vgg", 10.0, 10.0)]}
    )
    with pytest.raises(MissingEvidence, match="no transformer's law falls below"):
        more._crossing(evidence)
