"""The report's figures, collected from their files: a new file in ``figures/`` is on the page without being named anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from scaling.report.figures import ClaimFigure, Figure
from scaling.study.declared import CLAIM_FIGURES, FIGURES, module_of


def _load(declarations: Mapping[str, Any], variable: str) -> dict[str, Any]:
    modules = {name: import_module(f"scaling.report.figures.{module_of(name)}") for name in declarations}
    return {name: getattr(module, variable) for name, module in modules.items()}


PAGE_FIGURES: Final[dict[str, Figure]] = dict(sorted(_load(FIGURES, "figure").items(), key=lambda named: named[1].order))
"""The figures of the page by name, which is their anchor, in the order of the page."""

OF_CLAIMS: Final[dict[str, ClaimFigure]] = {one.claim: one for one in _load(CLAIM_FIGURES, "claim_figure").values()}
"""Name of a claim -> its own figure."""
