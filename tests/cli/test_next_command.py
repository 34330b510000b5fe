"""`scaling next` as a user calls it: one line for what is wrong."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scaling.cli.commands import app
from scaling.jobs.job_errors import MissingWork

SMOKE = Path(__file__).parents[2] / "studies" / "smoke.yaml"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--for", "beauty"), "--for is 'beauty'; allowed: exponents, prediction, contrast, skill"),
        (("--minutes", "5", "--flop", "1e12"), "a budget is given twice, by --minutes and --flop; keep one"),
        (("--minutes", "-1"), "--minutes is -1; it must be positive and finite"),
    ],
)
def test_bad_options_end_with_one_line(options, message):
    result = CliRunner().invoke(app, ["next", "config.yaml", *options])
    assert (result.exit_code, result.stderr) == (2, message + "\n")


def test_a_study_without_results_is_told_what_to_run(tmp_path, monkeypatch):
    shutil.copy(SMOKE, tmp_path / "smoke.yaml")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["next", "smoke.yaml", "--minutes", "5"])
    assert isinstance(result.exception, MissingWork)
    assert str(result.exception).startswith("no run of smoke.yaml has a result yet: run `snakemake")
    assert "\n" not in str(result.exception)
