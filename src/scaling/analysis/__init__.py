"""Judgements: which family follows its law, and which claims a study supports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling.analysis.study_statistics import fit_study

__all__ = ["fit_study"]


def __getattr__(name: str) -> Any:
    # On demand: the statistics take a second to import, and most commands need only the claims' names.
    if name in __all__:
        from scaling.analysis.study_statistics import fit_study

        return fit_study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
