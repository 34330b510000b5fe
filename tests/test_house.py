"""The house: each room imports only rooms above it, no file name stands twice, and only a family's own file knows its name."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import scaling
from scaling.models.registry import FAMILIES

ROOMS = ("data", "models", "study", "runs", "training", "laws", "analysis", "jobs", "report", "cli")
LOOSE = ("cores.py", "files.py")
HOUSE = Path(scaling.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The modules of the package that the file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("scaling.")}


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0]


def test_the_folders_are_the_rooms():
    assert {path.name for path in HOUSE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ROOMS)


def test_no_file_lies_loose_but_those_that_belong_to_no_room():
    assert {path.name for path in HOUSE.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", *LOOSE}


def test_what_every_room_uses_imports_nothing_of_the_package():
    assert {name: imports(HOUSE / name) for name in LOOSE} == {name: set() for name in LOOSE}


def test_each_room_imports_only_rooms_above_it():
    wrong = []
    for path in FILES:
        if room(path) in ROOMS:
            below = ROOMS[ROOMS.index(room(path)) + 1 :]
            wrong += [
                f"{path.relative_to(HOUSE)} imports {name}"
                for name in imports(path)
                if name.split(".")[1:2] and name.split(".")[1] in below
            ]
    assert wrong == []


def test_no_file_name_stands_twice():
    names = Counter(path.name for path in FILES if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_what_checks_and_plans_a_study_imports_no_torch_at_the_top():
    for path in FILES:
        if room(path) in ("study", "runs", "laws", "analysis", "report"):
            top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
            names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
            assert not {name for name in names if name.split(".")[0] in ("torch", "timm")}, path


WITHOUT_TORCH = (
    *("data", "models", "study.declared", "training.probes", "analysis", "jobs.dag", "jobs.plan", "jobs.status"),
    *("jobs.train_job", "jobs.tune_job", "report.live_status", "report.page", "cli"),
)
"""What users wait for before anything is trained. Torch's import takes seconds, which a job whose learning rate is fixed and
whose runs are stored need not pay either."""


def test_torch_is_imported_by_nothing_that_can_do_without_it():
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name); print(name, 'torch' in sys.modules)"
    names = [f"scaling.{name}" for name in WITHOUT_TORCH]
    printed = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [f"{name} False" for name in names]


def test_only_a_familys_own_file_tests_for_its_name():
    """Claims are about families and name them; benchmarks of claims time two of them; everything else takes what comes."""
    wrong = []
    for path in FILES:
        if path.is_relative_to(HOUSE / "models") or path.is_relative_to(HOUSE / "analysis" / "claims"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                named = {
                    part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
                wrong += [f"{path.relative_to(HOUSE)}: line {node.lineno}: {name}" for name in named & set(FAMILIES)]
    assert wrong == []
