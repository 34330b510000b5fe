"""Judgements: which family follows its law, and which claims a study supports."""

from scaling.analysis.study_statistics import fit_study

__all__ = ["fit_study"]
