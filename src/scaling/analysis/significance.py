"""The size of the tests of the analysis, and the confidence of its intervals."""

from typing import Final

SIGNIFICANCE: Final = 0.05
"""Chance of a false rejection: of every test, and of a whole family of tests where they are corrected together (convention)."""

CONFIDENCE: Final = 0.95
"""Of every interval of the analysis: 1 - SIGNIFICANCE."""
