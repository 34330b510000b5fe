"""Laws by name, as the command line and the result files write them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError, require_positive


def _declared() -> tuple[dict[str, Callable[[], Law]], dict[str, Callable[[float], Law]]]:
    """What the files of this folder declare as ``laws`` and as ``bounded_laws``, the usual ones first.

    Raises:
        ValueError: two files declare the same name.
    """
    unbounded: dict[str, Callable[[], Law]] = {}
    bounded: dict[str, Callable[[float], Law]] = {}
    others = sorted(
        path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem not in ("known_laws", "catalogue")
    )
    for stem in ("known_laws", *others):
        module = importlib.import_module(f"scaling.laws.forms.{stem}")
        laws, limited = getattr(module, "laws", {}), getattr(module, "bounded_laws", {})
        twice = (laws.keys() | limited.keys()) & (unbounded.keys() | bounded.keys())
        if twice:
            raise ValueError(f"{module.__file__}: law {min(twice)!r} is declared by another file as well")
        unbounded |= laws
        bounded |= limited
    return unbounded, bounded


UNBOUNDED, BOUNDED = _declared()
"""Every law by its name, as a function that makes it; bounded ones take the ceiling of the response."""
NAMES: Final[tuple[str, ...]] = (*UNBOUNDED, *BOUNDED)

ROLES: Final = {"x": "x", "N": "n", "D": "d", "U": "unique", "rate": "rate"}
"""Variable of a law -> the option by which its column of a table is given."""
CEILINGS: Final = "chance for K classes: (K - 1) / K of an error rate, 0.9 for 10; ln K of a loss, 2.303 for 10"
"""Ceilings of bounded responses, for messages and help."""


def law_named(name: str, ceiling: float | None = None) -> Law:
    """The law of that name; only bounded laws need and use the ceiling of the response.

    Raises:
        InputError: for an unknown name, or a bounded law without a ceiling.
    """
    if name in UNBOUNDED:
        return UNBOUNDED[name]()
    if name in BOUNDED:
        if ceiling is None or np.isinf(ceiling):
            raise InputError(f"law {name} needs the ceiling of the response, got none; {CEILINGS}")
        require_positive("ceiling", ceiling)
        return BOUNDED[name](ceiling)
    close = get_close_matches(name, NAMES, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise InputError(f"law {name!r} is not known; allowed: {', '.join(NAMES)}{hint}")


def require_ceiling(value: float) -> None:
    """Check a ceiling; an infinite one stands for none.

    Raises:
        InputError: unless it is positive.
    """
    if not value > 0:
        raise InputError(f"ceiling is {value:g}; it must be positive, or none")


def law_for(name: str, columns: Mapping[str, str], ceiling: float | None) -> Law:
    """The law of that name for columns of a table.

    Args:
        name: of the law.
        columns: variable -> column.
        ceiling: of the response; None or infinite for none.

    Raises:
        InputError: as ``law_named``; for a ceiling of a law without one; and for columns of other variables than the law's.
    """
    law = law_named(name, ceiling)
    if ceiling is not None and np.isfinite(ceiling) and law.ceiling is None:
        raise InputError(f"law {name} has no ceiling, got {ceiling:g}; those that have one: {', '.join(BOUNDED)}")
    if not set(law.variables) <= set(columns) or ("x" in columns) != ("x" in law.variables):
        wanted = " and ".join(ROLES[name] for name in law.variables)
        raise InputError(f"law {law.name} needs {wanted}, got {', '.join(columns)}")
    return law


def predict(entry: Mapping[str, Any], params: ArrayLike, images: ArrayLike, draw: int | None = None) -> Floats:
    """Response, in the shape of N and D broadcast, that an entry of ``fits`` in fits.json predicts.

    Args:
        entry: one dict of the list ``fits``.
        params: N [...].
        images: D [...], broadcast against ``params``.
        draw: index into the entry's ``draws`` for one bootstrap curve; None for the fit itself.

    Raises:
        ValueError: if the entry has no parameters.
    """
    chosen = entry["parameters"] if draw is None else entry["draws"][draw]
    if not chosen:
        raise ValueError(f"the fit of {entry['family']} ({entry['response']}) is {entry['status']}: no parameters")
    law = law_named(entry["law"], entry.get("ceiling"))
    return law.predict(chosen, N=np.asarray(params, float), D=np.asarray(images, float))
