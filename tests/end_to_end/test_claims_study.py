"""A tiny study of claims through Snakemake: variants trained, gradients read, counts made, verdicts on a page."""

import csv
import json

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TINY = ("--config", "study=studies/tiny.yaml")
STUDY = """\
name: tiny
claims: [alexnet-parts, googlenet, residual-connections, shifted-windows, seeing]
families:
  mlp: { recipe: { learning_rate: 0.01 } }
  alexnet-whole: &alexnet
    model: alexnet
    params: [9000]
    images: [300]
    seeds: [0, 1]
    recipe: { dropout: 0.5, learning_rate: 0.01 }
  alexnet-tanh: { <<: *alexnet, options: { activation: tanh } }
  plain-56: &deep
    model: plain
    depth: 9
    params: [32000]
    images: [300]
    seeds: [0, 1]
    probes: [gradients]
    recipe: { learning_rate: 0.01, images_floor: 640 }
  resnet-56: { <<: *deep, model: resnet }
grid:
  params: [13000]
  images: [300]
recipe:
  images_floor: 2000
  images_factor: 1
  evaluations: 2
  anchors: { params: [13000], images: 300, widen: 0 }
benchmarks:
  names: [paper-sizes]
"""


@pytest.fixture(scope="module")
def done(checkout):
    (checkout.folder / "studies" / "tiny.yaml").write_text(STUDY)
    run = checkout.snakemake(*TINY, timeout=800)
    assert run.returncode == 0, run.stdout + run.stderr
    return checkout, run.stdout + run.stderr


def test_variants_are_rows_of_the_runs_table_under_their_names(done):
    checkout, _ = done
    runs = pl.read_parquet(checkout.folder / "results/tiny/runs.parquet")
    tanh = runs.filter(pl.col("family") == "alexnet-tanh")
    assert (tanh["model"].unique().to_list(), tanh["variant"].unique().to_list()) == (["alexnet"], ["activation=tanh"])
    assert set(runs.filter(pl.col("family") == "plain-56")["depth"]) == {9}
    assert set(runs["status"]) <= {"done", "diverged"}


def test_laws_are_of_the_families_on_the_grid_alone(done):
    checkout, _ = done
    fits = json.loads((checkout.folder / "results/tiny/fits.json").read_text())
    assert {fit["family"] for fit in fits["fits"]} == {"mlp"}


def test_claims_are_judged_on_what_there_is_and_say_what_is_lacking(done):
    checkout, printed = done
    claims = {claim["name"]: claim for claim in json.loads((checkout.folder / "results/tiny/claims.json").read_text())}
    parts = {name: {part["name"]: part for part in claim["parts"]} for name, claim in claims.items()}
    assert parts["alexnet-parts"]["ReLU"]["low"] < parts["alexnet-parts"]["ReLU"]["effect"]
    assert parts["alexnet-parts"]["dropout"]["note"] == "the study has no entry alexnet-dropout-0"
    assert parts["googlenet"]["weights"]["verdict"] == "seen"
    assert parts["googlenet"]["weights"]["effect"] == pytest.approx(9.2, abs=0.2)
    assert parts["residual-connections"]["gradient vanishes, batch norm, start"]["effect"] is not None
    assert claims["shifted-windows"]["verdict"] == "cannot tell"
    assert claims["seeing"]["verdict"] == "not testable"
    assert "Residual connections" in printed


def test_the_page_and_the_table_are_there(done):
    checkout, _ = done
    folder = checkout.folder / "reports" / "tiny"
    assert "claims.html" in (folder / "index.html").read_text()
    page = (folder / "claims.html").read_text()
    assert page.count("<svg") >= 4
    rows = list(csv.DictReader((folder / "claims.csv").open()))
    assert {row["claim"] for row in rows} >= {"alexnet-parts", "alexnet-parts/ReLU", "seeing"}


def test_a_second_run_does_nothing_and_a_claim_more_is_judged_without_training(done):
    checkout, _ = done
    assert set(checkout.jobs(*TINY)) == {"complete"}
    path = checkout.folder / "studies" / "tiny.yaml"
    path.write_text(STUDY.replace("seeing]", "seeing, beyond-humans]"))
    assert set(checkout.jobs(*TINY)) == {"fit", "report", "complete"}
    path.write_text(STUDY.replace("seeing]", "seing]"))
    refused = checkout.scaling("plan", "studies/tiny.yaml")
    assert refused.returncode == 2
    assert "claims[4]: received \"seing\"; did you mean 'seeing'?" in refused.stderr
