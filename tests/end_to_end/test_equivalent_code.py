"""Refactorings that ``equivalent_code.txt`` declares to change nothing: one run of every family by both codes, bit for bit."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from checkout import ROOT

from scaling.models.registry import FAMILIES
from scaling.runs.deciding_code import EQUIVALENTS, PACKAGE, declared
from scaling.runs.records import MEASURED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = """\
name: both
families: {%s}
grid: {params: [30000], images: [60], seeds: [0]}
recipe: {images_floor: 1280, images_factor: 1, evaluations: 2, patience: 0, learning_rate: 0.01, anchors: {images: 60}}
"""
COMMANDS = (
    "import json, sys; from scaling.cli import app; [app(line, standalone_mode=False) for line in json.loads(sys.argv[1])]"
)


def scaling(folder, package, *lines):
    """Run commands of the package in the folder ``package`` one after the other, in ``folder``."""
    path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(lines)],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def runs(folder, package, families):
    """A run of each of ``families`` by the code of ``package``: its fingerprints, and its result."""
    folder.mkdir(exist_ok=True)
    (folder / "both.yaml").write_text(STUDY % ", ".join(f"{family}: " for family in families))
    study = "both.yaml"
    jobs = [[command, study, family] for family in families for command in ("tune", "train")]
    scaling(folder, package, ["prepare", study], *jobs)
    found = {}
    for path in (folder / "results" / "store").glob("*/record.json"):
        record = json.loads(path.read_text())
        row = {name: value for name, value in record["row"].items() if name not in (*MEASURED, "key")}
        found[row["family"]] = record["settings"]["code"], {"row": row, "curve": record["curve"]}
    assert found.keys() == set(families)
    assert {result["row"]["status"] for _, result in found.values()} == {"done"}
    return found


def refusals(new, old, before, after):
    """Why a line that declares fingerprint ``new`` equivalent to ``old`` must not stand, given the runs by both codes."""
    said = []
    for name, wanted, found in (("OLD", old, before), ("NEW", new, after)):
        if not any(wanted in code.values() for code, _ in found.values()):
            said.append(f"{name} {wanted} decides no run of that code")
    return said + [f"{family}: the results differ" for family in before if before[family][1] != after[family][1]]


def copy(package, folder):
    """A copy of a package, its declarations left out, so that its records name the code as it is."""
    target = folder / "src" / "scaling"
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / EQUIVALENTS.relative_to(PACKAGE)).write_text("")
    return target


def archived(commit, folder):
    """The package as it stood in ``commit``."""
    if subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True).returncode != 0:
        pytest.skip(f"this clone is shallow: it has no commit {commit}")
    content = subprocess.run(["git", "archive", commit, "src/scaling"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder / "archive", filter="data")
    return copy(folder / "archive" / "src" / "scaling", folder / "old")


def test_every_declared_refactoring_gives_the_same_results(tmp_path):
    lines = declared()
    after = runs(tmp_path / "new", copy(PACKAGE, tmp_path / "new code"), FAMILIES) if lines else {}
    found = []
    for number, line in enumerate(lines):
        folder = tmp_path / str(number)
        before = runs(folder, archived(line.commit, folder), FAMILIES)
        found += [f"{EQUIVALENTS.name}: {line.new}: {why}" for why in refusals(line.new, line.old, before, after)]
    assert found == []


def edited(package, old, new):
    path = package / "models" / "mlp.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The code as it is, and a run by it."""
    folder = tmp_path_factory.mktemp("before")
    return folder, runs(folder, copy(PACKAGE, folder), ["mlp"])


def test_a_neutral_refactoring_is_accepted_and_keeps_stored_results_valid(before, tmp_path):
    folder, old = before
    package = copy(PACKAGE, tmp_path)
    edited(package, "image.side**2] + [units] * depth", "image.side**2, *[units] * depth]")
    new = runs(tmp_path / "runs", package, ["mlp"])
    names = new["mlp"][0]["model"], old["mlp"][0]["model"]
    assert names[0] != names[1]
    assert refusals(*names, old, new) == []
    assert refusals("0" * 24, names[1], old, new) == [f"NEW {'0' * 24} decides no run of that code"]

    def planned():
        return json.loads(scaling(folder, package, ["plan", "both.yaml", "--json"]))["new"]

    assert planned() == 1
    (package / EQUIVALENTS.relative_to(PACKAGE)).write_text(f"# units in a list\n{' '.join(names)} 0123abc\n")
    assert planned() == 0


def test_an_edit_that_changes_a_result_is_refused(before, tmp_path):
    _, old = before
    package = copy(PACKAGE, tmp_path)
    edited(package, 'nonlinearity="relu"', 'nonlinearity="linear"')
    new = runs(tmp_path / "runs", package, ["mlp"])
    names = new["mlp"][0]["model"], old["mlp"][0]["model"]
    assert refusals(*names, old, new) == ["mlp: the results differ"]


@pytest.mark.parametrize("line", ["abc", "abc def", "abc def xyz", "a b c d"])
def test_a_line_that_says_something_else_is_named(monkeypatch, tmp_path, line):
    from scaling.runs import deciding_code

    path = Path(tmp_path / "equivalent_code.txt")
    path.write_text(f"# of a kind\n{line}\n")
    monkeypatch.setattr(deciding_code, "EQUIVALENTS", path)
    with pytest.raises(deciding_code.CodeError, match=r"equivalent_code\.txt: line 2: received .*allowed: NEW OLD COMMIT"):
        declared.__wrapped__()
