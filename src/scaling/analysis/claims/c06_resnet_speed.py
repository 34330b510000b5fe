"""Claim 6: ResNet is slow to train but fast to predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import mean_finding, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.rounds import median_row

FAMILY = "resnet"
RIVALS = ("mlp", "alexnet", "vgg", "googlenet", "vit", "swin")
"""The plain net is left out, since it is ResNet without its shortcuts."""


def seconds_at(rows: pl.DataFrame, params: Mapping[str, float]) -> dict[str, dict[int, float]]:
    """family -> round -> log seconds per image at the family's N in ``params``, by lines in the logarithms between sizes.

    Args:
        rows: family, params, repeat, value (seconds) of one phase.
        params: N of each family; a family whose timed sizes miss it by more than 10 % is left out.
    """
    found: dict[str, dict[int, float]] = {}
    for family, wanted in params.items():
        own = rows.filter(family=family)
        if own.is_empty():
            continue
        timed_at = own["params"].to_numpy()
        if not timed_at.min() / 1.1 <= wanted <= timed_at.max() * 1.1:
            continue
        for (repeat,), timed in own.sort("params").group_by("repeat", maintain_order=True):
            sizes, seconds = np.log(timed["params"].to_numpy()), np.log(timed["value"].to_numpy())
            found.setdefault(family, {})[int(repeat)] = float(np.interp(math.log(wanted), sizes, seconds))
    return found


def slower_than_rivals(times: Mapping[str, Mapping[int, float]]) -> Finding:
    """Log ratio of ResNet's seconds to the geometric mean of the others', paired by round.

    Raises:
        MissingEvidence: if ResNet or all others were not timed.
    """
    rivals = [name for name in RIVALS if name in times]
    if FAMILY not in times or not rivals:
        raise MissingEvidence(f"{FAMILY} and at least one other family were not timed at this size")
    rounds = sorted(set.intersection(*(set(times[name]) for name in (FAMILY, *rivals))))
    values = [times[FAMILY][r] - sum(times[name][r] for name in rivals) / len(rivals) for r in rounds]
    found = mean_finding(np.array(values))
    order = sorted((FAMILY, *rivals), key=lambda name: np.median(list(times[name].values())))
    listed = ", ".join(f"{name} {1e6 * math.exp(np.median(list(times[name].values()))):.3g}" for name in order)
    return with_keys(found, (), note=f"microseconds per image: {listed}")


def common_size(rows: pl.DataFrame) -> float:
    """The N at which families are compared: the geometric middle of the range in which all were timed."""
    ends = rows.group_by("family").agg(pl.col("params").min().alias("low"), pl.col("params").max().alias("high"))
    low, high = float(ends["low"].to_numpy().max()), float(ends["high"].to_numpy().min())
    return math.sqrt(low * high)


def sizes_at_loss(runs: pl.DataFrame) -> tuple[float, float, dict[str, float]]:
    """D, a loss, and the N at which each family reaches it, by lines between neighbouring sizes in the logarithms.

    D is the largest at which ResNet has several sizes. The loss is, among those measured, the one that most families reach
    within their sizes. A family whose smallest net is better, or whose largest net is worse, is not in the result.

    Raises:
        MissingEvidence: if ResNet has no two sizes at one D, or shares no loss with another family.
    """
    kept = runs.filter((pl.col("status") == "done") & pl.col("family").is_in([FAMILY, *RIVALS]))
    mean = kept.group_by("family", "images", "params").agg(pl.col("loss").log().mean().alias("loss")).sort("params")
    several = mean.filter(family=FAMILY).group_by("images").len().filter(pl.col("len") > 1)["images"]
    if several.is_empty():
        raise MissingEvidence(f"{FAMILY} does not have two sizes at one data size")
    images = int(several.to_numpy().max())
    lines = {
        str(name): (own["params"].to_numpy(), own["loss"].to_numpy())
        for (name,), own in mean.filter(images=images).group_by("family", maintain_order=True)
        if len(own) > 1
    }

    def reached(level: float) -> dict[str, float]:
        found = {}
        for name, (params, losses) in lines.items():
            if losses.min() <= level <= losses[0]:  # the smallest net is worse, a larger one is better
                after = int(np.argmax(losses <= level))
                before = max(after - 1, 0)
                share = 0.0 if after == before else (losses[before] - level) / (losses[before] - losses[after])
                found[name] = float(math.exp((1 - share) * math.log(params[before]) + share * math.log(params[after])))
        return found

    levels = sorted({float(value) for _, losses in lines.values() for value in losses})
    best = max(levels, key=lambda level: (FAMILY in reached(level), len(reached(level))))
    if FAMILY not in reached(best):
        raise MissingEvidence(f"{FAMILY} reaches no loss that another family reaches")
    return float(images), math.exp(best), reached(best)


def _at_equal_size(phase: str, sign: int) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        rows = evidence.measurements("families", "seconds", phase=phase).filter(pl.col("family").is_in([FAMILY, *RIVALS]))
        if rows.is_empty():
            raise MissingEvidence("no family was timed")
        size = common_size(rows)
        found = slower_than_rivals(seconds_at(rows, dict.fromkeys((FAMILY, *RIVALS), size)))
        drawn = [
            median_row(own["value"].to_list(), str(name), float(params), phase)
            for (name, params), own in rows.sort("params").group_by("family", "params", maintain_order=True)
        ]
        note = f"at N = {size:,.0f}, {found.note}"
        return with_keys(found, (), effect=sign * found.effect, note=note, rows=tuple(drawn))

    return measure


def _at_equal_loss(phase: str, sign: int) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        images, loss, sizes = sizes_at_loss(evidence.runs)
        rows = evidence.measurements("families", "seconds", phase=phase)
        found = slower_than_rivals(seconds_at(rows, sizes))
        listed = ", ".join(f"{name} {size:,.0f}" for name, size in sorted(sizes.items(), key=lambda item: item[1]))
        note = f"loss {loss:.3f} at D = {images:,.0f} needs N = {listed}; {found.note}; the interval is of timing only"
        return with_keys(found, evidence.keys(*sizes, images=images), effect=sign * found.effect, note=note)

    return measure


SLOW = "how much longer ResNet takes per training image than the geometric mean of the other families"
FAST = "how much longer the geometric mean of the other families takes per predicted image than ResNet"

claim = Claim(
    number=6,
    title="ResNet's speed",
    statement="ResNet is slow to train but fast to predict.",
    source="the text",
    otherwise="The times are those of one thread of one processor, at sizes where calls cost as much as arithmetic. On a "
    "GPU, or with another implementation, the order of the families may differ. All families see the same number of images in "
    "training, so that seconds per image compare whole trainings as well.",
    parts=(
        Part(
            "slow to train",
            "At equal parameters ResNet takes longer to train on an image than the other families.",
            SLOW,
            _at_equal_size("training", 1),
        ),
        Part(
            "fast to predict",
            "At equal parameters ResNet takes less time to predict an image than the other families.",
            FAST,
            _at_equal_size("prediction", -1),
        ),
        Part(
            "slow to train, at equal loss",
            "At the sizes that reach the same test loss ResNet takes longer to train on an image.",
            SLOW,
            _at_equal_loss("training", 1),
            decides=False,
        ),
        Part(
            "fast to predict, at equal loss",
            "At the sizes that reach the same test loss ResNet takes less time to predict an image.",
            FAST,
            _at_equal_loss("prediction", -1),
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Time per image",
            "Seconds that each family takes per image in training (forward, backward, optimiser) and in prediction, at the "
            "batch size of training. Points: median over rounds with its 95 % interval.",
            "parameters N",
            "seconds per image",
            log_x=True,
            log_y=True,
        ),
    ),
)
