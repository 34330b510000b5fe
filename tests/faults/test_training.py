"""What may go wrong in a training itself: it diverges, it raises, memory runs out."""

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MEMORY = """
import torch
from scaling.training import loop

loss = loop.supervised_loss

def short_of_memory(model, images, *rest, **named):
    if len(images) > 16:
        raise torch.OutOfMemoryError(f"out of memory: tried to allocate {len(images)} images (simulated)")
    return loss(model, images, *rest, **named)

loop.supervised_loss = short_of_memory
"""


def runs(bench) -> pl.DataFrame:
    return pl.read_parquet(bench.folder / "results/faults/runs.parquet")


@pytest.mark.parametrize(("rate", "reason"), [("3", "training loss"), ("1.0e+30", "loss not finite")])
def test_a_rate_that_diverges_or_makes_the_loss_nan_is_a_result(fresh, rate, reason):
    fresh.write_study(("learning_rate: 0.01", f"learning_rate: {rate}"), ("seeds: [0, 1, 2, 3, 4]", "seeds: [0]"))
    fresh.do("tune", "studies/faults.yaml", "mlp")
    ended = fresh.train()
    assert ended.code == 0, ended.text  # nothing is missing
    row = runs(fresh).row(0, named=True)
    assert (row["status"], row["loss"]) == ("diverged", None)
    assert reason in row["reason"]
    assert "step" in row["reason"]
    fresh.do("report", "studies/faults.yaml")
    assert row["reason"] in (fresh.folder / "reports/faults/index.html").read_text()
    before = fresh.stamps()
    assert fresh.train().code == 0
    assert fresh.stamps() == before  # a result is not tried again


def test_a_family_that_raises_leaves_holes_that_the_next_run_fills(fresh, trained):
    fresh.plant(
        "broken", "from scaling.models import mlp\n\ndef build(*_, **__):\n    raise ValueError('no such layer: <b>')\n"
    )
    # the family's own function raises, in the trainer alone: the ladder has counted it before
    text = "\nfrom scaling.training import loop\nloop.build = build\n"
    fresh.plant("broken", (fresh.folder / "broken.py").read_text() + text)
    ended = fresh.train(PLUGINS="broken")
    assert ended.code == 1
    assert "5 of 5 runs have no result" in ended.text
    assert "mlp N=38000 D=60 seed=0: ValueError: no such layer: <b>" in ended.text
    fresh.do("report", "studies/faults.yaml")
    page = (fresh.folder / "reports/faults/index.html").read_text()
    assert "no such layer: &lt;b&gt;" in page
    again = fresh.train()
    assert again.code == 0, again.text
    assert fresh.table().equals(trained.table())


def test_out_of_memory_halves_the_images_computed_at_a_time(fresh, trained):
    fresh.plant("memory", MEMORY)
    ended = fresh.train(PLUGINS="memory")
    assert ended.code == 0, ended.text
    assert "out of memory with 64 images at a time; goes on with 32" in ended.text
    assert "out of memory with 32 images at a time; goes on with 16" in ended.text
    table = fresh.table()
    assert set(table["micro_batch"]) == {16}
    assert table["key"].to_list() == trained.table()["key"].to_list()
    assert (table["loss"] - trained.table()["loss"]).abs().max() < 0.05  # the same sums in another order


def test_out_of_memory_with_one_image_is_a_hole(fresh):
    fresh.plant("memory", MEMORY.replace("> 16", "> 0"))
    fresh.write_study(("seeds: [0, 1, 2, 3, 4]", "seeds: [0]"))
    ended = fresh.train(PLUGINS="memory")
    assert ended.code == 1
    assert "out of memory: tried to allocate 1 images" in ended.text
    assert "1 of 1 runs have no result" in ended.text
    assert fresh.train().code == 0
