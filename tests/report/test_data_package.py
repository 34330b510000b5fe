"""The description of a report's tables: every column of every table, by the names and types of the standard."""

import json

import polars as pl
import pytest
from example_study import ENVIRONMENT, fits_of, runs_table, study_of, tuning_of

from scaling.analysis.rate_error import rate_errors
from scaling.report import data_package
from scaling.report.inputs import ReportInputs
from scaling.report.page import build

TYPES = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    runs = runs_table(families=("mlp", "resnet"), sizes=(5_000, 20_000), images=(500, 2_000))
    tuning, fits = tuning_of(runs), fits_of(runs)
    run = ReportInputs(
        study=study_of(runs), runs=runs, fits=fits, tuning=tuning, environment=ENVIRONMENT, plan=None, partial=False,
        command="uv run snakemake --cores all", rate_errors=rate_errors(runs, tuning, fits, seed=0),
    )  # fmt: skip
    return build(run, tmp_path_factory.mktemp("report") / "index.html").parent


def test_it_describes_the_columns_of_each_table_in_their_order(report):
    package = json.loads((report / "datapackage.json").read_text())
    assert {resource["path"] for resource in package["resources"]} == {
        path.name for path in report.glob("*.csv") if path.name != "jobs.csv"
    }
    for resource in package["resources"]:
        fields = {field["name"]: field for field in resource["schema"]["fields"]}
        # Read as the description says, or polars raises an error.
        types = {name: TYPES[field["type"]] for name, field in fields.items()}
        assert pl.read_csv(report / resource["path"], schema=types).columns == list(fields)
        assert all(field["description"] for field in fields.values())


def test_units_are_said_where_there_is_one(report):
    resources = json.loads((report / "datapackage.json").read_text())["resources"]
    units = {field["name"]: field.get("unit") for field in resources[0]["schema"]["fields"]}
    assert (units["loss"], units["params"], units["flop"], units["family"]) == ("nats", "parameters", "FLOP", None)


def test_it_names_the_study_and_its_description():
    study = {"name": "mine", "title": "Mine", "description": "of leaves"}
    package = json.loads(data_package.describe_tables(study, ["runs"]))
    assert (package["name"], package["title"], package["description"]) == ("mine", "Mine", "of leaves")
    assert [resource["name"] for resource in package["resources"]] == ["runs"]
