import pytest

from scaling.study.precision_rule import asked_precision
from scaling.study.schema import Study


def study(params, precision="auto", added=()):
    grid = {"params": params, "images": [500], "seeds": [0], "added": list(added)}
    return Study.model_validate({"name": "s", "families": {"mlp": None}, "grid": grid, "precision": precision})


@pytest.mark.parametrize(
    ("params", "precision", "asked"),
    [
        ([13_000, 1_999_999], "auto", "fp32"),
        ([13_000, 2_000_000], "auto", "auto"),
        ([13_000], "bf16", "bf16"),
        ([20_000_000], "fp32", "fp32"),
    ],
)
def test_auto_is_fp32_in_studies_of_small_models(params, precision, asked):
    assert asked_precision(study(params, precision)) == asked


def test_sizes_beside_the_grid_count():
    large = {"family": "mlp", "params": 3_000_000, "images": 500, "seeds": [0]}
    assert asked_precision(study([13_000], added=[large])) == "auto"
