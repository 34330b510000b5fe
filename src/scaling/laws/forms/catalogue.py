"""Laws by name, as the command line and the result files write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError, require_positive

UNBOUNDED: Final[dict[str, Callable[[], forms.Law]]] = {
    "chinchilla": forms.chinchilla,
    "interaction": forms.interaction,
    "tied": forms.tied,
    "drifting": forms.drifting,
    "kaplan": forms.kaplan,
    "kaplan-floor": forms.kaplan_floor,
    "repeated": forms.repeated,
    "overfitting": forms.overfitting,
    "unique-power": forms.unique_power,
    "unique-tied": forms.unique_tied,
    "powers": forms.powers,
    "exponentials": forms.exponentials,
    "logarithms": forms.logarithms,
    "power": forms.power,
    "power-floor": forms.power_floor,
    "power-shifted": forms.power_shifted,
    "saturating": forms.saturating,
    "broken-1": lambda: forms.broken(1),
    "broken-2": lambda: forms.broken(2),
    "exponential": forms.exponential,
    "logarithmic": forms.logarithmic,
}
BOUNDED: Final[dict[str, Callable[[float], forms.Law]]] = {
    "bounded": forms.bounded,
    "power-bounded": forms.power_bounded,
}
NAMES: Final[tuple[str, ...]] = (*UNBOUNDED, *BOUNDED)

ROLES: Final = {"x": "x", "N": "n", "D": "d", "U": "unique"}
"""Variable of a law -> what a table's column of it is asked for as."""
CEILINGS: Final = "chance for K classes: (K - 1) / K of an error rate, 0.9 for 10; ln K of a loss, 2.303 for 10"
"""What a bounded response starts from, for messages and help."""


def law_named(name: str, ceiling: float | None = None) -> forms.Law:
    """The law of that name; bounded laws need the response's ceiling, which the others ignore.

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
    """Raise InputError unless a ceiling is positive; an infinite one stands for none."""
    if not value > 0:
        raise InputError(f"ceiling is {value:g}; it must be positive, or none")


def law_for(name: str, columns: Mapping[str, str], ceiling: float | None) -> forms.Law:
    """The law of that name for columns of a table.

    Raises:
        InputError: as ``law_named``, for a ceiling that the law has no use for, and for the columns of other variables.
    """
    law = law_named(name, ceiling)
    if ceiling is not None and np.isfinite(ceiling) and law.ceiling is None:
        raise InputError(f"law {name} has no ceiling, got {ceiling:g}; those that have one: {', '.join(BOUNDED)}")
    if not set(law.variables) <= set(columns) or ("x" in columns) != ("x" in law.variables):
        wanted = " and ".join(ROLES[name] for name in law.variables)
        raise InputError(f"law {law.name} needs {wanted}, got {', '.join(columns)}")
    return law


def predict(entry: Mapping[str, Any], params: ArrayLike, images: ArrayLike, draw: int | None = None) -> Floats:
    """Response that an entry of ``fits`` in fits.json predicts at N and D.

    Args:
        entry: one dict of the list ``fits``.
        params: N, parameters.
        images: D, images; broadcast against ``params``.
        draw: index into the entry's ``draws`` for one bootstrap curve; None for the fit itself.

    Raises:
        ValueError: if the entry carries no parameters.
    """
    chosen = entry["parameters"] if draw is None else entry["draws"][draw]
    if not chosen:
        raise ValueError(f"the fit of {entry['family']} ({entry['response']}) is {entry['status']}: no parameters")
    law = law_named(entry["law"], entry.get("ceiling"))
    return law.predict(chosen, N=np.asarray(params, float), D=np.asarray(images, float))
