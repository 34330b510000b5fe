"""No file that a study reads can execute anything: weights are safetensors, the rest is JSON, Parquet, YAML without types."""

import ast
import os
import pickle
from pathlib import Path

import pytest

import scaling
from scaling.data import DamagedData, DataError, load
from scaling.jobs.calibration import CalibrationError, read_calibration
from scaling.jobs.opening import open_study
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.progress import read_progress
from scaling.runs.store import Store
from scaling.study.layout import Layout
from scaling.study.study_file import StudyError, read_tree
from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint

SOURCES = sorted(Path(scaling.__file__).parent.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "torch.jit.load", "torch.package", "pandas.read_pickle", "pd.read_pickle"}


def test_no_source_can_load_a_pickle():
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            elif isinstance(node, ast.Call):
                if ast.unparse(node.func) in FORBIDDEN_CALLS:
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
                for keyword in node.keywords:
                    unsafe = keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                    if unsafe or (keyword.arg == "weights_only" and ast.unparse(keyword.value) != "True"):
                        found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
            found += [f"{path.name}:{node.lineno}: imports {name}" for name in names if name in FORBIDDEN_MODULES]
    assert not found, "\n".join(found)
    assert len(SOURCES) > 50


class Poison:
    """When it is unpickled a folder appears."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(params=[0, 2, 5], ids=lambda protocol: f"protocol {protocol}")
def poisoned(request, tmp_path):
    """A function that writes a poisoned pickle, and a check that it did nothing; the poison works, or nothing is shown."""
    proof = tmp_path / "proof"
    pickle.loads(pickle.dumps(Poison(proof), protocol=request.param))
    assert proof.exists()
    folder = tmp_path / "executed"
    content = pickle.dumps(Poison(folder), protocol=request.param)

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    yield write
    assert not folder.exists()


def test_checkpoint(poisoned, tmp_path):
    path = poisoned(tmp_path / "checkpoint.safetensors")
    with pytest.raises(UnusableCheckpoint, match=r"checkpoint\.safetensors"):
        load_checkpoint(path, {})


def test_record_and_progress(poisoned, tmp_path):
    store, said = Store(tmp_path), []
    poisoned(store.record_path("k"))
    assert store.read_or_discard("k", said.append) is None
    assert "record.json" in said[0]
    assert read_progress(poisoned(store.progress_path("k"))) is None


def test_lease(poisoned, tmp_path):
    store = Store(tmp_path)
    poisoned(store.lease("k").path)
    assert store.lease("k").acquire()  # nobody's, so it is taken over


def test_prepared_images(poisoned, tmp_path):
    with pytest.raises((DamagedData, DataError), match=r"images\.safetensors"):
        load(poisoned(tmp_path / "images.safetensors"))


def test_caches(poisoned, tmp_path):
    layout = Layout("s", tmp_path)
    poisoned(layout.ladders)
    assert Ladders(layout.ladders).rung("mlp", 13_000, ImageSpec(28, 1, 10)).params > 0
    with pytest.raises(CalibrationError, match="not a calibration"):
        read_calibration(poisoned(layout.speed))


def test_study_file(poisoned, tmp_path):
    with pytest.raises(StudyError):
        read_tree(poisoned(tmp_path / "study.yaml"))


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir", "!python/name:os.mkdir"])
def test_yaml_tags_make_no_objects(tag, tmp_path):
    folder, path = tmp_path / "executed", tmp_path / "study.yaml"
    path.write_text(f"name: a\nfamilies: {tag} ['{folder}']\ngrid: {{params: [13000], images: [500]}}\n")
    with pytest.raises(StudyError):
        open_study(path)
    assert not folder.exists()
