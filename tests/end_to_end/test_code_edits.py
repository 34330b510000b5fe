"""An edit of the code retrains exactly the runs whose result it can change; `scaling plan` and Snakemake agree on which."""

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

import scaling
from scaling.runs.records import MEASURED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = """\
name: edits
families:
  mlp: {params: [13000]}
  alexnet: {params: [10000]}
grid: {params: [13000], images: [60], seeds: [0, 1]}
recipe: {images_floor: 640, images_factor: 1, evaluations: 2, patience: 0, learning_rate: 0.01, anchors: {images: 60}}
laws: {bootstrap: 0}
"""
FAMILIES = ("mlp", "alexnet")


@pytest.fixture(scope="module")
def project(make_checkout, tmp_path_factory):
    """A checkout with a package of its own, and a study of two runs for each of two families, trained."""
    patch = pytest.MonkeyPatch()
    made = make_checkout(tmp_path_factory.mktemp("edits"))
    shutil.copytree(Path(scaling.__file__).parent, made.folder / "src/scaling")
    patch.setenv("PYTHONPATH", os.pathsep.join([str(made.folder / "src"), os.environ.get("PYTHONPATH", "")]))
    (made.folder / "studies/edits.yaml").write_text(STUDY)
    run(made)
    assert len(made.records()) == 4
    yield made
    patch.undo()


def run(project):
    # As far as the table: that an edit of the laws or the page makes these anew is seen in tests/faults/test_stale_results.py.
    ended = project.snakemake("results/edits/runs.parquet", "--config", "study=studies/edits.yaml", timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def new(project):
    """The runs of each family that the plan says would be trained."""
    ended = project.scaling("plan", "studies/edits.yaml", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    plan = json.loads(ended.stdout)
    found = {part["family"]: part["cells"] - part["stored"] for part in plan["families"]}
    assert plan["new"] == sum(found.values())
    return found


def edit(project, file, *changes):
    path = project.folder / "src/scaling" / file
    text = path.read_text()
    for old, new_text in changes:
        assert old in text
        text = text.replace(old, new_text)
    path.write_text(text)


def table(project):
    return pl.read_parquet(project.folder / "results/edits/runs.parquet").drop(MEASURED)


def test_nothing_is_trained_after_edits_of_a_comment_a_docstring_a_local_name_and_layout(project):
    before, runs = project.records(), table(project)
    edit(
        project,
        "models/mlp.py",
        ("# He et al. 2015", "# by He et al. 2015"),
        ("on the flattened image, dropout after each.", "on the flattened image."),
        ("units", "breadth"),
        ("    sizes = ", "\n    sizes   =   "),
    )
    assert new(project) == {"mlp": 0, "alexnet": 0}
    jobs = project.jobs("--config", "study=studies/edits.yaml")
    assert not {"tune", "train"} & set(jobs), jobs
    run(project)
    assert project.records() == before
    assert table(project).equals(runs)


ACTIVATION = ("nn.ReLU(inplace=True)", "nn.GELU()")
KERNEL = ("c1, 5, stride=2, padding=2", "c1, 3, stride=2, padding=1")


def test_the_runs_of_a_family_whose_activation_or_kernel_was_changed_are_trained_and_no_others(project):
    before, runs = project.records(), table(project)
    edit(project, "models/mlp.py", ACTIVATION)
    assert new(project) == {"mlp": 2, "alexnet": 0}
    run(project)
    after = project.records()
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2
    touched = pl.col("family") == "mlp"
    assert table(project).filter(~touched).equals(runs.filter(~touched))
    losses, earlier = (set(found.filter(touched)["loss"]) for found in (table(project), runs))
    assert len(losses) == 2
    assert not losses & earlier  # the table shows what the code gives now

    edit(project, "models/alexnet.py", KERNEL)
    assert new(project) == {"mlp": 0, "alexnet": 2}
    jobs = project.jobs("--config", "study=studies/edits.yaml")
    assert (jobs["tune"], jobs["train"]) == (1, 1)

    edit(project, "models/alexnet.py", KERNEL[::-1])  # both taken back: the stored results are good again
    edit(project, "models/mlp.py", ACTIVATION[::-1])
    assert new(project) == dict.fromkeys(FAMILIES, 0)
    run(project)
    assert project.records() == after
    assert table(project).equals(runs)
