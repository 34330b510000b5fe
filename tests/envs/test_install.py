"""The locked CPU environment, installed as a user would and used: a plan, and one cell trained to its record."""

import importlib.util
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not here to make an environment"),
]

STUDY = """\
name: installed
families: {mlp: {recipe: {learning_rate: 0.01}}}
grid: {params: [13000], images: [300]}
recipe: {images_floor: 1280, images_factor: 1, evaluations: 2}
"""


def export():
    spec = importlib.util.spec_from_file_location("export", ROOT / "envs" / "export.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reaches(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=20).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment made from envs/requirements-cpu.txt.

    Where PyTorch's index of CPU builds is out of reach, torch is PyPI's, with the libraries that this build needs; every
    other line is the file's.
    """
    folder = tmp_path_factory.mktemp("environment")
    requirements = (ROOT / "envs" / "requirements-cpu.txt").read_text()
    module = export()
    if not reaches(f"{module.CPU_INDEX}/torch/"):
        own = [line for line in requirements.splitlines() if "+cpu" not in line and not line.startswith("--extra-index-url")]
        cuda = [line for line in module.locked() if line not in own]
        requirements = "\n".join(own + cuda) + "\n"
    file = folder / "requirements.txt"
    file.write_text(requirements)
    subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--no-deps", "--index-strategy", "unsafe-best-match"]
    subprocess.run([*install, "--python", str(python), "-r", str(file)], check=True)
    subprocess.run(["uv", "pip", "check", "--quiet", "--python", str(python)], check=True)
    return python


def test_it_plans_and_trains(python, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"PYTHONPATH": str(ROOT / "src")}

    def scaling(*arguments: str) -> str:
        command = [str(python), "-m", "scaling", *arguments]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    assert json.loads(scaling("plan", "study.yaml", "--json"))["new"] == 1
    scaling("prepare", "study.yaml")
    scaling("tune", "study.yaml", "mlp")
    scaling("train", "study.yaml", "mlp")
    (record,) = (tmp_path / "results" / "store").glob("*/record.json")
    assert json.loads(record.read_text())["row"]["status"] == "done"
    assert json.loads(scaling("plan", "study.yaml", "--json"))["new"] == 0


def test_it_has_what_the_lock_has(python):
    code = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    found = json.loads(subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout)
    for name in ("torch", "timm", "polars", "snakemake", "numpy"):
        pinned = [line.split(" ;")[0].split("==")[1] for line in export().locked() if line.startswith(f"{name}==")]
        assert found[name].split("+")[0] in pinned
