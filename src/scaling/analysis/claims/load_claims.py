"""Claims from their files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

from scaling.analysis.claims.claim import Claim
from scaling.analysis.claims.claim_files import claim_files


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
    return [replace(import_module(f"scaling.analysis.claims.{module}").claim, name=name) for name, module in chosen.items()]
