"""Scaling laws: forms, an exact solver, intervals, prediction of larger cells, the compute-optimal frontier."""

from scaling.laws.catalogue import law_named, predict
from scaling.laws.law import Law
from scaling.laws.solver import Fit, fit

__all__ = ["Fit", "Law", "fit", "law_named", "predict"]
