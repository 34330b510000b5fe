"""A study that asks for measures, through Snakemake; the tests of this file run in their order."""

import polars as pl
import pytest

from scaling.runs.records import MEASURE_SCHEMA

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STUDY = """\
name: measured
families:
  mlp: {measures: [shift]}
grid: {params: [13000], images: [300]}
recipe: {learning_rate: 0.01, images_floor: 1280, images_factor: 1, evaluations: 2}
timings: {measures: [families, paper-sizes], rounds: 2}
"""
CALL = ("--config", "study=studies/measured.yaml")


def write(checkout, text: str) -> None:
    (checkout.folder / "studies" / "measured.yaml").write_text(text)


def table(checkout, name: str) -> pl.DataFrame:
    return pl.read_parquet(checkout.folder / "results/measured" / f"{name}.parquet")


def test_models_are_read_and_timings_made(checkout):
    write(checkout, STUDY)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    readings, measures = table(checkout, "readings"), table(checkout, "measures")
    assert readings.schema == measures.schema == pl.Schema(MEASURE_SCHEMA)
    assert set(readings["measure"]) == {"shift"}
    assert set(readings["key"]) == set(table(checkout, "runs")["key"])
    assert set(measures["measure"]) == {"families", "paper-sizes"}
    assert measures.filter(quantity="seconds")["value"].is_between(1e-9, 1.0).all()
    assert set(checkout.jobs(*CALL)) == {"complete"}


def test_an_added_measure_trains_nothing_and_times_nothing(checkout):
    before, timed = checkout.records(), table(checkout, "measures")
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]"))
    assert set(checkout.jobs(*CALL)) == {"train", "collect", "fit", "report", "complete"}
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert checkout.records() == before
    assert set(table(checkout, "readings")["measure"]) == {"shift", "gradients"}
    assert table(checkout, "measures").equals(timed)


def test_a_lost_reading_is_a_hole_that_the_next_run_fills(checkout):
    (path,) = (checkout.folder / "results/store").glob("*/shift.json")
    path.unlink()
    (checkout.folder / "results/measured/readings.parquet").unlink()
    first = checkout.snakemake(*CALL)
    assert first.returncode != 0
    assert "shift not read off its model" in first.stdout + first.stderr
    assert checkout.snakemake(*CALL).returncode == 0
    assert path.exists()


def test_other_timings_are_made_again_alone(checkout):
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]").replace("rounds: 2", "rounds: 3"))
    jobs = checkout.jobs(*CALL)
    assert jobs["measure"] == 1
    assert not {"prepare", "train", "tune", "collect"} & set(jobs)


def test_a_study_without_timings_says_so(checkout):
    found = checkout.scaling("measure", "studies/smoke.yaml")
    assert found.returncode == 2
    assert "asks for no timings" in found.stderr


def test_a_damaged_table_of_timings_is_made_again_in_the_same_run(checkout):
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]"))
    trained, path = checkout.records(), checkout.folder / "results/measured/measures.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    by_hand = checkout.scaling("fit", "studies/measured.yaml")
    assert by_hand.returncode == 1
    assert "results/measured/measures.parquet: its contents do not match its checksum; set aside" in by_hand.stderr
    assert "run `scaling measure studies/measured.yaml` with the machine to itself" in by_hand.stderr
    (path.with_suffix(".damaged")).rename(path)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "measures.parquet: its checksum, measures.parquet.seal, is missing" in run.stdout + run.stderr
    assert set(table(checkout, "measures")["measure"]) == {"families", "paper-sizes"}
    assert checkout.records() == trained
    assert set(checkout.jobs(*CALL)) == {"complete"}
