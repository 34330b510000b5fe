"""The smoke study through Snakemake, then the edits that a user makes; the tests of this file run in their order."""

import json

import polars as pl
import pytest

from scaling.runs.records import MEASURED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SMOKE = ("--config", "study=studies/smoke.yaml")


def edit(checkout, before: str, after: str) -> None:
    path = checkout.folder / "studies" / "smoke.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_one_command_trains_fits_and_reports(checkout):
    run = checkout.snakemake(*SMOKE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "report: reports/smoke/index.html" in run.stdout + run.stderr
    runs = pl.read_parquet(checkout.folder / "results/smoke/runs.parquet")
    assert len(runs) == 8
    assert set(runs["status"]) == {"done"}
    assert set(runs["study"]) == {"smoke"}
    assert runs["loss"].is_between(0.2, 2.3).all()
    assert runs["key"].n_unique() == 8
    fits = json.loads((checkout.folder / "results/smoke/fits.json").read_text())
    assert {fit["family"] for fit in fits["fits"]} == {"mlp", "vit"}
    page = (checkout.folder / "reports/smoke/index.html").read_text()
    assert all(str(key)[:8] in page for key in runs["key"])


def test_a_second_run_trains_nothing(checkout):
    before = checkout.records()
    assert set(checkout.jobs(*SMOKE)) == {"complete"}
    assert checkout.records() == before


def test_a_comment_or_a_description_retrains_nothing(checkout):
    edit(checkout, "name: smoke", "name: smoke # edited")
    assert set(checkout.jobs(*SMOKE)) == {"complete"}
    edit(checkout, "too small for any law", "far too small for any law")
    assert set(checkout.jobs(*SMOKE)) == {"report", "complete"}


def test_a_new_number_trains_only_what_is_new(checkout):
    before = checkout.records()
    edit(checkout, "images: [300, 900]", "images: [300, 900, 600]")
    jobs = checkout.jobs(*SMOKE)
    assert jobs["train"] == 2
    assert "tune" not in jobs
    plan = json.loads(checkout.scaling("plan", "studies/smoke.yaml", "--json").stdout)
    assert plan["new"] == 4
    run = checkout.snakemake(*SMOKE)
    assert run.returncode == 0, run.stdout + run.stderr
    after = checkout.records()
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 4
    # Six runs per family are enough for a law without a floor: a forecast takes them from the store.
    asked = checkout.scaling("forecast", "studies/smoke.yaml", "--law", "powers", "--at", "33000,900", "--json")
    assert asked.returncode == 0, asked.stderr
    answers = json.loads(asked.stdout)
    assert [one["group"] for one in answers] == [{"family": "mlp"}, {"family": "vit"}]
    assert [one["rows"] for one in answers] == [6, 6]
    assert all(0.1 < one["at"][0]["response"] < 2.5 for one in answers)
    drawn = checkout.scaling("figures", "studies/smoke.yaml", "--format", "svg", "--output", "paper")
    assert drawn.returncode == 0, drawn.stderr
    assert {"loss-by-images.svg", "learning-rates.svg"} <= {path.name for path in (checkout.folder / "paper").iterdir()}


def test_a_change_of_one_family_retrains_that_family(checkout):
    edit(checkout, "    params: [13000, 33000]\n  vit", "    params: [13000, 33000]\n    recipe: {weight_decay: 0.1}\n  vit")
    jobs = checkout.jobs(*SMOKE)
    assert (jobs["tune"], jobs["train"]) == (1, 1)
    edit(checkout, "    recipe: {weight_decay: 0.1}\n", "")
    assert "train" not in checkout.jobs(*SMOKE)


def test_a_removed_number_leaves_the_fits_and_stays_on_disk(checkout):
    before = checkout.records()
    edit(checkout, "images: [300, 900, 600]", "images: [300, 900]")
    run = checkout.snakemake("results/smoke/runs.parquet", *SMOKE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert checkout.records() == before
    assert len(pl.read_parquet(checkout.folder / "results/smoke/runs.parquet")) == 8


def test_a_lost_record_is_a_hole_that_the_next_run_fills(checkout):
    runs = pl.read_parquet(checkout.folder / "results/smoke/runs.parquet")
    lost = runs.filter(pl.col("family") == "vit").row(0, named=True)
    (checkout.folder / "results/store" / lost["key"] / "record.json").unlink()
    partial = checkout.scaling("report", "studies/smoke.yaml")
    assert partial.returncode == 1, partial.stderr
    assert "runs are missing: `scaling complete STUDY` names them" in partial.stderr
    page = (checkout.folder / "reports/smoke/index.html").read_text()
    assert "not trained yet" in page
    (checkout.folder / "results/smoke/packs/vit.parquet").unlink()
    run = checkout.snakemake(*SMOKE)
    assert run.returncode == 0, run.stdout + run.stderr
    again = pl.read_parquet(checkout.folder / "results/smoke/runs.parquet")
    volatile = list(MEASURED)
    assert again.drop(volatile).equals(runs.drop(volatile))  # same key, same result


def test_the_dag_reads_as_the_design_does(checkout):
    dag = checkout.snakemake("--dag", *SMOKE)
    assert dag.returncode == 0
    for rule in ("prepare", "tune", "train", "collect", "fit", "report", "complete"):
        assert f'label = "{rule}' in dag.stdout
    assert "family: vit" in dag.stdout
