"""Claim 9: attention processes all positions of a sequence at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, NotTestable, Part
from scaling.analysis.claims.contrasts import difference, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.rounds import exponents, log_by_round, median_row

MODELS = ("vit", "lstm")
EQUAL = math.log(1.1)
"""Times within 10 % of each other do not matter (assumption)."""
NAMES = {"vit": "ViT", "lstm": "LSTM"}


def growth(rows: pl.DataFrame) -> float:
    """Exponent of a count in the number of positions, from the shortest sequence to the longest; rows have x and value.

    Raises:
        MissingEvidence: if there is one length only.
    """
    ends = rows.sort("x")
    if ends["x"].n_unique() < 2:
        raise MissingEvidence("counted at one length only")
    low, high = ends.row(0, named=True), ends.row(-1, named=True)
    return math.log(high["value"] / low["value"]) / math.log(high["x"] / low["x"])


def _chain(evidence: Evidence) -> Finding:
    grown = {name: growth(evidence.measurements("sequence", "chain", family=name)) for name in MODELS}
    longest = {name: evidence.measurements("sequence", "chain", family=name).sort("x").row(-1, named=True) for name in MODELS}
    steps = ", ".join(f"{NAMES[name]} {row['value']:,.0f}" for name, row in longest.items())
    note = f"counted; products one after the other at {longest['vit']['x']:,.0f} positions: {steps}"
    return Finding(grown["lstm"] - grown["vit"], exact=True, note=note)


def _timed(evidence: Evidence, name: str, phase: str, batch: int, threads: int) -> pl.DataFrame:
    return evidence.measurements("sequence", "seconds", family=name, phase=phase, batch=batch, threads=threads)


def _at_longest(rows: pl.DataFrame) -> dict[int, float]:
    return log_by_round(rows.filter(pl.col("x") == pl.col("x").max()))


def _gain_from_cores(phase: str) -> Callable[[Evidence], Finding]:
    """Log of ViT's speed-up from one core to all, relative to the LSTM's, by round.

    An LSTM that more threads slow down counts as running on one: else its loss would count as ViT's gain.
    """

    def measure(evidence: Evidence) -> Finding:
        most = int(evidence.measurements("sequence", "seconds")["threads"].to_numpy().max())
        if most == 1:
            raise NotTestable("timed with one thread only, on a machine with one core or on a GPU")
        gains = {}
        for name in MODELS:
            one, all_ = (_at_longest(_timed(evidence, name, phase, 1, threads)) for threads in (1, most))
            gains[name] = {number: one[number] - all_[number] for number in one.keys() & all_.keys()}
        listed = ", ".join(f"{NAMES[n]} {math.exp(sum(g.values()) / len(g)):.2f} times" for n, g in gains.items())
        best = {number: max(gain, 0.0) for number, gain in gains["lstm"].items()}
        note = f"speed-up from one thread to {most}: {listed}; a slow-down counts as 1"
        return with_keys(difference(gains["vit"], best), (), note=note)

    return measure


def _faster(phase: str) -> Callable[[Evidence], Finding]:
    """Log ratio of the LSTM's seconds to ViT's, one image at a time on one thread, at the longest sequence."""

    def measure(evidence: Evidence) -> Finding:
        rows = {name: _timed(evidence, name, phase, 1, 1) for name in MODELS}
        drawn = []
        for name in MODELS:
            for (x,), own in rows[name].sort("x").group_by("x", maintain_order=True):
                drawn.append(median_row(own["value"].to_list(), NAMES[name], float(x), phase))
        found = difference(_at_longest(rows["lstm"]), _at_longest(rows["vit"]))
        slopes = {name: exponents(rows[name]) for name in MODELS}
        listed = ", ".join(f"{NAMES[n]} {sum(s.values()) / len(s):.2f}" for n, s in slopes.items())
        return with_keys(found, (), note=f"exponent of the time in the number of positions: {listed}", rows=tuple(drawn))

    return measure


def _rate(evidence: Evidence) -> Finding:
    """Log ratio of ViT's FLOP per second to the LSTM's, one image at a time on one thread, at the longest sequence."""
    rates, figures = {}, []
    for name in MODELS:
        counted = evidence.measurements("sequence", "flop_forward", family=name).sort("x")
        flop = math.log(counted["value"][-1])
        rates[name] = {
            number: flop - seconds for number, seconds in _at_longest(_timed(evidence, name, "prediction", 1, 1)).items()
        }
        figures.append(f"{NAMES[name]} {math.exp(sum(rates[name].values()) / len(rates[name])) / 1e9:.3g}")
    return with_keys(difference(rates["vit"], rates["lstm"]), (), note=f"GFLOP per second: {', '.join(figures)}")


claim = Claim(
    number=9,
    title="All positions at once",
    statement="Attention processes all positions of a sequence at once, while a recurrent net reads them one after the other.",
    source="Vaswani et al. 2017, arXiv:1706.03762, section 4 and table 1",
    scope="any attention layer and any recurrent one; what waits is counted, time depends on the machine",
    otherwise="Parallel work saves time only on a machine that does many things in parallel: here it has a few cores, not the "
    "thousands of a GPU. Parallel does not mean less work: attention's operations grow with the square of the length, the "
    "LSTM's with the length. The LSTM is torch's, runs layer after layer, and has as many layers and weights as the ViT.",
    parts=(
        Part(
            "nothing waits",
            "The longest chain of products that depend on each other grows with the length of the sequence in an LSTM, not "
            "in a ViT.",
            "exponent of the chain's length in the number of positions, the LSTM's minus ViT's",
            _chain,
            scale="plain",
            unit="exponent",
            threshold=0.5,
            in_scope=True,
        ),
        Part(
            "gain from cores",
            "At the longest sequence more cores speed up ViT's prediction more than the LSTM's.",
            "how much larger ViT's speed-up from one core to all is than the LSTM's, which counts as 1 if more cores slow it "
            "down; one image at a time",
            _gain_from_cores("prediction"),
            margin=EQUAL,
        ),
        Part(
            "gain from cores, training",
            "The same holds for training.",
            "how much larger ViT's speed-up from one core to all is than the LSTM's, which counts as 1 if more cores slow it "
            "down; one image at a time",
            _gain_from_cores("training"),
            margin=EQUAL,
            decides=False,
        ),
        Part(
            "faster, prediction",
            "On one core ViT predicts an image of the longest sequence in less time than the LSTM.",
            "how much longer the LSTM takes than ViT; one image at a time, one thread",
            _faster("prediction"),
            decides=False,
        ),
        Part(
            "faster, training",
            "On one core ViT trains on an image of the longest sequence in less time than the LSTM.",
            "how much longer the LSTM takes than ViT; one image at a time, one thread",
            _faster("training"),
            decides=False,
        ),
        Part(
            "busier",
            "At the longest sequence ViT does more FLOP per second than the LSTM on one core.",
            "how many more FLOP per second ViT does than the LSTM; prediction of one image at a time, one thread",
            _rate,
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Time by the length of the sequence",
            "Seconds per image of a ViT and an LSTM with as many layers and weights on the same patches, one image at a time "
            "on one thread. Points: median over rounds with its 95 % interval.",
            "positions",
            "seconds per image",
            log_x=True,
            log_y=True,
        ),
    ),
)
