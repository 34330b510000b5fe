"""A tiny study with a pre-trained entry, through Snakemake; the tests of this file run in their order."""

import json

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CALL = ("--config", "study=studies/pretrained.yaml")
STUDY = """\
name: pretrained
claims: [masked-autoencoder]
families:
  mlp: {params: [13000], recipe: {learning_rate: 0.01}}
  vit-mae:
    model: vit
    probes: [representation, reconstruction]
    pretrain: {objective: mae, images: 500, recipe: {images_floor: 1280, evaluations: 2}}
grid: {params: [5000], images: [300]}
recipe:
  images_floor: 640
  images_factor: 1
  evaluations: 2
  anchors: {params: [5000], images: 200, rates: [0.01, 0.02], widen: 0}
"""


def write(checkout, text: str) -> None:
    (checkout.folder / "studies" / "pretrained.yaml").write_text(text)


def backbones(checkout) -> dict[str, int]:
    found = {}
    for key, stamp in checkout.records().items():
        record = json.loads((checkout.folder / "results/store" / key / "record.json").read_text())
        if "pretraining" in record["settings"]:
            found[key] = stamp
    return found


def test_the_backbone_is_trained_once_and_its_compute_counted(checkout):
    write(checkout, STUDY)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(backbones(checkout)) == 1  # of tuning and of the cell: the same size and seed
    runs = pl.read_parquet(checkout.folder / "results/pretrained/runs.parquet")
    mae = runs.filter(family="vit-mae").row(0, named=True)
    assert (mae["status"], mae["model"]) == ("done", "vit")
    assert 0 < mae["flop_pretraining"] < mae["flop"]
    assert runs.filter(family="mlp")["flop_pretraining"].to_list() == [None]
    assert set(checkout.jobs(*CALL)) == {"complete"}


def test_the_picture_is_on_the_page(checkout):
    page = (checkout.folder / "reports/pretrained/claims.html").read_text()
    assert "Painted patches" in page
    assert "data:image/png;base64" in page


def test_plan_and_status_count_it(checkout):
    plan = checkout.scaling("plan", "studies/pretrained.yaml")
    assert "vit-mae: 1 backbones to start from, 0 of them to be pre-trained" in plan.stdout
    status = json.loads(checkout.scaling("status", "studies/pretrained.yaml", "--json").stdout)
    (job,) = status["pretraining"]
    assert (job["family"], job["counts"]["done"]) == ("vit-mae", 1)


def test_more_labels_reuse_it_and_another_mask_does_not(checkout):
    before = backbones(checkout)
    write(checkout, STUDY.replace("images: [300]", "images: [300, 400]"))
    assert checkout.snakemake(*CALL).returncode == 0
    assert backbones(checkout) == before
    write(checkout, STUDY.replace("objective: mae", "objective: mae, mask: 0.5"))
    plan = checkout.scaling("plan", "studies/pretrained.yaml")
    assert "vit-mae: 1 backbones to start from, 1 of them to be pre-trained" in plan.stdout
    assert {"tune", "train"} <= set(checkout.jobs(*CALL))
