"""Scaling laws: forms, an exact solver, intervals, prediction of larger runs, the compute-optimal frontier."""

from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.catalogue import law_named, predict
from scaling.laws.forms.law import Law

__all__ = ["Fit", "Law", "fit", "law_named", "predict"]
