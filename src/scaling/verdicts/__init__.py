"""Judgements: which family follows its law, and what the study's text may assert."""

from scaling.verdicts.study import fit_study

__all__ = ["fit_study"]
