"""Judgements: which family follows its law, and what the study's text may assert."""

from scaling.analysis.study_statistics import fit_study

__all__ = ["fit_study"]
