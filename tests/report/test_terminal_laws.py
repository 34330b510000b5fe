"""Tables of fits and comparisons on a terminal of 80 columns: nothing is cut, whatever the numbers and names."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from scaling.report.terminal_forecast import print_forecast
from scaling.report.terminal_laws import print_comparison, print_fits

LONG = 1.234e-123
FIT = {
    "law": "chinchilla",
    "formula": "E + A / N^alpha + B / D^beta",
    "reference": "a paper",
    "status": "converged",
    "reasons": {},
    "rows": 1_000_000,
    "loss": "sum of Huber(0.001)",
    "parameters": dict.fromkeys(("E", "A", "alpha", "B", "beta"), LONG),
    "standard_errors": dict.fromkeys(("E", "A", "alpha", "B", "beta"), LONG),
    "intervals": {name: [LONG, 9.8765e123] for name in ("E", "A", "alpha", "beta")} | {"B": None},
    "honest_intervals": {"E": [LONG, 9.8765e123]},
    "honest": {"reasons": {"alpha": "laws that predict as well put it anywhere between two numbers"}, "laws": ["tied"]},
    "interval_method": "profile likelihood",
    "certificate": {"share": 1.0, "starts": 16, "gradient": 1e-9, "condition": 1e5, "sample": None},
    "objective": 1.0,
    "residual_rms": 0.01,
    "seconds": 0.1,
    "outliers": {
        "rows": [{"row": 7, "observed": 1e300, "predicted": 0.5, "z": 1e4}],
        "threshold": 4.0,
        "parameters": {"E": 0.5},
        "parameters_without": {"E": 0.25},
        "largest_change": 690.0,
        "reason": None,
    },
}
VERDICT = {"skill": 0.123, "skill_interval": [-12.3, 0.45], "sentence": "It follows its law."}


def printed(printer, result, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    printer(result, console)
    return console.file.getvalue()


def groups() -> list[dict]:
    names = ("a-family-with-a-long-name-of-its-own", "b")
    return [FIT | {"group": {"family": name, "task": "imagenet"}} for name in names]


def comparison() -> dict:
    families = [{"family": name, "fit": FIT, "verdict": VERDICT} for name in ("a-family-with-a-long-name", "b")]
    pair = {"contrast": "alpha", "first": "a-family-with-a-long-name", "second": "b", "difference": LONG, "p_holm": 1e-123}
    return {"families": families, "pairs": [pair | {"interval": [LONG, 9.8765e123]}], "verdict": ["Cannot tell."]}


@pytest.mark.parametrize(
    ("printer", "result"),
    [(print_fits, [FIT | {"group": {}}]), (print_fits, groups()), (print_comparison, comparison())],
)
def test_80_columns_hold_every_number_whole(printer, result) -> None:
    page = printed(printer, result, 80)
    assert "…" not in page
    assert max(map(len, page.splitlines())) <= 80
    assert "1.234e-123" in page
    assert "9.876e+123]" in page or "9.8765e+123]" in page


def test_a_wide_terminal_has_one_line_per_group() -> None:
    wide, slim = (printed(print_fits, groups(), width) for width in (500, 80))
    assert "┃ status" in wide
    assert "┃" not in slim
    assert slim.count("alpha") == 2  # a line of its own per group


def test_a_narrow_table_says_below_it_why_a_fit_did_not_converge() -> None:
    bound = [fit | {"status": "at-bound", "reasons": {"E": "at its lower bound"}} for fit in groups()]
    page = " ".join(printed(print_fits, bound, 80).split())
    assert "family = b, task = imagenet: at-bound (E at its lower bound)" in page


def test_an_outlier_is_named_on_every_page() -> None:
    for printer, result in ((print_fits, [FIT | {"group": {}}]), (print_fits, groups()), (print_comparison, comparison())):
        page = " ".join(printed(printer, result, 100).split())
        assert "row 7 (1e+300, the law says 0.5); without it: E 0.25 instead of 0.5" in page
        assert "change by at most a factor of 10^300" in page


def test_a_forecast_says_where_there_is_no_interval() -> None:
    budget = {"flop": 1e9, "N": 10.0, "D": 20.0, "response": 0.5, "N_interval": None, "D_interval": [None, 30.0]}
    budget |= {"response_interval": [0.4, 0.6], "warnings": ["the best N lies at the end of the range searched"]}
    entry = {"group": {"family": "a"}, "law": "chinchilla", "status": "converged", "parameters": {"E": 0.5}, "rows": 9}
    entry |= {"compute": "6 N D", "dropped": [], "at": [], "budgets": [budget], "targets": []}
    entry |= {"isoflop": {"exponents": {}, "slices": [], "departure": {}}}
    page = printed(print_forecast, [entry, {"group": {"family": "b"}, "reason": "3 rows; 6 are needed"}], 200)
    assert "family = a" in page
    assert "N = 10 (no interval), D = 20 [no end, 30], response = 0.5 [0.4, 0.6]" in page
    assert "no law: 3 rows; 6 are needed" in page
