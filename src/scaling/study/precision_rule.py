"""Which precision ``precision: auto`` asks for."""

from __future__ import annotations

from typing import Final

from scaling.study.schema import Study

LARGE: Final = 2_000_000
"""N from which bf16 pays on a GPU. Assumption: below, a step takes as long as its kernels take to start, whatever they compute
with, and 8 bits of mantissa are only lost."""


def asked_precision(study: Study) -> str:
    """fp32, bf16, or auto for what the device has: ``auto`` means fp32 where every size of the study is below LARGE.

    One precision for all runs of a study, so that sizes are compared on equal terms. Runs keep the precision of their family's
    tuning, so a larger size that is added later trains nothing again.
    """
    if study.precision != "auto":
        return study.precision
    largest = max((size for family in study.families for size in study.all_sizes(family)), default=0)
    return "auto" if largest >= LARGE else "fp32"
