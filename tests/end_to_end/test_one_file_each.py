"""A probe, a benchmark and a figure of one's own: one file each, added to a copy of the package, and nothing else edited."""

import shutil

import polars as pl
import pytest
from checkout import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROBE = '''
"""How large the logits are."""

from scaling.training.probes import Probe


def take(trainer, data):
    logits = trainer.average.model.eval()(trainer.prepare(trainer.images.test_images[:50]))
    return [{"quantity": "logit", "value": logits.abs().mean().item(), "unit": ""}]


probe = Probe(description="mean size of the logits", take=take)
'''
BENCHMARK = '''
"""A count of the models that would be timed."""

from scaling.jobs.benchmarks.settings import Benchmark


def rows(asked):
    return [{"measure": "entries", "quantity": "entries", "value": float(len(asked.sizes)), "unit": ""}]


benchmark = Benchmark(description="how many models the study times", rows=rows, seconds=(1, 0))
'''
FIGURE = '''
"""Loss against error."""

import plotnine as p9

from scaling.report.figures import Figure


def draw(run):
    return p9.ggplot(run.runs.to_pandas(), p9.aes("error", "loss")) + p9.geom_point()


figure = Figure(order=5, title="Loss against error", caption="A point for each run.", draw=draw)
'''
STUDY = """\
name: mine
families:
  mlp: {probes: [mean-logit]}
grid: {params: [13000], images: [300]}
recipe: {learning_rate: 0.01, images_floor: 1280, images_factor: 1, evaluations: 2}
benchmarks: {names: [entries], rounds: 2}
"""


def test_one_file_is_enough_for_a_probe_a_benchmark_and_a_figure(checkout, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "src" / "scaling", tmp_path / "scaling", ignore=shutil.ignore_patterns("__pycache__"))
    for place, text in (
        ("training/probes/mean_logit.py", PROBE),
        ("jobs/benchmarks/entries.py", BENCHMARK),
        ("report/figures/loss_by_error.py", FIGURE),
    ):
        (tmp_path / "scaling" / place).write_text(text.lstrip())
    (checkout.folder / "studies" / "mine.yaml").write_text(STUDY)
    refused = checkout.scaling("plan", "studies/mine.yaml")
    assert "mean-logit" in refused.stderr + refused.stdout  # the package as it is knows no such probe
    assert refused.returncode != 0

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    schema = checkout.scaling("schema").stdout
    assert "mean-logit (mean size of the logits)" in schema
    assert "entries (how many models the study times)" in schema
    run = checkout.snakemake("--config", "study=studies/mine.yaml", timeout=800)
    assert run.returncode == 0, run.stdout + run.stderr
    results = checkout.folder / "results" / "mine"
    assert pl.read_parquet(results / "probes.parquet").filter(measure="mean-logit")["value"].item() > 0
    assert pl.read_parquet(results / "benchmarks.parquet").filter(measure="entries")["value"].item() == 1
    page = (checkout.folder / "reports" / "mine" / "index.html").read_text()
    assert page.index("Loss against error") < page.index("Do the laws predict models they have not seen?")
