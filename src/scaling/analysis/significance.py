"""The significance level of the tests of the analysis, and the confidence level of its intervals."""

from typing import Final

SIGNIFICANCE: Final = 0.05
"""Chance of a false rejection, by convention: of each test, or of all tests that are corrected together."""

CONFIDENCE: Final = 0.95
"""Of every interval: 1 - SIGNIFICANCE."""
