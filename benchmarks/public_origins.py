"""Intervals on public tables: of rows about 3 and 10 times beyond those fitted, and of floors.

    uv run python benchmarks/public_origins.py DATA

DATA is the folder of benchmarks/laws.py. Each table is cut at a third and at a tenth of its largest N, D and N D (or x): the
laws learn the rows below the cut and predict those that lie at least half as far beyond it as the cut says. Chinchilla's points
are cut as well. No floor of a public table is known, but it lies below every response: it is counted how often the lower end of
its interval, from the train rows, lies above responses that were seen later. About three minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from laws import SOURCES, Source

from scaling.laws import fit
from scaling.laws.fitting.selection import stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.agreement import honest_intervals
from scaling.laws.intervals.profile import profile_intervals

CUTS = (3.0, 10.0)
LEAST_ROWS = 8
"""Fewest rows that are learnt from, so that any law of a grid can be fitted."""
CHINCHILLA = Source(
    "Chinchilla's points", "chinchilla_245.csv", {"n": "params", "d": "tokens", "y": "loss"}, (), "chinchilla", None
)
VARIABLES = {"n": "N", "d": "D", "x": "x", "unique": "U", "rate": "rate"}


def tables_of(source: Source, folder: Path) -> Iterator[tuple[dict[str, Floats], Floats, np.ndarray]]:
    """Variables, response and the mask of the train rows (all rows, where the table is not split), group by group."""
    rows = source.rows(folder)
    if "split" not in rows.columns:
        rows = rows.with_columns(split=pl.lit("train"))
    rows = rows.filter(pl.col("split").is_in(["train", "test"]))
    groups = rows.partition_by(source.by) if source.by else [rows]
    for group in groups:
        data = {
            VARIABLES[name]: group[column].to_numpy().astype(float) for name, column in source.columns.items() if name != "y"
        }
        yield data, group[source.columns["y"]].to_numpy(), (group["split"] == "train").to_numpy()


def cut(data: Mapping[str, Floats], reach: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Masks of the rows learnt from and predicted, for each axis that can be cut; none twice."""
    axes = [data["x"]] if "x" in data else [data["N"], data["D"], data["N"] * data["D"]]
    seen = set()
    for axis in axes:
        known = axis <= axis.max() / reach * (1 + 1e-9)
        if known.sum() < LEAST_ROWS or known.tobytes() in seen:
            continue
        seen.add(known.tobytes())
        new = axis >= axis[known].max() * (1 + 0.5 * (reach - 1))
        levels = [len(np.unique(data[name][known])) for name in data if name in "NDx"]
        if new.any() and min(levels) >= 3:
            yield known, new


def predictions(source: Source, folder: Path) -> None:
    """A line per cut: cuts, rows, held honestly and if true, half widths, error."""
    for reach in CUTS:
        cuts, held, true, wide, narrow, errors = 0, [], [], [], [], []
        for data, y, _ in tables_of(source, folder):
            for known, new in cut(data, reach):
                model = stack({name: column[known] for name, column in data.items()}, y[known])
                places = {name: column[new] for name, column in data.items()}
                honest, plain = model.intervals(**places)
                cuts += 1
                # Every cut counts the same, whatever its number of rows.
                held.append(np.mean((honest.low <= y[new]) & (y[new] <= honest.high)))
                true.append(np.mean((plain.low <= y[new]) & (y[new] <= plain.high)))
                wide.append(np.median(np.log(honest.high / honest.low)) / 2)
                narrow.append(np.median(np.log(plain.high / plain.low)) / 2)
                errors.append(np.mean(np.log(model.predict(**places) / y[new]) ** 2))
        if cuts:
            figures = f"{np.mean(held):.0%} | {np.mean(true):.0%} | {np.median(wide):.3f} | {np.median(narrow):.3f}"
            print(f"| {source.name} | {reach:g} | {cuts} | {figures} | {np.sqrt(np.mean(errors)):.3f} |", flush=True)


def floors(source: Source, folder: Path) -> None:
    """A line: in how many groups the lower end of the floor's interval lies above a response that was seen later."""
    above, given = {"true": 0, "honest": 0}, {"true": 0, "honest": 0}
    groups = 0
    for data, y, train in tables_of(source, folder):
        if train.all():
            continue
        law = forms.power_floor() if "x" in data else forms.chinchilla()
        known = {name: data[name][train] for name in law.variables}
        found = fit(law, known, y[train], delta=None)
        if not found.parameters:
            continue
        groups += 1
        own, _ = profile_intervals(found)
        honest = honest_intervals(found, known, y[train], own)["intervals"]["E"]
        for name, ends in (("true", own["E"]), ("honest", honest)):
            if ends is not None:
                given[name] += 1
                above[name] += ends[0] > y[~train].min()
    if groups:
        print(
            f"| {source.name} | {groups} | " + " | ".join(f"{above[name]} of {given[name]}" for name in above) + " |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    print(
        "| data | times beyond | cuts | held honestly | held if true | half width honestly | half width if true | rms error |"
    )
    print(f"|{'---|' * 8}")
    for source in (*SOURCES, CHINCHILLA):
        predictions(source, options.data)
    print("\n| data | groups | lower end of E above what was seen later: if the law holds | honestly |\n|---|---|---|---|")
    for source in SOURCES:
        floors(source, options.data)


if __name__ == "__main__":
    main()
