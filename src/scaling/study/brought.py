"""What an optimiser brings to a recipe where the study says nothing: candidate rates, a schedule, no weight average.

The candidate rates of the families are those of AdamW. Rules for the others, from which a study's `anchors.rates` departs:

- Adam: the family's.
- SGD and SGD with Nesterov: ``SGD_RATES``, for every family.
- Muon: the family's. Its steps are scaled to the size of AdamW's, so that it takes AdamW's rates (Liu et al. 2025,
  arXiv:2502.16982, section 2.2).
- Schedule-free AdamW: the family's, times ``SCHEDULE_FREE_FACTOR``.
"""

from __future__ import annotations

from typing import Any, Final

SGD_RATES: Final = [1e-2, 3e-2, 1e-1, 3e-1]
"""Candidate rates of SGD (He et al. 2016 began at 0.1; a step of 3 around it)."""

SCHEDULE_FREE_FACTOR: Final = 2.0
"""Schedule-free AdamW wants 1 to 10 times the rate that a schedule wants (its authors' README); tuning adds higher rates."""

SCHEDULE_FREE: Final = "schedule-free-adamw"

FIELDS: Final[dict[str, dict[str, Any]]] = {SCHEDULE_FREE: {"schedule": "constant", "average": 0}}
"""Fields of a recipe that an optimiser sets: the schedule-free one averages weights of a constant rate by itself."""

WITH_MOMENTUM: Final = ("sgd-nesterov", SCHEDULE_FREE)
"""Optimisers whose formulas have no meaning at a beta1 of 0."""


def rates_of(optimizer: str, of_family: list[float]) -> list[float]:
    """Candidate rates of ``optimizer`` for a family whose rates with AdamW are ``of_family``."""
    if optimizer in ("sgd", "sgd-nesterov"):
        return SGD_RATES
    if optimizer == SCHEDULE_FREE:
        return [float(f"{SCHEDULE_FREE_FACTOR * rate:.3g}") for rate in of_family]
    return of_family
