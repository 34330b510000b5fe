"""Claim 8: with much data, transformers improve with size and with more data; by slopes, order, and crossings of laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import polars as pl
from scipy.optimize import root_scalar
from scipy.stats import binomtest

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import log_ratio, summary, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.laws import predict
from scaling.laws.least_squares import indicators, ols

# Named, not looked up: a family that is added later must not change what is decided.
TRANSFORMERS = ("vit", "swin")
CONVOLUTIONAL = ("alexnet", "vgg", "googlenet", "plain", "resnet")
MEASURED, LAWS = "on all images", "crossings of laws"
"""Panels of the figures."""
CROSSING_REACH = 10.0
"""Crossings are sought from a tenth of the smallest D to ten times the largest (assumption)."""
RIVALS = ("alexnet", "vgg", "googlenet", "resnet")
"""The convolutional families that are compared at the largest N on all images."""
EQUAL = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""
ENOUGH_DRAWS = 40
"""Resamples below which there is no 95 % interval: its ends would be the extremes."""


def _cells(evidence: Evidence) -> pl.DataFrame:
    found = []
    for family in TRANSFORMERS:
        try:
            rows = evidence.cells(family)
        except MissingEvidence:
            continue
        if rows["target_params"].n_unique() > 1 and rows["images"].n_unique() > 1:
            found.append(rows.select("key", "family", "params", "target_params", "images", "seed", "loss"))
    if not found:
        raise MissingEvidence("no transformer has several sizes and data sizes")
    return pl.concat(found)


def fall(rows: pl.DataFrame, along: str) -> Finding:
    """Fall of log loss with the log of ``along`` (params or images): least squares, one slope, an offset per family.

    Raises:
        MissingEvidence: if there are too few rows to show their scatter.
    """
    x, y = (np.log(rows[name].to_numpy()) for name in (along, "loss"))
    found = ols(np.column_stack([indicators(rows["family"]), x]), y)
    if not found.determined or found.freedom < 1:
        raise MissingEvidence("too few runs for a slope and its error")
    se = math.sqrt(found.covariance()[-1, -1])
    return Finding(-float(found.coefficients[-1]), se, found.freedom, keys=tuple(rows["key"]))


def _at(edge: Callable, column: str, along: str) -> Callable[[Evidence], Finding]:
    """Fall along one axis among the runs at the smallest or largest value of the other."""

    def measure(evidence: Evidence) -> Finding:
        rows = _cells(evidence)
        return fall(rows.filter(pl.col(column) == edge(pl.col(column)).over("family")), along)

    return measure


def _interplay(evidence: Evidence) -> Finding:
    """Fall with N at the largest D minus that at the smallest D."""
    much, little = (_at(edge, "images", "params")(evidence) for edge in (pl.Expr.max, pl.Expr.min))
    se = math.hypot(much.se or math.nan, little.se or math.nan)
    return Finding(much.effect - little.effect, se, much.freedom + little.freedom, keys=much.keys + little.keys)


def _order(along: str, other: str) -> Callable[[Evidence], Finding]:
    """Share of pairs of neighbours of which the larger has the lower loss; chance is one half."""

    def measure(evidence: Evidence) -> Finding:
        rows = _cells(evidence)
        better = total = 0
        for _, line in rows.group_by("family", other, "seed"):
            losses = line.sort(along)["loss"].to_list()
            better += sum(larger < smaller for smaller, larger in pairwise(losses))
            total += len(losses) - 1
        if not total:
            raise MissingEvidence("no neighbouring runs")
        test = binomtest(better, total)
        ends = test.proportion_ci()
        note = f"{better} of {total} steps to a larger {'N' if along.endswith('params') else 'D'} lowered the loss"
        return Finding(better / total, interval=(ends.low, ends.high), p=float(test.pvalue), note=note, keys=tuple(rows["key"]))

    return measure


def on_all(family: str) -> str:
    """The arm that is trained on all images."""
    return f"{family}-all"


def _overtakes(transformer: str, rival: str) -> Callable[[Evidence], Finding]:
    """Log ratio of the loss of a convolutional net to that of a transformer of as many weights on all images, by seed."""
    arms = [on_all(name) for name in (*TRANSFORMERS, *RIVALS)]

    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, on_all(rival), on_all(transformer), pool=arms)
        row = summary(evidence.by_seed(on_all(rival)), rival, rival, MEASURED)
        own = summary(evidence.by_seed(on_all(transformer)), transformer, transformer, MEASURED)
        return with_keys(found, found.keys, rows=(own, row))

    return measure


def laws_cross(first: dict, second: dict, params: float, images: tuple[float, float], draw: int | None = None) -> float:
    """log D at which the laws of two fits cross at N = ``params``: the last crossing within ``images``, or infinity.

    Args:
        first, second: entries of ``fits``.
        params: N; images: smallest and largest D.
        draw: a resample of both fits; None for the fits themselves.
    """
    grid = np.linspace(math.log(images[0]), math.log(images[1]), 80)

    def gap(log_images: float | np.ndarray) -> float | np.ndarray:
        d = np.exp(log_images)
        return np.log(predict(first, params, d, draw)) - np.log(predict(second, params, d, draw))

    signs = np.sign(gap(grid))
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    if not len(changes):
        return math.inf
    ends = (grid[changes[-1]], grid[changes[-1] + 1])
    return float(root_scalar(gap, bracket=ends, method="brentq").root)


def _crossing(evidence: Evidence) -> Finding:
    """log(10 x largest D / D from which on a transformer's law lies below that of a convolutional family).

    It is that of the pair that crosses first. Its p follows from the share of resamples without a crossing, times the number
    of pairs from which it was chosen (Bonferroni).
    """
    fits = {fit["family"]: fit for fit in evidence.fits.get("fits", []) if fit["response"] == "loss" and fit["parameters"]}
    pairs = [(t, c) for t, c in product(TRANSFORMERS, CONVOLUTIONAL) if t in fits and c in fits]
    if not pairs:
        raise MissingEvidence("no law of a transformer and a convolutional family to compare")
    rows = evidence.runs.filter(pl.col("family").is_in([name for pair in pairs for name in pair]))
    params, smallest, largest = (float(value) for value in (max(rows["params"]), min(rows["images"]), max(rows["images"])))
    span = (smallest / CROSSING_REACH, largest * CROSSING_REACH)
    found: dict[tuple[str, str], float] = {}
    for t, c in pairs:
        at = laws_cross(fits[t], fits[c], params, span)
        if math.isfinite(at) and _below(fits[t], fits[c], params, span[1]):
            found[t, c] = at
    if not found:
        raise MissingEvidence(
            f"no transformer's law falls below that of a convolutional family "
            f"between {span[0]:,.0f} and {span[1]:,.0f} images at N = {params:,.0f}"
        )
    draws = {(t, c): _resampled(fits[t], fits[c], params, span) for t, c in found}
    ends = {pair: _ends(own) for pair, own in draws.items()}
    crossed_not = [pair for pair in pairs if pair not in found]
    edge = [
        {"panel": LAWS, "series": t, "x": c, "y": span[1], "low": None, "high": None, "bound": True} for t, c in crossed_not
    ]
    drawn = (*(_drawn(t, c, at, ends[t, c], span[1]) for (t, c), at in found.items()), *edge)
    (t, c), at = min(found.items(), key=lambda item: item[1])
    top, count, limits = math.log(span[1]), len(draws[t, c]), ends[t, c]
    note = f"the law of {t} falls below that of {c} at D = {math.exp(at):,.0f} (N = {params:,.0f})"
    if limits is None:
        return Finding(top - at, note=note, lacks=f"fewer than {ENOUGH_DRAWS} resamples: no interval", rows=drawn)
    low, high = limits
    crossed = int(np.isfinite(draws[t, c]).sum())
    note += f"; 95 % between {math.exp(low):,.0f} and " + (f"{math.exp(high):,.0f}" if math.isfinite(high) else "no crossing")
    note += f"; they cross in {crossed / count:.0%} of the resamples; {len(found)} of {len(pairs)} pairs cross"
    if crossed_not:
        note += f", not {', '.join(f'{t} and {c}' for t, c in crossed_not)}"
    interval = (top - high if math.isfinite(high) else 0.0, top - low)
    p = min(1.0, len(pairs) * 2 * (count - crossed + 1) / (count + 1))
    return Finding(top - at, interval=interval, p=p, note=note, keys=evidence.keys(t, c), rows=drawn)


def _resampled(first: dict, second: dict, params: float, span: tuple[float, float]) -> np.ndarray:
    """log D of the crossing in each resample of both laws."""
    count = min(len(first["draws"]), len(second["draws"]))
    return np.array([laws_cross(first, second, params, span, draw) for draw in range(count)])


def _ends(draws: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of log D over resamples, with an infinite end if too many do not cross; None for too few resamples."""
    if len(draws) < ENOUGH_DRAWS:
        return None
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def _drawn(first: str, second: str, at: float, ends: tuple[float, float] | None, most: float) -> dict:
    """A row for the figure: D of the crossing of two families' laws, with its interval up to ``most`` images."""
    low, high = (None, None) if ends is None else (min(math.exp(end), most) for end in ends)
    return {"panel": LAWS, "series": first, "x": second, "y": math.exp(at), "low": low, "high": high}


def _below(first: dict, second: dict, params: float, images: float) -> bool:
    return bool(predict(first, params, images) < predict(second, params, images))


claim = Claim(
    number=8,
    title="More data, larger models",
    statement="With much data, transformers keep improving with larger models and with more data, and overtake convolutional "
    "nets.",
    source="Dosovitskiy et al. 2020, arXiv:2010.11929, section 4.3; Zhai et al. 2021, arXiv:2106.04560",
    scope="transformers on 14 million to 300 million images; tested are small ones on the images here",
    otherwise="Eighteen thousand images are little data for a transformer; the crossings in the sources lie between ten "
    "million and a hundred million. A crossing beyond the grid depends on the form of the laws.",
    parts=(
        Part(
            "larger models",
            "At the largest data size larger transformers have a lower loss.",
            "exponent with which the loss falls with N at the largest D",
            _at(pl.Expr.max, "images", "params"),
            scale="plain",
            unit="exponent",
            margin=0.02,
        ),
        Part(
            "more data",
            "The largest transformers have a lower loss with more images.",
            "exponent with which the loss falls with D at the largest N",
            _at(pl.Expr.max, "target_params", "images"),
            scale="plain",
            unit="exponent",
            margin=0.02,
        ),
        *(
            Part(
                f"{transformer} overtakes {rival}",
                f"On all images {transformer} has a lower loss than {rival} with as many weights.",
                f"how much higher {rival}'s test loss is than {transformer}'s",
                _overtakes(transformer, rival),
                margin=EQUAL,
                group="overtake",
                stem=f"{transformer} overtakes",
            )
            for transformer in TRANSFORMERS
            for rival in RIVALS
        ),
        Part(
            "laws cross",
            "Within ten times the largest data size a transformer's law overtakes that of a convolutional family.",
            "log of the ratio of ten times the largest D to the D of the crossing",
            _crossing,
            scale="plain",
            unit="log",
            decides=False,
        ),
        Part(
            "size matters more with data",
            "A larger size gains transformers more at the largest data size than at the smallest.",
            "exponent of the fall with N at the largest D minus that at the smallest D",
            _interplay,
            scale="plain",
            unit="exponent",
            decides=False,
        ),
        *(
            Part(
                f"order in {axis}",
                f"From one {axis} to the next larger one the loss of transformers falls more often than it rises.",
                "share of pairs of neighbouring models of which the larger has the lower loss",
                _order(along, other),
                scale="plain",
                unit="share",
                threshold=0.5,
                none=0.5,
                decides=False,
            )
            for axis, along, other in (("N", "target_params", "images"), ("D", "images", "target_params"))
        ),
    ),
    curves=(
        Curves(
            "Who has the lower loss on all images",
            "Test loss of transformers and convolutional nets of as many weights, trained on all images. Points: mean over "
            "seeds with its 95 % interval.",
            "family",
            "test loss (nats)",
            log_y=True,
            panels=(MEASURED,),
        ),
        Curves(
            "Where laws cross",
            "Images D at which the law of a transformer falls below that of the convolutional family named below, at the "
            "largest N. Points with 95 % intervals; an interval that ends at ten times the largest D contains resamples "
            "without a crossing. A cross at ten times the largest D: the two laws do not cross up to there.",
            "convolutional family",
            "images D",
            log_y=True,
            panels=(LAWS,),
        ),
    ),
)
