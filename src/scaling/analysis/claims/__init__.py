"""Claims: each is a file ``cNN_name.py`` with a ``claim`` in it, found by its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.claim_files import claim_files
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims

__all__ = ["Claim", "Curves", "Evidence", "Finding", "MissingEvidence", "Part", "judge_claims", "load_claims"]


def load_claims(names: Iterable[str]) -> list[Claim]:
    """The claims of these names, in the order of their numbers.

    Raises:
        ValueError: if there is no such claim.
    """
    files = claim_files()
    wanted = set(names)
    for name in wanted - set(files):
        raise ValueError(f"no claim is called {name!r}; there are {', '.join(files)}")
    chosen = {name: path.stem for name, path in files.items() if name in wanted}
    return [replace(import_module(f"{__name__}.{module}").claim, name=name) for name, module in chosen.items()]
