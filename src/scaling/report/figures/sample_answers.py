"""Test images with what the best and the worst model of a study say of them."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import pandas as pd
import plotnine as p9
import polars as pl
from PIL import Image

from scaling.report.asked_images import AskedImages
from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.labels import count, significant
from scaling.report.figures.theme import INK, empty, look

COLUMNS: Final = 6
INCHES: Final = 1.75
"""Width of a panel."""
LARGEST_SIDE: Final = 96
"""Pixels of a drawn image: larger ones are shrunk, for the page's sake (assumption: enough to see what is shown)."""
BELOW, ABOVE = 12, 22
"""Characters of a class's name that fit below an image, with the model and its probability, and above it."""
RIGHT, WRONG = "#0b6a45", "#a63d08"
"""Colours of answers; a tick or a cross says the same."""


def sample_answers(runs: pl.DataFrame, asked: AskedImages | None) -> p9.ggplot:
    """Each image with its class, and the likeliest class by the run of least and by that of largest loss."""
    models = best_and_worst(runs, asked)
    if asked is None or not models:
        return empty("No answer of a finished run on single images is kept.")
    said = answer_table(models, asked)
    panels = said["panel"].unique(maintain_order=True).to_list()
    pixels = _pixels(asked.images, panels)
    words = "\n".join(f"{role}: {_named(run)}" for role, run in models.items())

    def truth(panel: str) -> str:
        return _short(asked.truths[int(panel)], ABOVE)

    return (
        p9.ggplot(said.with_columns(pl.col("panel").cast(pl.Enum(panels))).to_pandas())
        + p9.geom_raster(p9.aes("x", "y", fill="pixel"), data=pixels)
        + p9.geom_text(p9.aes("x", "y", label="words", color="colour"), ha="left", va="top", size=7.5)
        + p9.facet_wrap("panel", ncol=COLUMNS, labeller=cast("Any", truth))  # its type hint leaves functions out
        + p9.scale_fill_identity()
        + p9.scale_color_identity()
        + p9.scale_y_continuous(name="", breaks=[], limits=(-0.36, 1.01), expand=(0, 0))
        + p9.scale_x_continuous(name="", breaks=[], limits=(-0.01, 1.01), expand=(0, 0))
        + p9.labs(title=words)
        + look(INCHES * COLUMNS, (1.36 * INCHES + 0.1) * -(-len(panels) // COLUMNS) + 0.6)
        + p9.theme(
            aspect_ratio=1.36,
            panel_grid=p9.element_blank(),
            plot_title=p9.element_text(size=9, color=INK, ha="left", lineheight=1.4),
        )
    )


def best_and_worst(runs: pl.DataFrame, asked: AskedImages | None) -> dict[str, dict]:
    """The rows of the runs of least and of largest loss among those whose answers are kept, as "best" and "worst"."""
    kept = finished(runs).filter(pl.col("key").is_in(list(asked.answers) if asked else []))
    rows = kept.sort("loss", "key").to_dicts()
    found = {"best": rows[0]} if rows else {}
    return found | ({"worst": rows[-1]} if len(rows) > 1 else {})


def answer_table(models: dict[str, dict], asked: AskedImages) -> pl.DataFrame:
    """panel, truth, model, key, said, probability, right, and where and how it is written: one row per image and model."""
    rows = []
    for line, (role, run) in enumerate(models.items()):
        for panel, (truth, answer) in enumerate(zip(asked.truths, asked.answers[run["key"]], strict=True)):
            said = asked.classes[answer.label]
            right = said == truth
            rows.append(
                {
                    "panel": str(panel),
                    "truth": truth,
                    "model": role,
                    "key": run["key"],
                    "said": said,
                    "probability": answer.probability,
                    "right": right,
                    "words": f"{'✓' if right else '✕'} {role}: {_short(said, BELOW)} {100 * answer.probability:.0f} %",
                    "colour": RIGHT if right else WRONG,
                    "x": 0.0,
                    "y": -0.05 - 0.15 * line,
                }
            )
    return pl.DataFrame(rows).sort(pl.col("panel").cast(pl.Int64), maintain_order=True)


def _named(run: dict) -> str:
    return (
        f"{run['family']}, N = {count(run['params'])}, D = {count(run['images'])}, seed {run['seed']}, "
        f"loss {significant(run['loss'])} (key {run['key'][:8]})"
    )


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _pixels(images: np.ndarray, panels: list[str]) -> pd.DataFrame:
    """panel, x, y, pixel: a colour for each pixel of ``images`` (uint8 [n, c, side, side]), in a square from 0 to 1."""
    frames = []
    for panel, image in zip(panels, images, strict=True):
        drawn = np.stack([_shrunk(channel) for channel in image], -1)
        side = len(drawn)
        colours = np.broadcast_to(drawn, (side, side, 3)).reshape(-1, 3)
        down, right = np.indices((side, side))
        frames.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "x": (right.ravel() + 0.5) / side,
                    "y": 1 - (down.ravel() + 0.5) / side,
                    "pixel": [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours],
                }
            )
        )
    table = pd.concat(frames)
    table["panel"] = pd.Categorical(table["panel"], panels)
    return table


def _shrunk(channel: np.ndarray) -> np.ndarray:
    if len(channel) <= LARGEST_SIDE:
        return channel
    return np.asarray(Image.fromarray(channel).resize((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX))


figure = Figure(
    order=90,
    title="What the best and the worst model see",
    caption=(
        "Test images, evenly spread over all of them, not chosen by what is said of them. Above each its class; below it the "
        "likeliest class by the model of least test loss and by that of largest test loss, each with the probability that the "
        "model gives it. Runs that were stored before answers were kept are left out."
    ),
    draw=lambda run: sample_answers(run.runs, run.asked),
)
