"""The example of docs/own_models.md, run as it stands there: a model of a user's own and one of timm's beside a family."""

import json
import re

import polars as pl
import pytest
from checkout import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGE = (ROOT / "docs" / "own_models.md").read_text()
RECIPE = (
    "recipe: {learning_rate: 0.01, images_floor: 640, images_factor: 1, evaluations: 2, patience: 0, anchors: {images: 60}}\n"
)
FAMILIES = ("mine", "convnext", "mixer")


def block(language: str) -> str:
    """The first such block of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture(scope="module")
def project(checkout):
    """A checkout with the page's files beside each other, below another folder than the one where commands run."""
    (checkout.folder / "studies" / "my_models.py").write_text(block("python"))
    study = block("yaml").replace("images: [300, 600]", "images: [300]")
    assert study != block("yaml")
    (checkout.folder / "studies" / "own.yaml").write_text(study + RECIPE + "laws: {bootstrap: 0}\n")
    return checkout


def run(project, *targets: str):
    return project.snakemake(*targets, "--config", "study=studies/own.yaml", timeout=600)


def new(project) -> dict[str, int]:
    ended = project.scaling("plan", "studies/own.yaml", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {part["family"]: part["cells"] - part["stored"] for part in json.loads(ended.stdout)["families"]}


def edit(project, old: str, new_text: str) -> None:
    path = project.folder / "studies" / "my_models.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new_text))


def test_a_study_of_models_from_outside_runs_to_its_report(project):
    ended = run(project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    runs = pl.read_parquet(project.folder / "results/own/runs.parquet")
    assert runs["status"].unique().to_list() == ["done"]
    found = {family: (kind, model) for family, kind, model in runs.select("family", "kind", "model").unique().iter_rows()}
    assert found == {
        "mine": ("convolutional", "studies/my_models.py:mine"),
        "convnext": ("convolutional", "timm/convnext"),
        "mixer": ("other", "mixer"),
    }
    page = (project.folder / "reports/own/index.html").read_text()
    assert all(family in page for family in FAMILIES)

    # A comment trains nothing, and no job is started for it.
    edit(project, "def block(width):\n", "def block(width):  # a norm first\n")
    assert new(project) == dict.fromkeys(FAMILIES, 0)
    assert not {"tune", "train"} & set(project.jobs("--config", "study=studies/own.yaml"))

    # An edit trains that model's runs again, and no others.
    before = project.records()
    edit(project, "nn.ReLU()", "nn.GELU()")
    assert new(project) == {"mine": 2, "convnext": 0, "mixer": 0}
    ended = run(project, "results/own/runs.parquet")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert before.items() <= project.records().items()
    assert len(project.records()) == len(before) + 2
    again = pl.read_parquet(project.folder / "results/own/runs.parquet")
    touched = pl.col("family") == "mine"
    assert not set(again.filter(touched)["loss"]) & set(runs.filter(touched)["loss"])
    assert again.filter(~touched)["loss"].equals(runs.filter(~touched)["loss"])

    # What only training shows is said in a line where it is tried first: file, line, what was raised.
    edit(
        project,
        "        return self.head",
        "        if self.training:\n            raise KeyError('no such feature')\n        return self.head",
    )
    (project.folder / "results/cache/speed.json").unlink()
    refused = project.scaling("plan", "studies/own.yaml")
    assert refused.returncode == 2
    assert re.fullmatch(
        r".*cannot be trained: .*my_models\.py: line 17: KeyError: 'no such feature'", refused.stderr.splitlines()[-1]
    )
