"""The plan on a terminal of 80 columns: nothing is cut off, and a family with four sizes needs one line."""

import pytest

from scaling.jobs.family_plan import FamilyPlan
from scaling.jobs.plan import Plan
from scaling.report.plan_table import print_plan
from scaling.study.schema import Study


def family_plan(family: str, sizes: list[int], rate: str) -> FamilyPlan:
    rungs = tuple({"target": n, "params": n, "width": 4.0, "depth": 2, "flop": n, "note": ""} for n in sizes)
    return FamilyPlan(family, rungs, rate, 28, 0, 7.8e12, 3420.0, 600.0, 1, 3000.0, 2500)


@pytest.mark.parametrize("rate", ["not yet tuned", "0.0123 (w/16)^-0.50"])
def test_it_fits_into_80_columns(monkeypatch, capsys, rate):
    monkeypatch.setenv("COLUMNS", "80")
    sizes = [4_910, 13_800, 37_900, 105_000]
    study = Study.model_validate({"name": "s", "families": {"googlenet": None}, "grid": {"params": sizes, "images": [500]}})
    print_plan(Plan("s", (family_plan("googlenet", sizes, rate),)), study, 2)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("googlenet") and rate.split()[0] in line]
    for word in ("4.91k", rate, "28", "7.8·10¹²", "67 min"):
        assert word in line
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80
    if rate == "not yet tuned":
        assert "105k" in line
