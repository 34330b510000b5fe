import importlib.util
import shutil
from pathlib import Path

import pytest

ENVS = Path(__file__).parents[2] / "envs"


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not here to export uv.lock")
def test_the_environment_of_the_rules_is_that_of_the_lock():
    spec = importlib.util.spec_from_file_location("export", ENVS / "export.py")
    export = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(export)
    assert (ENVS / "scaling.yaml").read_text() == export.exported(), "run: uv run python envs/export.py"
