"""Tables that were made before the study was edited: the last look asks the study and the store, not the tables."""

import shutil

import polars as pl
import pytest

from scaling.runs.deciding_code import PACKAGE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUDY = ("--config", "study=studies/faults.yaml")
LONGER = ("seeds: [0, 1, 2, 3, 4]", "seeds: [0, 1, 2, 3, 4, 5, 6]")
SHORTER = ("seeds: [0, 1, 2, 3, 4]", "seeds: [0, 1, 2, 3]")


def test_complete_counts_the_runs_of_the_study_as_it_is_now(bench):
    before = bench.stamps()
    bench.write_study(LONGER)
    ended = bench.run("complete", "studies/faults.yaml")
    assert ended.code == 1
    assert "2 of 7 runs have no result" in ended.text
    assert "seed=6" in ended.text
    assert not (bench.folder / "results/faults/packs/mlp.parquet").exists()
    assert bench.stamps() == before


def test_a_longer_grid_is_trained_by_the_next_run_at_the_latest(bench):
    """Where Snakemake looks at the times of files alone."""
    before = bench.stamps()
    bench.write_study(LONGER)
    options = ("--rerun-triggers", "mtime", *STUDY)
    first = bench.snakemake(*options)
    assert first.returncode != 0
    assert "2 of 7 runs have no result" in first.stdout + first.stderr
    second = bench.snakemake(*options)
    assert second.returncode == 0, second.stdout + second.stderr
    assert len(bench.table()) == 7
    after = bench.stamps()
    assert len(after) == 7
    assert before.items() <= after.items()


def test_a_shorter_grid_is_collected_by_the_next_run(bench):
    """Where Snakemake's notes are gone."""
    before = bench.stamps()
    bench.write_study(SHORTER)
    shutil.rmtree(bench.folder / ".snakemake")
    first = bench.snakemake(*STUDY)
    assert first.returncode != 0
    assert (
        "results/faults/runs.parquet, results/faults/probes.parquet: not what the study, its store"
        in first.stdout + first.stderr
    )
    second = bench.snakemake(*STUDY)
    assert second.returncode == 0, second.stdout + second.stderr
    assert sorted(bench.table()["seed"]) == [0, 1, 2, 3]
    assert bench.stamps() == before


def test_complete_finds_a_damaged_record_without_being_told_to_collect(bench):
    path = bench.cell(2) / "record.json"
    path.write_bytes(path.read_bytes()[:-30])
    first = bench.snakemake(*STUDY)
    assert first.returncode != 0
    assert "set aside as record.damaged" in first.stdout + first.stderr
    second = bench.snakemake(*STUDY)
    assert second.returncode == 0, second.stdout + second.stderr
    assert path.exists()
    assert set(pl.Series(bench.table()["status"])) == {"done"}


def test_an_edit_of_the_laws_fits_anew_and_trains_nothing(bench):
    """Neither Snakemake nor a report by hand shows the laws of the code that was there before."""
    before = bench.stamps()
    shutil.copytree(PACKAGE, bench.folder / "scaling")  # found before the package
    assert set(bench.jobs(*STUDY)) == {"complete"}
    laws = (bench.folder / "scaling" / "laws").rglob("*.py")
    (edited,) = (path for path in laws if "rows; {needed} are needed" in path.read_text())
    edited.write_text(edited.read_text().replace("rows; {needed} are needed", "rows; {needed} would do"))
    assert set(bench.jobs(*STUDY)) == {"fit", "report", "complete"}
    by_hand = bench.scaling("report", "studies/faults.yaml")
    assert by_hand.returncode == 0, by_hand.stderr
    assert "rows; 6 would do" in (bench.folder / "reports/faults/laws.csv").read_text()
    run = bench.snakemake(*STUDY)
    assert run.returncode == 0, run.stdout + run.stderr
    fits = (bench.folder / "results/faults/fits.json").read_text()
    assert "rows; 6 would do" in fits
    assert "are needed for 5 parameters" not in fits
    assert bench.stamps() == before
    assert set(bench.jobs(*STUDY)) == {"complete"}
