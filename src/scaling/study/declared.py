"""What the files of a folder declare, read without running them.

A probe is one file that holds ``probe = Probe(description="...", take=...)``, and nothing outside the folder knows its name;
so it is with benchmarks and figures. A study is checked before torch is imported, so the checks read the source of these files.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = Path(__file__).parents[1]


def declared(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The declarations in ``folder``, in the order of their files' names.

    Args:
        folder: where the files lie; those that assign no call to ``name`` are left out.
        name: name of the variable, such as ``probe``.

    Returns:
        Name of each declaration (that of its file with dashes: ``receptive_field.py`` -> receptive-field) -> the keywords of
        the call whose values are literals.

    Raises:
        SyntaxError: a file is not Python.
    """
    found = {}
    for path in sorted(folder.glob("*.py")):
        for statement in ast.parse(path.read_bytes(), str(path)).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) and _sets(statement, name):
                found[path.stem.replace("_", "-")] = _literals(statement.value)
    return found


def module_of(name: str) -> str:
    """The module that declares ``name``: receptive-field -> receptive_field."""
    return name.replace("-", "_")


def described(declarations: Mapping[str, Mapping[str, Any]]) -> str:
    """All of ``declarations`` as one text: each name with its description."""
    return "; ".join(f"{name} ({one.get('description', 'no description')})" for name, one in declarations.items())


def _sets(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)


def _literals(call: ast.Call) -> dict[str, Any]:
    found = {}
    for keyword in call.keywords:
        try:
            found[keyword.arg or ""] = ast.literal_eval(keyword.value)
        except ValueError:  # a function or another value that only running the file gives
            continue
    return found


PROBES: Final = declared(_PACKAGE / "training" / "probes", "probe")
"""Every probe that a study may name under `probes`, with what its file declares."""
BENCHMARKS: Final = declared(_PACKAGE / "jobs" / "benchmarks", "benchmark")
"""Every benchmark that a study may name under `benchmarks`, likewise."""
FIGURES: Final = declared(_PACKAGE / "report" / "figures", "figure")
"""The figures of the report's page; ``scaling.report.gallery`` runs their files."""
CLAIM_FIGURES: Final = declared(_PACKAGE / "report" / "figures", "claim_figure")
"""The figures that belong to one claim each."""
