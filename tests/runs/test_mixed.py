"""A table of runs of several versions or machines says so."""

import polars as pl
import pytest

from scaling.runs.mixed import mixed
from scaling.runs.resolve import runs_table


def table(*changes: dict) -> pl.DataFrame:
    usual = {"status": "done", "torch_version": "2.9", "timm_version": "1.0", "machine": "EPYC"}
    return runs_table([usual | {"device": "cpu", "precision": "fp32"} | change for change in changes])


def test_runs_of_one_kind_are_not_remarked_upon():
    assert mixed(table({}, {"status": "diverged"}, {"status": "missing", "torch_version": None, "machine": None})) == []
    assert mixed(table()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"torch_version": "2.8"}, "with several versions of torch: 2.9 (2 runs), 2.8 (1 run)."),
        ({"timm_version": None}, "with several versions of timm: 1.0 (2 runs), unknown (1 run)."),
        (
            {"machine": "A100", "device": "cuda", "precision": "bf16"},
            "on several kinds of hardware: EPYC cpu fp32 (2 runs), A100 cuda bf16 (1 run).",
        ),
    ],
)
def test_what_differs_is_said_with_the_number_of_runs(change, said):
    assert mixed(table({}, {}, change)) == [f"The runs were trained {said}"]
