"""Loss against training compute, all families, with each family's frontier."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.theme import empty, family_order, family_scales, log_x_powers, log_y_plain, look


def loss_by_flop(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """L against C: each (family, N, D) of ``runs`` as the mean of its seeds, and the frontiers in ``fits``.

    A frontier is the lowest loss that the family's law allows for a compute budget, with its 95 % band.
    """
    cells = finished(runs).filter(pl.col("flop") > 0)
    if cells.is_empty():
        return empty("No run has finished yet.")
    families = family_order(cells["family"])
    levels = pl.Enum(families)
    means = cells.group_by("family", "params", "images", maintain_order=True).agg(pl.mean("flop"), pl.mean("loss"))
    lines = frontiers(fits, families)

    figure = p9.ggplot(means.with_columns(pl.col("family").cast(levels)).to_pandas(), p9.aes("flop", "loss", color="family"))
    if not lines.is_empty():
        drawn = lines.with_columns(pl.col("family").cast(levels))
        bands = drawn.drop_nulls(["low", "high"])
        if not bands.is_empty():
            figure += p9.geom_ribbon(
                p9.aes("flop", ymin="low", ymax="high", fill="family", group="family"),
                data=bands.to_pandas(),
                inherit_aes=False,
                alpha=0.12,
                show_legend=False,
            )
        figure += p9.geom_line(p9.aes(linetype="family"), data=drawn.to_pandas(), size=0.9)
    return (
        figure
        + p9.geom_point(
            p9.aes(shape="family"), size=2.1, alpha=0.9 if lines.is_empty() else 0.55, stroke=0, show_legend=lines.is_empty()
        )
        + log_x_powers("C: training compute (FLOP)")
        + log_y_plain("L: test loss (nats)", most=8)
        + family_scales(families, dict(cells.select("family", "kind").iter_rows()))
        + look(8.6, 4.8)
        + p9.theme(legend_key_width=32)
    )


def frontiers(fits: dict, families: list[str]) -> pl.DataFrame:
    """The frontiers in ``fits`` of ``families`` as one table: family, flop, loss, low, high (nats)."""
    columns = ("flop", "loss", "low", "high")
    schema = {"family": pl.String, **dict.fromkeys(columns, pl.Float64)}
    frames = []
    for frontier in fits.get("frontier", []):
        length = len(frontier.get("flop") or [])
        if frontier["family"] in families and length:
            values = {name: frontier.get(name) or [None] * length for name in columns}
            frames.append(pl.DataFrame({"family": [frontier["family"]] * length, **values}, schema=schema))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


figure = Figure(
    order=20,
    title="What compute buys",
    caption=(
        "Test loss against training compute, both logarithmic. Points: one model size and data size each, the "
        "mean of its seeds. Lines: each family's frontier, the lowest loss its law allows for that compute, "
        "with its 95 % band. Solid lines are convolutional families, dashed ones "
        "transformers, dotted ones fully-connected. Lower is better; where bands overlap, the "
        "figure does not settle the order."
    ),
    draw=lambda run: loss_by_flop(run.runs, run.fits),
)
