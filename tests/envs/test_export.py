import importlib.util
import shutil
from pathlib import Path

import pytest

ENVS = Path(__file__).parents[2] / "envs"

pytestmark = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not here to export uv.lock")


@pytest.fixture(scope="module")
def export():
    spec = importlib.util.spec_from_file_location("export", ENVS / "export.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["scaling.yaml", "requirements-cuda.txt", "requirements-cuda126.txt", "requirements-cpu.txt"])
def test_the_environments_are_those_of_the_lock(export, name):
    assert (ENVS / name).read_text() == export.exported()[name], "run: uv run python envs/export.py"


def test_nothing_else_is_left_there(export):
    written = {path.name for path in ENVS.iterdir() if path.suffix in (".yaml", ".txt")}
    assert written == set(export.exported())


def test_the_environment_for_an_older_cuda_is_the_locked_one_but_for_torch(export):
    lines = export.with_older_cuda(export.locked())
    assert {"torch==2.10.0+cu126", "torchvision==0.25.0+cu126"} <= set(lines)
    assert not [line for line in lines if line.startswith(("nvidia", "cuda", "triton"))]
    others = {line for line in export.locked() if not line.startswith(("nvidia", "cuda", "triton", "torch"))}
    assert set(lines) - others == {"torch==2.10.0+cu126", "torchvision==0.25.0+cu126"}


def test_the_cpu_environment_is_the_locked_one_without_cuda(export):
    lines = export.without_cuda(export.locked())
    assert not [line for line in lines if line.startswith(("nvidia", "cuda", "triton"))]
    torch = [line for line in lines if line.startswith("torch==")]
    assert len(torch) == 2
    assert "+cpu ; sys_platform == 'linux'" in torch[0]
    others = {line for line in export.locked() if not line.startswith(("nvidia", "cuda", "triton", "torch"))}
    assert others <= set(lines)
    assert len(lines) == len(others) + 4  # torch and torchvision, on Linux and elsewhere
