"""Scaling-law studies of vision models; docs/python.md shows what a notebook can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling.report.notebook import as_frame, compare, figures, fit, forecast, read_runs

__all__ = ["as_frame", "compare", "figures", "fit", "forecast", "read_runs"]


def __getattr__(name: str) -> Any:
    # On demand: `import scaling` takes no time, and brings neither torch nor the libraries for statistics and figures.
    if name in __all__:
        from scaling.report import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
