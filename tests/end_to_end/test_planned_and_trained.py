"""`scaling plan` says what Snakemake then trains: after a rename, with half the grid in another study, with tuning done."""

import json

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STUDY = """\
name: {name}
families: {{mlp: , mlp-fixed: {{model: mlp, recipe: {{learning_rate: 0.02}}}}}}
grid: {{params: [13000, 20000], images: {images}}}
recipe:
  {{images_floor: 640, images_factor: 1, evaluations: 2, patience: 0, anchors: {anchors}}}
laws: {{bootstrap: 0}}
"""
ANCHORS = "{params: [13000, 30000], images: 250, rates: [0.002, 0.01], widen: 1}"


def write(checkout, name: str, images: str, anchors: str = ANCHORS) -> str:
    (checkout.folder / "studies" / f"{name}.yaml").write_text(STUDY.format(name=name, images=images, anchors=anchors))
    return f"studies/{name}.yaml"


def planned(checkout, study: str) -> dict[str, int]:
    run = checkout.scaling("plan", study, "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    plan = json.loads(run.stdout)
    assert all(type(plan[name]) is int for name in ("new", "stored", "tuning_jobs"))
    return {name: plan[name] for name in ("new", "stored", "tuning_jobs", "candidates")}


def trained(checkout, study: str) -> tuple[int, int]:
    """Cells and candidates of tuning that a run of ``study`` adds to the store."""
    before = set(checkout.records())
    run = checkout.snakemake("--until", "collect", "--config", f"study={study}")
    assert run.returncode == 0, run.stdout + run.stderr
    new = set(checkout.records()) - before
    images = [json.loads((checkout.folder / "results/store" / key / "record.json").read_text())["row"]["images"] for key in new]
    return sum(d != 250 for d in images), sum(d == 250 for d in images)


def test_what_is_planned_is_what_is_trained(checkout):
    first = write(checkout, "first", "[300, 400]")
    assert planned(checkout, first) == {"new": 8, "stored": 0, "tuning_jobs": 1, "candidates": 4}
    cells, candidates = trained(checkout, first)
    assert (cells, candidates >= 4) == (8, True)  # widening may add some

    done = {"new": 0, "stored": 8, "tuning_jobs": 0, "candidates": 0}
    assert planned(checkout, first) == done
    assert "tuning" not in checkout.scaling("plan", first).stdout.replace("with tuning", "")

    tuning = (checkout.folder / "results/first/tuning/mlp.json").read_bytes()
    renamed = write(checkout, "renamed", "[300, 400]")
    files = sorted(checkout.folder.glob("results/**/*"))
    assert planned(checkout, renamed) == done
    assert sorted(checkout.folder.glob("results/**/*")) == files  # a plan writes nothing
    assert trained(checkout, renamed) == (0, 0)
    assert (checkout.folder / "results/renamed/tuning/mlp.json").read_bytes() == tuning

    half = write(checkout, "half", "[400, 500]")
    assert planned(checkout, half) == {"new": 4, "stored": 4, "tuning_jobs": 0, "candidates": 0}
    assert trained(checkout, half) == (4, 0)

    (checkout.folder / "results/first/tuning/mlp.json").write_text("{}")
    assert planned(checkout, first) == done

    # One candidate more at each anchor: the others are there, the rate is not known before.
    finer = write(checkout, "finer", "[300, 400]", ANCHORS.replace("0.002,", "0.002, 0.005,").replace("widen: 1", "widen: 0"))
    assert planned(checkout, finer) == {"new": 4, "stored": 4, "tuning_jobs": 1, "candidates": 2}
    assert trained(checkout, finer)[1] == 2
    assert planned(checkout, finer) == done


def test_a_damaged_record_is_planned_anew_and_left_where_it_is(checkout):
    study = write(checkout, "first", "[300, 400]")
    assert planned(checkout, study)["new"] == 0
    key = pl.read_parquet(checkout.folder / "results/first/runs.parquet")["key"][0]
    record = checkout.folder / "results" / "store" / key / "record.json"
    record.write_bytes(record.read_bytes()[:-30])
    run = checkout.scaling("plan", study, "--json")
    assert "not a whole record" in run.stderr
    assert json.loads(run.stdout)["new"] == 1
    assert record.exists()
