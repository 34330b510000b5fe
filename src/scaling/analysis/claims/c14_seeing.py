"""Claim 14: four fifths of what humans perceive is visual."""

from scaling.analysis.claims.claim import Claim

claim = Claim(
    number=14,
    title="Eighty per cent is visual",
    statement="Some 80 % of what humans perceive reaches them through their eyes.",
    source="a commonplace without a primary source that we know of",
    not_testable="it is about people, not about models; no model or image set bears on it",
)
