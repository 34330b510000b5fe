"""A family whose training fails leaves the others alone, is shown in the report, and is trained by the next run."""

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = """\
name: holes
families:
  mlp:
  vit: {recipe: {learning_rate: 0.01, stochastic_depth: 0.1}}
grid: {params: [13000], images: [300]}
recipe: {images_floor: 2000, images_factor: 1, evaluations: 2, learning_rate: 0.01}
"""


RAISES = """\
from torch import nn

class Net(nn.Sequential):
    def forward(self, images):
        if len(images) == 64:  # a batch of training; the checker's images are fewer
            raise ValueError("64 images are too many")
        return super().forward(images)

def net(width, depth, image):
    return Net(nn.Flatten(), nn.Linear(image.side**2 * image.channels, width), nn.ReLU(), nn.Linear(width, image.classes))
"""


def test_a_family_that_raises_and_one_that_diverges(checkout):
    path = checkout.folder / "studies" / "holes.yaml"
    (checkout.folder / "studies" / "raises.py").write_text(RAISES)
    path.write_text(STUDY.replace("  mlp:\n", "  mine: {model: raises.py:net}\n"))
    run = checkout.snakemake("--config", "study=studies/holes.yaml")
    text = run.stdout + run.stderr
    assert run.returncode != 0
    assert "1 of 2 runs have no result" in text
    assert "mine N=13000 D=300 seed=0" in text
    assert "report: reports/holes/index.html" in text
    runs = pl.read_parquet(checkout.folder / "results/holes/runs.parquet")
    assert dict(runs.select("family", "status").iter_rows()) == {"mine": "failed", "vit": "done"}
    assert "64 images are too many" in runs.filter(pl.col("family") == "mine")["reason"].item()
    page = (checkout.folder / "reports/holes/index.html").read_text()
    assert "64 images are too many" in page
    before = checkout.records()

    # In its place a rate that diverges: that is a result, and kept out of the fits.
    path.write_text(STUDY.replace("  mlp:\n", "  mlp: {recipe: {learning_rate: 1e9}}\n"))
    run = checkout.snakemake("--config", "study=studies/holes.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    after = checkout.records()
    assert len(after) == 2
    assert before.items() <= after.items()
    runs = pl.read_parquet(checkout.folder / "results/holes/runs.parquet")
    row = runs.filter(pl.col("family") == "mlp").row(0, named=True)
    assert row["status"] == "diverged"
    assert "step" in row["reason"]
    assert row["loss"] is None
