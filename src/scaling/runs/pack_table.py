"""The table of a job that trains: its runs as the store has them, under the seal of what it was made from."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from scaling.runs.derived import Seal, write_table
from scaling.runs.grid import Pack
from scaling.runs.job_hashes import pack_hash
from scaling.runs.resolve import gather
from scaling.study.layout import Layout
from scaling.study.schema import Study


def pack_seal(study: Study, pack: Pack) -> Seal:
    """The seal of the table of ``pack``, were it made from the present settings and code. Raises CodeError."""
    return Seal(f"pack {pack.name}", study.name, pack_hash(study, pack))


def write_pack_table(study: Study, layout: Layout, pack: Pack, warn: Callable[[str], None]) -> pl.DataFrame:
    """Write the table of ``pack`` and return it: one row per run, those without a result included.

    Damaged records and tuning files are named through ``warn`` and set aside.

    Raises:
        CodeError: code that decides results cannot be read.
        OSError: the table cannot be written.
    """
    runs = gather(study, layout, [pack], warn)
    write_table(runs, layout.pack(pack.name), pack_seal(study, pack))
    return runs
