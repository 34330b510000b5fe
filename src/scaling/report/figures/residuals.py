"""What the laws leave unexplained: observed over predicted loss against D, one panel per family."""

from __future__ import annotations

import numpy as np
import plotnine as p9
import polars as pl

from scaling.laws import predict
from scaling.report.figures import Figure
from scaling.report.figures.curves import finished, with_laws
from scaling.report.figures.labels import percents
from scaling.report.figures.theme import INK, QUIET, empty, facet_size, family_order, level_scales, log_x_counts, look
from scaling.report.figures.told import tell, told_points

NORMAL_95 = 1.96
"""Standard deviations about the mean that hold 95 % of a normal distribution."""


def residuals(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """log(observed / predicted loss) of every finished run; outliers are ringed, the band is the noise by D."""
    table = residual_table(runs, fits)
    if table.is_empty():
        return empty("No law has been fitted yet.")
    families = family_order(table["family"])
    table = tell(table, loss="loss", residual="log(observed / predicted)").with_columns(
        pl.col("family").cast(pl.Enum(families))
    )
    noise = noise_bands(runs, fits).with_columns(pl.col("family").cast(pl.Enum(families)))
    columns, width, height = facet_size(len(families))
    figure = p9.ggplot(table.to_pandas(), p9.aes("images", "residual", color="params"))
    if not noise.is_empty():
        figure += p9.geom_ribbon(
            p9.aes("images", ymin="low", ymax="high"),
            data=noise.to_pandas(),
            inherit_aes=False,
            fill=QUIET,
            alpha=0.16,
        )
    figure += p9.geom_hline(yintercept=0, color=QUIET, size=0.5)
    far = table.filter(pl.col("outlier"))
    if not far.is_empty():
        figure += p9.geom_point(data=far.to_pandas(), size=4.2, shape="o", fill="none", color=INK, stroke=0.6)
    return (
        figure
        + told_points(p9.aes(label="told"), size=1.5, stroke=0)
        + p9.facet_wrap("family", ncol=columns)
        + log_x_counts("D: unique training images", table["images"])
        + p9.scale_y_continuous(labels=percents, name="log(observed / predicted)")
        + level_scales("N", table["params"])
        + look(width, height)
    )


def residual_table(runs: pl.DataFrame, fits: dict) -> pl.DataFrame:
    """family, params, images, loss, seed, residual (log), outlier: one row per run that has a law."""
    schema = {
        "family": pl.String,
        "params": pl.Float64,
        "images": pl.Float64,
        "loss": pl.Float64,
        "seed": pl.Int64,
        "residual": pl.Float64,
        "outlier": pl.Boolean,
    }
    frames = []
    for family, own, fit in with_laws(finished(runs), fits):
        params, images = own["params"].to_numpy().astype(float), own["images"].to_numpy().astype(float)
        far = [one["row"] for one in (fit.get("outliers") or {"rows": []})["rows"]]
        residual = np.log(own["loss"].to_numpy() / np.asarray(predict(fit, params, images), float))
        frames.append(
            pl.DataFrame(
                {
                    "family": family,
                    "params": params,
                    "images": images,
                    "loss": own["loss"],
                    "seed": own["seed"],
                    "residual": residual,
                    "outlier": own["key"].is_in(far),
                },
                schema=schema,
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def noise_bands(runs: pl.DataFrame, fits: dict) -> pl.DataFrame:
    """family, images, low, high (log): where noise between seeds would leave 95 % of the runs of a family, by D.

    The variance is that between seeds, carried from the D that have several seeds to the others by the noise model of the fits:
    log variance falls with log D at one slope for all families. Families with one seed per cell have no band.
    """
    schema = {"family": pl.String, **dict.fromkeys(("images", "low", "high"), pl.Float64)}
    frames = []
    for family, own, fit in with_laws(finished(runs), fits):
        if fit["noise_rms"] is None:
            continue
        repeated = own.group_by("params", "images").len().filter(pl.col("len") > 1)
        slope = fit.get("noise_slope") or 0.0
        # The pooled variance is the mean over the repeated cells, each with its degrees of freedom.
        freedom = repeated["len"].to_numpy() - 1.0
        pooled = float(np.average(repeated["images"].to_numpy().astype(float) ** slope, weights=freedom))
        images = np.geomspace(float(min(own["images"])), float(max(own["images"])), 20)
        half = NORMAL_95 * fit["noise_rms"] * np.sqrt(images**slope / pooled)
        frames.append(pl.DataFrame({"family": family, "images": images, "low": -half, "high": half}, schema=schema))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


figure = Figure(
    order=60,
    title="What the laws leave unexplained",
    caption=(
        "Observed over predicted loss of every model. Band: where the noise between seeds alone would leave 95 % of the "
        "models, for families with more than one seed; it narrows or widens with D as the noise model of the fits says. "
        "Points that bend away from zero together, at one end or in one shade, mean a misfit of the law's form; scatter "
        "inside the band is noise. Rings: models off their law, listed under Laws with what the law would be without them."
    ),
    draw=lambda run: residuals(run.runs, run.fits),
)
