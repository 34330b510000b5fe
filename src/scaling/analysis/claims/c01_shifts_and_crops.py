"""Claim 1: fully-connected nets fail when an image is shifted or cropped; convolutions do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import BySeed, difference, mean_finding, summary, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import limits

CONVOLUTIONAL = ("alexnet", "vgg", "googlenet", "resnet")
ALL = ("mlp", *CONVOLUTIONAL)
NOT_SHIFTS = ("crop", "cut")
FAR, NEAR = 6.0, 3.0
"""Pixels of the farthest shift, and of one at which most of the garment is still in the picture."""
HALF = 0.5
"""A net fails where it loses more than half of what it knew, its accuracy above guessing (assumption; the same for all
nets)."""
EQUAL = math.log(1.1)
"""Losses of accuracy within 10 % of each other count as equal (assumption)."""
ONE_IMAGE = 2e-3
"""Share of one image among the five hundred test images."""


def in_place(family: str) -> str:
    """The arm that is trained on images in their place."""
    return f"{family}-in-place"


def in_place_much(family: str) -> str:
    """A larger net, trained in place on all images."""
    return f"{family}-in-place-all"


def by_distance(rows: pl.DataFrame) -> dict[int, dict[float, float]]:
    """seed -> pixels -> value, averaged over the directions; rows have seed, x, label and value."""
    moved = rows.filter(~pl.col("label").is_in(NOT_SHIFTS)).group_by("seed", "x").agg(pl.col("value").mean()).sort("seed", "x")
    found: dict[int, dict[float, float]] = {}
    for seed, x, value in moved.iter_rows():
        found.setdefault(int(seed), {})[float(x)] = float(value)
    return found


def loss_per_pixel(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy lost per pixel, minus the slope of a straight line through the accuracies at 0 to 6 pixels."""
    return {seed: -float(np.polyfit(list(values), list(values.values()), 1)[0]) for seed, values in by_distance(rows).items()}


def lost_to_crops(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy on the whole image minus the mean of that on the two crops."""
    crops = rows.filter(label="crop").group_by("seed").agg(pl.col("value").mean())
    whole = {seed: values[0.0] for seed, values in by_distance(rows).items()}
    return {int(seed): whole[int(seed)] - value for seed, value in crops.iter_rows()}


def share_lost(rows: pl.DataFrame, classes: int, change: str) -> dict[int, float]:
    """By seed: share of the accuracy above guessing that a shift of 3 pixels, or the two crops, take away.

    Args:
        rows: as for ``by_distance``.
        classes: K, of which guessing gets 1 / K right.
        change: "shift" or "crop".
    """
    lost = (
        lost_to_crops(rows) if change == "crop" else {seed: line[0.0] - line[NEAR] for seed, line in by_distance(rows).items()}
    )
    known = {seed: line[0.0] - 1 / classes for seed, line in by_distance(rows).items()}
    return {seed: value / known[seed] for seed, value in lost.items() if known[seed] > 0}


def due_to_lost_pixels(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: share of the accuracy lost at 6 pixels that is also lost if those pixels are cut off and the rest stays."""
    left = rows.filter(label="cut").group_by("seed").agg(pl.col("value").mean())
    moved = by_distance(rows)
    found = {}
    for seed, value in left.iter_rows():
        here = moved[int(seed)]
        if here[0.0] > here[FAR]:
            found[int(seed)] = (here[0.0] - value) / (here[0.0] - here[FAR])
    return found


Statistic = Callable[[pl.DataFrame], BySeed]


def _of(evidence: Evidence, arm: str, statistic: Statistic, quantity: str = "accuracy") -> BySeed:
    return statistic(evidence.measurements("shift", quantity, family=arm))


def mean_of(lines: Sequence[BySeed]) -> dict[int, float]:
    """By seed: the mean of several families, for the seeds that all of them have.

    Raises:
        MissingEvidence: if there is no such seed.
    """
    seeds = set.intersection(*(set(line) for line in lines))
    if not seeds:
        raise MissingEvidence("no seed has a value of each family")
    return {seed: sum(line[seed] for line in lines) / len(lines) for seed in sorted(seeds)}


def log_of_ratio(first: BySeed, second: BySeed) -> Finding:
    """Mean over the seeds of log(first / second), paired.

    Raises:
        MissingEvidence: if a value is less than the accuracy of one test image, so that there is no meaningful ratio.
    """
    least = min([*first.values(), *second.values()], default=0.0)
    if least < ONE_IMAGE:
        raise MissingEvidence(f"no ratio: one of the two loses nothing ({least:.2g})")
    one, other = ({seed: math.log(value) for seed, value in line.items()} for line in (first, second))
    return difference(one, other)


def _against(
    families: Sequence[str], statistic: Statistic, unit: str, arm: Callable[[str], str] = in_place
) -> Callable[[Evidence], Finding]:
    """Log ratio of the MLP's loss of accuracy to the mean of that of ``families``, all trained on images in their place."""

    def measure(evidence: Evidence) -> Finding:
        mlp = _of(evidence, arm("mlp"), statistic)
        others = {family: _of(evidence, arm(family), statistic) for family in families}
        found = log_of_ratio(mlp, mean_of(list(others.values())))
        figures = ", ".join(f"{name} {np.mean(list(line.values())):.3f}" for name, line in {"mlp": mlp, **others}.items())
        return with_keys(found, evidence.keys(*map(arm, ("mlp", *families))), note=f"{figures} {unit}")

    return measure


def _share_lost(families: Sequence[str], change: str, arm: Callable[[str], str] = in_place_much, draw: bool = False):
    """Mean over ``families`` of the share of the accuracy above guessing that is lost."""

    def measure(evidence: Evidence) -> Finding:
        lines = {
            family: share_lost(evidence.measurements("shift", "accuracy", family=arm(family)), evidence.classes, change)
            for family in families
        }
        mean = mean_of(list(lines.values()))
        found = mean_finding(np.array(list(mean.values())))
        figures = ", ".join(f"{name} {np.mean(list(line.values())):.2f}" for name, line in lines.items())
        note = f"share lost: {figures}" if len(lines) > 1 else ("" if draw else _slopes(evidence))
        rows = _drawn(evidence) if draw else ()
        return with_keys(found, evidence.keys(*map(arm, families)), note=note, rows=rows)

    return measure


def _drawn(evidence: Evidence) -> tuple[dict, ...]:
    """Rows for the figure: accuracy by distance."""
    rows: list[dict] = []
    for family in ALL:
        for arm, panel in (
            (in_place(family), "trained in place, 500 images"),
            (in_place_much(family), "larger nets, trained in place on all images"),
        ):
            try:
                lines = by_distance(evidence.measurements("shift", "accuracy", family=arm))
            except MissingEvidence:
                continue
            for pixels in sorted(set.intersection(*(set(line) for line in lines.values()))):
                rows.append(summary({seed: line[pixels] for seed, line in lines.items()}, family, pixels, panel))
    return tuple(rows)


def _slopes(evidence: Evidence) -> str:
    """Accuracy that each family loses per pixel, with its interval."""
    shown = []
    for family in ALL:
        try:
            found = mean_finding(np.array(list(_of(evidence, in_place(family), loss_per_pixel).values())))
        except MissingEvidence:
            continue
        ends = limits(found)
        shown.append(f"{family} {found.effect:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else ""))
    return "accuracy lost per pixel: " + ", ".join(shown)


def _survival(evidence: Evidence) -> Finding:
    def at_three(rows: pl.DataFrame) -> BySeed:
        return {seed: values[NEAR] for seed, values in by_distance(rows).items()}

    lines = {family: _of(evidence, in_place(family), at_three, "survival") for family in ("mlp", *CONVOLUTIONAL)}
    found = difference(mean_of([lines[family] for family in CONVOLUTIONAL]), lines["mlp"])
    figures = ", ".join(f"{name} {np.mean(list(line.values())):.2f}" for name, line in lines.items())
    return with_keys(
        found, evidence.keys(*map(in_place, lines)), note=f"share of predictions that survive {NEAR:g} pixels: {figures}"
    )


def _lost_pixels(evidence: Evidence) -> Finding:
    shares = mean_of([_of(evidence, in_place(family), due_to_lost_pixels) for family in CONVOLUTIONAL])
    return with_keys(mean_finding(np.array(list(shares.values()))), evidence.keys(*map(in_place, CONVOLUTIONAL)))


PER_PIXEL = "of accuracy lost per pixel"
_SHARE = {"scale": "plain", "unit": "share of accuracy above guessing lost", "threshold": HALF}
_WORDS = {"shift": f"a shift of {NEAR:g} pixels", "crop": "an enlarged crop (central 24 and 20 of 28 pixels)"}


def _fails(change: str, arm: Callable[[str], str], decides: bool) -> tuple[Part, Part]:
    """The MLP loses more than half of what it knew; convolutional nets lose less."""
    label = change if decides else f"{change}, 500 images"
    statistic = f"share of the accuracy above guessing that {_WORDS[change]} takes away"
    return (
        Part(
            f"MLP fails: {label}",
            f"The MLP loses more than half of its accuracy above guessing to {_WORDS[change]}.",
            statistic,
            _share_lost(("mlp",), change, arm, draw=decides and change == "shift"),
            decides=decides,
            **_SHARE,
        ),
        Part(
            f"conv nets do not: {label}",
            f"Convolutional nets lose less than half of their accuracy above guessing to {_WORDS[change]}.",
            statistic + "; mean of AlexNet, VGG, GoogLeNet and ResNet",
            _share_lost(CONVOLUTIONAL, change, arm),
            below=True,
            none=HALF,
            decides=decides,
            **_SHARE,
        ),
    )


claim = Claim(
    number=1,
    title="Shifts and crops",
    statement="Fully-connected nets fail when an image is shifted or cropped; convolutional nets do not.",
    source="popular accounts; LeCun et al. 1998, Gradient-based learning applied to document recognition, section II",
    scope="any fully-connected and any convolutional net; tested are small ones on centred garments",
    otherwise="The same criterion holds for all nets: one fails if it loses more than half of its accuracy above guessing. "
    "Another share would move the verdicts; the figure shows every distance. A shift also moves part of the garment out of the "
    "picture, which costs every net accuracy. A control measures this cost: the same pixels are cut off and the rest stays. "
    "Garments are centred in all training images; an MLP trained on objects in any place would learn to recognise them there. "
    "The intervals are over seeds, for one set of 500 test images.",
    primary=True,
    parts=(
        *_fails("shift", in_place_much, decides=True),
        *_fails("crop", in_place_much, decides=True),
        *_fails("shift", in_place, decides=False),
        *_fails("crop", in_place, decides=False),
        *(
            Part(
                f"MLP relative to conv nets: {change}",
                f"The MLP loses more accuracy to {words} than convolutional nets.",
                f"how much more accuracy the MLP loses to {words} than the mean of AlexNet, VGG, GoogLeNet and ResNet",
                _against(CONVOLUTIONAL, statistic, unit, in_place_much),
                margin=EQUAL,
                decides=False,
            )
            for change, words, statistic, unit in (
                ("shift", "each pixel of a shift", loss_per_pixel, PER_PIXEL),
                ("crop", "a crop", lost_to_crops, "of accuracy lost in a crop"),
            )
        ),
        *(
            Part(
                f"MLP relative to {family}, 500 images",
                f"Per pixel of a shift the MLP loses more accuracy than {family}.",
                f"how much more accuracy the MLP loses per pixel than {family}",
                _against((family,), loss_per_pixel, PER_PIXEL),
                margin=EQUAL,
                decides=False,
            )
            for family in CONVOLUTIONAL
        ),
        Part(
            "survival",
            "More predictions of convolutional nets than of the MLP survive a shift of 3 pixels.",
            "share of predictions that survive, the convolutional nets' mean minus the MLP's",
            _survival,
            scale="plain",
            unit="share of predictions",
            decides=False,
        ),
        Part(
            "lost pixels",
            "More than half of the accuracy that convolutional nets lose at 6 pixels is due to what leaves the picture.",
            "accuracy lost if the same pixels are cut off and the rest stays in place, as a share of that lost to the shift",
            _lost_pixels,
            scale="plain",
            unit="share of the loss",
            threshold=HALF,
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Accuracy under shifts",
            "Test accuracy of every family against the shift of the test images, averaged over eight directions. The line "
            "marks guessing. Points: mean over seeds with its 95 % interval.",
            "shift (pixels)",
            "test accuracy",
            marked=0.1,
        ),
    ),
)
