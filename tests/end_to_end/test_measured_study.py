"""A study that asks for probes and benchmarks, through Snakemake; the tests of this file run in their order."""

import polars as pl
import pytest

from scaling.runs.records import MEASUREMENT_SCHEMA

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STUDY = """\
name: measured
families:
  mlp: {probes: [shift]}
grid: {params: [13000], images: [300]}
recipe: {learning_rate: 0.01, images_floor: 1280, images_factor: 1, evaluations: 2}
benchmarks: {names: [families, paper-sizes], rounds: 2}
"""
CALL = ("--config", "study=studies/measured.yaml")


def write(checkout, text: str) -> None:
    (checkout.folder / "studies" / "measured.yaml").write_text(text)


def table(checkout, name: str) -> pl.DataFrame:
    return pl.read_parquet(checkout.folder / "results/measured" / f"{name}.parquet")


def test_models_are_read_and_benchmarks_made(checkout):
    write(checkout, STUDY)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    probes, benchmarks = table(checkout, "probes"), table(checkout, "benchmarks")
    assert probes.schema == benchmarks.schema == pl.Schema(MEASUREMENT_SCHEMA)
    assert set(probes["measure"]) == {"shift"}
    assert set(probes["key"]) == set(table(checkout, "runs")["key"])
    assert set(benchmarks["measure"]) == {"families", "paper-sizes"}
    assert benchmarks.filter(quantity="seconds")["value"].is_between(1e-9, 1.0).all()
    assert set(checkout.jobs(*CALL)) == {"complete"}


def test_an_added_probe_trains_nothing_and_times_nothing(checkout):
    before, timed = checkout.records(), table(checkout, "benchmarks")
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]"))
    assert set(checkout.jobs(*CALL)) == {"train", "collect", "fit", "report", "complete"}
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert checkout.records() == before
    assert set(table(checkout, "probes")["measure"]) == {"shift", "gradients"}
    assert table(checkout, "benchmarks").equals(timed)


def test_a_lost_probe_is_a_hole_that_the_next_run_fills(checkout):
    (path,) = (checkout.folder / "results/store").glob("*/shift.json")
    path.unlink()
    (checkout.folder / "results/measured/probes.parquet").unlink()
    first = checkout.snakemake(*CALL)
    assert first.returncode != 0
    assert "shift not read off its model" in first.stdout + first.stderr
    assert checkout.snakemake(*CALL).returncode == 0
    assert path.exists()


def test_other_benchmarks_are_made_again_alone(checkout):
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]").replace("rounds: 2", "rounds: 3"))
    jobs = checkout.jobs(*CALL)
    assert jobs["benchmarks"] == 1
    assert not {"prepare", "train", "tune", "collect"} & set(jobs)


def test_a_study_without_benchmarks_says_so(checkout):
    found = checkout.scaling("benchmark", "studies/smoke.yaml")
    assert found.returncode == 2
    assert "asks for no benchmarks" in found.stderr


def test_a_damaged_table_of_benchmarks_is_made_again_in_the_same_run(checkout):
    write(checkout, STUDY.replace("[shift]", "[shift, gradients]"))
    trained, path = checkout.records(), checkout.folder / "results/measured/benchmarks.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    by_hand = checkout.scaling("fit", "studies/measured.yaml")
    assert by_hand.returncode == 1
    assert "results/measured/benchmarks.parquet: its contents do not match its checksum; set aside" in by_hand.stderr
    assert "run `scaling benchmark studies/measured.yaml` with the machine to itself" in by_hand.stderr
    (path.with_suffix(".damaged")).rename(path)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "benchmarks.parquet: its checksum, benchmarks.parquet.seal, is missing" in run.stdout + run.stderr
    assert set(table(checkout, "benchmarks")["measure"]) == {"families", "paper-sizes"}
    assert checkout.records() == trained
    assert set(checkout.jobs(*CALL)) == {"complete"}
