"""A family, a source, a law, a claim, a probe, a benchmark and a figure of one's own: one file each, nothing else edited."""

import json
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
    return [{"measure": "entries", "quantity": "entries", "value": float(len(asked.entries)), "unit": ""}]


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
FAMILY = '''
"""A linear map to few numbers, and one from there to the classes."""

from torch import nn

from scaling.models.family import Family, channels
from scaling.models.registry import Facts

facts = Facts(
    name="narrow",
    kind="fully-connected",
    published="1986-10-10",
    reference="none",
    recipe={"anchors": {"params": [13000, 90000], "rates": [0.0025, 0.005, 0.01, 0.02]}},
    historical={"optimizer": "sgd"},
    colour="#aa3377",
    colour_on_dark="#cc5599",
    shape="v",
)


def build(width, depth, image, regularisation):
    hidden = [nn.Linear(channels(width), channels(width)) for _ in range(depth)]
    pixels = image.channels * image.side**2
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, channels(width)), *hidden, nn.Linear(channels(width), image.classes))


family = Family(
    facts=facts,
    widths=(4, 5000, 0.5),
    depths=((4, 1),),
    depth_unit="hidden layers",
    builder=build,
    residual=False,
    channels_last_from=None,
)
'''
SOURCE = '''
"""Stripes, upright or lying."""

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.source import Source


def drawn(count):
    random = np.random.default_rng(count)
    labels = np.arange(count) % 2
    images = random.integers(0, 100, (count, 3, 28, 28), np.uint8)
    images[labels == 0, :, ::4, :] += 100
    images[labels == 1, :, :, ::4] += 100
    return images, labels


def read(downloads):
    return Arrays(("lying", "upright"), *drawn(3000), *drawn(200))


source = Source(name="stripes", channels=3, side=28, classes=2, train_images=3000, read=read)
'''
CLAIM = '''
"""Claim 17: stripes are easy."""

from scaling.analysis.claims.claim import Claim, Finding, Part


def better_than_guessing(evidence):
    cells = evidence.cells("narrow")
    return Finding(0.5 - cells["error"].mean(), exact=True, keys=tuple(cells["key"]))


claim = Claim(
    number=17,
    title="Easy stripes",
    statement="A linear map tells stripes apart.",
    source="this test",
    parts=(
        Part(
            "better than guessing",
            "Fewer than half of the images are misclassified.",
            "one half minus the error",
            better_than_guessing,
            scale="plain",
        ),
    ),
)
'''
LAW = '''
"""A sum of two powers of one variable."""

from scaling.laws.forms.law import Law
from scaling.laws.forms.powers import Power


def two_powers():
    """y = B / x^c + G / x^h."""
    return Law("two-powers", "y = B / x^c + G / x^h", "none", ("x",), (Power("B", ("c",), (0,)), Power("G", ("h",), (0,))))


laws = {"two-powers": two_powers}
'''
STUDY = """\
name: mine
families:
  mlp: {probes: [mean-logit]}
grid: {params: [13000], images: [300]}
recipe: {learning_rate: 0.01, images_floor: 1280, images_factor: 1, evaluations: 2}
benchmarks: {names: [entries], rounds: 2}
"""
OWN_STUDY = """\
name: own
data: {source: stripes, validation: 500}
families: {narrow: {}}
grid: {params: [13000], images: [1000]}
recipe: {learning_rate: 0.001, images_floor: 12800, images_factor: 1, evaluations: 2}
claims: [easy-stripes]
"""
STUDY_OF_MLP = OWN_STUDY.replace("narrow", "mlp").replace("stripes, ", "fashion-mnist, ", 1)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function (place, text) that adds a file to a copy of the package; from its first call on, commands use the copy."""
    shutil.copytree(ROOT / "src" / "scaling", tmp_path / "scaling")

    def add(place: str, text: str) -> None:
        assert not (tmp_path / "scaling" / place).exists()
        (tmp_path / "scaling" / place).write_text(text.lstrip())
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return add


def test_one_file_is_enough_for_a_family_a_source_and_a_claim(checkout, package):
    path = checkout.folder / "studies" / "own.yaml"
    # The package as it is knows none of them; claims are looked at in a study that is valid otherwise.
    for text, names in ((OWN_STUDY, ("stripes", "narrow")), (STUDY_OF_MLP, ("easy-stripes",))):
        path.write_text(text)
        refused = checkout.scaling("plan", "studies/own.yaml")
        assert refused.returncode == 2
        assert [name for name in names if name not in refused.stderr] == []
    path.write_text(OWN_STUDY)

    package("data/sources/stripes.py", SOURCE)
    package("models/narrow.py", FAMILY)
    package("analysis/claims/c17_easy_stripes.py", CLAIM)
    schema = json.loads(checkout.scaling("schema").stdout)
    assert "stripes" in schema["$defs"]["Data"]["properties"]["source"]["enum"]
    run = checkout.snakemake("--config", "study=studies/own.yaml", timeout=800)
    assert run.returncode == 0, run.stdout + run.stderr
    results = checkout.folder / "results" / "own"
    runs = pl.read_parquet(results / "runs.parquet")
    assert runs["family"].to_list() == ["narrow"]
    assert runs["error"].item() < 0.2
    (verdict,) = json.loads((results / "claims.json").read_text())
    assert (verdict["name"], verdict["verdict"]) == ("easy-stripes", "seen")
    assert "Easy stripes" in (checkout.folder / "reports" / "own" / "claims.html").read_text()


def test_one_file_is_enough_for_a_law(checkout, package):
    x = [2.0**power for power in range(24)]
    table = pl.DataFrame({"x": x, "y": [2 / at**0.6 + 0.3 / at**0.1 for at in x]})
    table.write_csv(checkout.folder / "table.csv")
    call = ("fit", "table.csv", "--law", "two-powers", "--x", "x", "--y", "y", "--json")
    refused = checkout.scaling(*call)
    assert refused.returncode == 2
    assert "two-powers" in refused.stderr

    package("laws/forms/two_powers.py", LAW)
    found = checkout.scaling(*call)
    assert found.returncode == 0, found.stderr
    (fit,) = json.loads(found.stdout)
    assert sorted((fit["parameters"]["c"], fit["parameters"]["h"])) == pytest.approx([0.1, 0.6], rel=1e-3)


def test_one_file_is_enough_for_a_probe_a_benchmark_and_a_figure(checkout, package):
    (checkout.folder / "studies" / "mine.yaml").write_text(STUDY)
    refused = checkout.scaling("plan", "studies/mine.yaml")
    assert "mean-logit" in refused.stderr + refused.stdout  # the package as it is knows no such probe
    assert refused.returncode != 0

    package("training/probes/mean_logit.py", PROBE)
    package("jobs/benchmarks/entries.py", BENCHMARK)
    package("report/figures/loss_by_error.py", FIGURE)
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
