"""Claim 14: four fifths of what humans perceive is visual."""

from scaling.analysis.claims.claim import Claim

claim = Claim(
    number=14,
    title="Eighty per cent is visual",
    statement="About 80 % of what humans perceive reaches them through their eyes.",
    source="a common saying; we know of no primary source",
    not_testable="it is about people, and no model or data set of images bears on it",
)
