"""The answers of docs/reference.md are printed from tables of runs alone, by its rules."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_answers_come_from_the_tables_of_runs_alone(tmp_path):
    """The sample's runs stand for the study's; the same with other losses for those of twice the training."""
    usual = pl.read_csv(ROOT / "reports" / "sample" / "runs.csv")
    far = pl.col("family").is_in(["vgg", "vit"])
    longer = usual.with_columns(pl.col("family") + "-long", loss=pl.col("loss") * pl.when(far).then(0.8).otherwise(1.0001))
    for name, table in (("reference", usual), ("reference-convergence", pl.concat([usual, longer]))):
        (tmp_path / name).mkdir()
        table.write_csv(tmp_path / name / "runs.csv")

    command = [sys.executable, "benchmarks/reference.py", "--reports", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)

    assert done.returncode == 0, done.stderr
    _, *split = re.split(r"^(\d)\. ", done.stdout, flags=re.M)
    parts = dict(zip(split[::2], split[1::2], strict=True))
    assert set(parts) == set("1234567")
    assert re.search(r"vit +larger D +0\.87 \[0\.57, 0\.95\] +yes", parts["1"])  # as on the sample's page
    assert re.search(r"larger N +\S+ \[-\S+, \S+\] +cannot tell", parts["1"])
    assert re.search(r"difference \S+ \[\S+, \S+\], p = \S+: (yes|no|cannot tell)", parts["2"])
    assert len(re.findall(r"exponential minus power law: \S+ \+- \S+ in squared", parts["5"])) == usual["family"].n_unique()
    enough = dict(re.findall(r"^  (\w+) .*: (yes|no)$", parts["7"], flags=re.M))
    assert {family for family, answer in enough.items() if answer == "no"} == {"vgg", "vit"}
    assert len(enough) == usual["family"].n_unique()
