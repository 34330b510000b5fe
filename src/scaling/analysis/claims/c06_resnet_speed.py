"""Claim 6: ResNet is slow to train but fast to predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, NotTestable, Part
from scaling.analysis.claims.contrasts import mean_finding, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.rounds import median_row

FAMILY = "resnet"
RIVALS = ("mlp", "alexnet", "vgg", "googlenet", "vit", "swin")
"""The plain net is left out, since it is ResNet without its shortcuts."""
EQUAL = math.log(1.1)
"""Times within 10 % of each other do not matter (assumption)."""


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


def slower_than(times: Mapping[str, Mapping[int, float]], rival: str) -> Finding:
    """Log ratio of ResNet's seconds to those of ``rival``, paired by round.

    Raises:
        MissingEvidence: if one of the two was not timed.
    """
    if FAMILY not in times or rival not in times:
        raise MissingEvidence(f"{FAMILY} and {rival} were not both timed at this size")
    rounds = sorted(times[FAMILY].keys() & times[rival].keys())
    found = mean_finding(np.array([times[FAMILY][r] - times[rival][r] for r in rounds]))
    listed = ", ".join(f"{name} {1e6 * math.exp(np.median(list(times[name].values()))):.3g}" for name in (FAMILY, rival))
    return with_keys(found, (), note=f"microseconds per image: {listed}")


def common_size(rows: pl.DataFrame) -> float:
    """The N at which families are compared: the geometric middle of the range in which all were timed."""
    ends = rows.group_by("family").agg(pl.col("params").min().alias("low"), pl.col("params").max().alias("high"))
    low, high = float(ends["low"].to_numpy().max()), float(ends["high"].to_numpy().min())
    return math.sqrt(low * high)


def sizes_at_loss(runs: pl.DataFrame, rival: str) -> tuple[float, float, dict[str, float]]:
    """D, a loss, and the N at which ResNet and ``rival`` reach it, by lines between neighbouring sizes in the logarithms.

    D is the largest at which both have several sizes. The loss is the middle, in the logarithm, of those that both reach.

    Raises:
        MissingEvidence: if the two have no data size with several sizes in common.
        NotTestable: if there is no loss that both reach within their sizes.
    """
    kept = runs.filter((pl.col("status") == "done") & pl.col("family").is_in([FAMILY, rival]))
    mean = kept.group_by("family", "images", "params").agg(pl.col("loss").log().mean().alias("loss")).sort("params")
    several = mean.group_by("family", "images").len().filter(pl.col("len") > 1)
    shared = several.group_by("images").len().filter(pl.col("len") == 2)["images"]
    if shared.is_empty():
        raise MissingEvidence(f"{FAMILY} and {rival} do not have two sizes at one data size")
    images = int(shared.to_numpy().max())
    lines = {
        str(name): (own["params"].to_numpy(), own["loss"].to_numpy())
        for (name,), own in mean.filter(images=images).group_by("family", maintain_order=True)
    }
    best = max(float(losses.min()) for _, losses in lines.values())
    worst = min(float(losses[0]) for _, losses in lines.values())
    if best > worst:
        raise NotTestable(f"{FAMILY} and {rival} reach no loss in common within their sizes at D = {images:,}")
    level = (best + worst) / 2
    found = {}
    for name, (params, losses) in lines.items():
        after = int(np.argmax(losses <= level))
        before = max(after - 1, 0)
        share = 0.0 if after == before else (losses[before] - level) / (losses[before] - losses[after])
        found[name] = float(math.exp((1 - share) * math.log(params[before]) + share * math.log(params[after])))
    return float(images), math.exp(level), found


def _at_equal_size(phase: str, rival: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        rows = evidence.measurements("families", "seconds", phase=phase).filter(pl.col("family").is_in([FAMILY, *RIVALS]))
        if rows.is_empty():
            raise MissingEvidence("no family was timed")
        size = common_size(rows)
        found = slower_than(seconds_at(rows, dict.fromkeys((FAMILY, *RIVALS), size)), rival)
        drawn = [
            median_row(own["value"].to_list(), str(name), float(params), phase)
            for (name, params), own in rows.sort("params").group_by("family", "params", maintain_order=True)
        ]
        return with_keys(found, (), note=f"at N = {size:,.0f}, {found.note}", rows=tuple(drawn) if rival == RIVALS[0] else ())

    return measure


def _at_equal_loss(phase: str, rival: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        images, loss, sizes = sizes_at_loss(evidence.runs, rival)
        found = slower_than(seconds_at(evidence.measurements("families", "seconds", phase=phase), sizes), rival)
        listed = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
        note = f"loss {loss:.3f} at D = {images:,.0f} needs N = {listed}; {found.note}; the interval is of timing only"
        return with_keys(found, evidence.keys(*sizes, images=images), note=note)

    return measure


def _parts(at: str, measured: Callable[[str, str], Callable[[Evidence], Finding]]) -> tuple[Part, ...]:
    """Slower to train and faster to predict than each other family, at equal parameters or at equal loss."""
    where = {"equal N": "At equal parameters", "equal loss": "At the sizes that reach the same test loss"}[at]
    stems = {training: f"{'slower to train' if training else 'faster to predict'} at {at} than" for training in (True, False)}
    return tuple(
        Part(
            f"{stems[training]} {rival}",
            f"{where} ResNet takes {'longer to train on' if training else 'less time to predict'} an image than {rival}.",
            f"how much longer ResNet takes per {'training' if training else 'predicted'} image than {rival}",
            measured("training" if training else "prediction", rival),
            below=not training,
            margin=EQUAL,
            group=f"{'training' if training else 'prediction'}, {at}",
            stem=stems[training],
        )
        for training in (True, False)
        for rival in RIVALS
    )


claim = Claim(
    number=6,
    title="ResNet's speed",
    statement="ResNet is slow to train but fast to predict.",
    source="popular accounts of ResNet; we know of no primary source",
    scope="no nets or machines are named; timed are small nets on one thread of one processor",
    otherwise="The sentence says neither at equal parameters nor at equal loss, so that both are tested, family by family: no "
    "average hides which family decides. The times are those of one thread of one processor, at sizes where calls cost as "
    "much as arithmetic. On a GPU, or with another implementation, the order of the families may differ. All families see the "
    "same number of images in training, so that seconds per image compare whole trainings as well.",
    parts=(*_parts("equal N", _at_equal_size), *_parts("equal loss", _at_equal_loss)),
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
