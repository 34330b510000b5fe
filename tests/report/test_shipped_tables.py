"""The tables in reports/: whoever fits a shipped table of runs finds the laws and skills of its page."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from scaling.cli.commands import app

REPORTS = sorted(path.parent for path in (Path(__file__).parents[2] / "reports").glob("*/runs.csv"))
COLUMNS = ("--family", "family", "--kind", "kind", "--n", "params", "--d", "images", "--y", "loss", "--seed-column", "seed")


@pytest.mark.slow
@pytest.mark.parametrize("report", [one for one in REPORTS if not (one / "claims.csv").exists()], ids=lambda one: one.name)
def test_a_shipped_table_gives_the_laws_of_its_page(report):
    done = CliRunner().invoke(app, ["compare", str(report / "runs.csv"), *COLUMNS, "--where", "status = 'done'", "--json"])
    assert done.exit_code == 0, done.stderr
    found = {one["family"]: one["fit"] for one in json.loads(done.stdout)["families"]}
    laws = pl.read_csv(report / "laws.csv").filter(pl.col("response") == "loss")
    assert set(found) == set(laws["family"])
    for row in laws.iter_rows(named=True):
        fit = found[row["family"]]
        assert fit["status"] == row["status"]
        assert fit["parameters"][row["parameter"]] == pytest.approx(row["estimate"], rel=1e-6)
        low, high = fit["intervals"].get(row["parameter"]) or (None, None)
        assert (low, high) == (pytest.approx(row["low"], rel=1e-4), pytest.approx(row["high"], rel=1e-4))


@pytest.mark.parametrize("report", REPORTS, ids=lambda one: one.name)
def test_a_shipped_table_is_described(report):
    resources = {one["path"]: one for one in json.loads((report / "datapackage.json").read_text())["resources"]}
    assert {"runs.csv", "laws.csv"} <= set(resources)
    for path, one in resources.items():
        assert pl.read_csv(report / path, n_rows=0).columns == [field["name"] for field in one["schema"]["fields"]]
