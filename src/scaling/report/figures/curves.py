"""Tables that the loss figures share: finished runs, and each family's law with its band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeGuard

import numpy as np
import polars as pl

from scaling.laws import predict
from scaling.laws.fitting.fitted import status_in_words
from scaling.runs.records import DONE

BAND = (0.025, 0.975)
"""The quantiles of the bootstrap draws that bound a band: 95 %."""


def finished(runs: pl.DataFrame) -> pl.DataFrame:
    """The finished runs with a positive loss; only these are drawn."""
    return runs.filter((pl.col("status") == DONE) & pl.col("loss").is_finite() & (pl.col("loss") > 0))


def law_of(fits: dict, family: str, response: str = "loss") -> dict | None:
    """The family's fit of ``response`` in ``fits`` (fits.json), or None."""
    return next((fit for fit in fits.get("fits", []) if fit["family"] == family and fit["response"] == response), None)


def has_law(fit: dict | None) -> TypeGuard[dict]:
    """Whether the fit has parameters, so that its law can be drawn."""
    parameters = fit.get("parameters") if fit else None
    return bool(parameters) and all(value is not None and np.isfinite(value) for value in parameters.values())


def panel_titles(fits: dict, families: list[str]) -> dict[str, str]:
    """Panel titles by family: the family's name, and the reason where no law is drawn."""
    titles = {}
    for family in families:
        fit = law_of(fits, family)
        reason = status_in_words(fit["status"]) if fit else "no law fitted"
        titles[family] = family if has_law(fit) else f"{family}: {reason}"
    return titles


def with_laws(cells: pl.DataFrame, fits: dict) -> Iterator[tuple[str, pl.DataFrame, dict]]:
    """Each family of ``cells`` that has a law in ``fits`` (fits.json), in order: its name, rows, fit of the loss."""
    for (family,), own in cells.group_by(["family"], maintain_order=True):
        fit = law_of(fits, str(family))
        if has_law(fit):
            yield str(family), own, fit


def law_curves(fits: dict, cells: pl.DataFrame, along: Literal["images", "params"], points: int = 30) -> pl.DataFrame:
    """Each family's law at every level of the other axis.

    ``along`` is the axis that varies (D or N) over the family's own range. Columns: family,
    level (N or D held fixed), x, loss, low, high (nats; low and high are NaN without draws).
    """
    other = "params" if along == "images" else "images"
    frames = []
    for family, own, fit in with_laws(cells, fits):
        x = np.geomspace(min(own[along]), max(own[along]), points)
        for level in own[other].unique().sort():
            line = law_line(fit, along, x, float(level))
            frames.append(line.select(pl.lit(family).alias("family"), pl.lit(float(level)).alias("level"), pl.all()))
    schema = {"family": pl.String, **dict.fromkeys(("level", "x", "loss", "low", "high"), pl.Float64)}
    return pl.concat(frames).cast(schema) if frames else pl.DataFrame(schema=schema)


def law_line(fit: dict, along: Literal["images", "params"], x: np.ndarray, level: float) -> pl.DataFrame:
    """x, loss, low, high (nats): a law along ``along`` at the sizes ``x``, with the other size at ``level``, and its band."""
    level_everywhere = np.full_like(x, level)
    params, images = (level_everywhere, x) if along == "images" else (x, level_everywhere)
    low, high = band(fit, params, images)
    return pl.DataFrame({"x": x, "loss": np.asarray(predict(fit, params, images), dtype=float), "low": low, "high": high})


def band(fit: dict, params: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the law's 95 % band at each (N, D), from the fit's bootstrap draws; NaN with fewer than 20."""
    draws = fit.get("draws") or []
    if len(draws) < 20:
        missing = np.full(np.shape(params), np.nan)
        return missing, missing
    values = np.stack([np.asarray(predict({**fit, "parameters": draw}, params, images), float) for draw in draws])
    low, high = np.nanquantile(values, BAND, axis=0)
    return low, high
