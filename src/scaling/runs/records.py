"""The runs table and the table of measurements: their columns, types and units.

One row is one run: (family, N, D, seed). The record of a run in the store, the table of a job and
``results/<study>/runs.parquet`` have the same columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

RECORD_VERSION: Final = 5
"""Version of the columns below; older records are migrated as they are read, newer ones are refused by name."""

DONE: Final = "done"
DIVERGED: Final = "diverged"
FAILED: Final = "failed"
MISSING: Final = "missing"
STATUSES: Final = (DONE, DIVERGED, FAILED, MISSING)


@dataclass(frozen=True)
class Column:
    """A column of the runs table: name, polars type, unit, meaning."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    meaning: str


COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "key",
        pl.String,
        "",
        "hash of the run's resolved settings, the checksum of the images, the recipe version and the deciding code",
    ),
    Column("study", pl.String, "", "study that asked for the run (added by collect)"),
    Column("pack", pl.String, "", "job that holds the run (added by collect)"),
    Column("family", pl.String, "", "architecture family, or a study's name for a variant of one"),
    Column("kind", pl.String, "", "convolutional, transformer, fully-connected or other"),
    Column("model", pl.String, "", "family that was built (added by collect)"),
    Column("variant", pl.String, "", "options, depth and match where they are not the family's own (added by collect)"),
    Column("recipe", pl.String, "", "name of the training recipe"),
    Column("target_params", pl.Int64, "parameters", "N that the study asked for"),
    Column("params", pl.Int64, "parameters", "N: trainable parameters of the model"),
    Column("width", pl.Float64, "channels", "width with which the ladder met the target"),
    Column("depth", pl.Int64, "blocks", "depth by the family's own rule"),
    Column("images", pl.Int64, "images", "D: unique training images"),
    Column("seed", pl.Int64, "", "seed of subset, initialisation and order"),
    Column("learning_rate", pl.Float64, "1/step", "peak learning rate"),
    Column("batch", pl.Int64, "images", "images per step"),
    Column("steps", pl.Int64, "steps", "optimiser steps taken"),
    Column("images_seen", pl.Int64, "images", "training images seen, repeats included"),
    Column("flop", pl.Float64, "FLOP", "training compute spent: 3 x forward x images seen, and that of its backbone"),
    Column(
        "flop_pretraining",
        pl.Float64,
        "FLOP",
        "the part of flop that its backbone took, counted in full for each run that starts from it",
    ),
    Column("flop_to_best", pl.Float64, "FLOP", "training compute up to the reported checkpoint"),
    Column("flop_forward", pl.Float64, "FLOP/image", "forward pass of one image"),
    Column("loss", pl.Float64, "nats", "test cross-entropy of the checkpoint best on validation"),
    Column("loss_se", pl.Float64, "nats", "standard error of loss from the finite test set"),
    Column("error", pl.Float64, "share", "test error rate of the same checkpoint"),
    Column("error_se", pl.Float64, "share", "standard error of error from the finite test set"),
    Column(
        "top5_error",
        pl.Float64,
        "share",
        "test images whose class is not among the five likeliest; null for 20 classes or fewer",
    ),
    Column(
        "balanced_error",
        pl.Float64,
        "share",
        "mean of the error rates of the classes; null where all classes have as many test images",
    ),
    Column("validation_loss", pl.Float64, "nats", "validation cross-entropy of the same checkpoint"),
    Column("validation_error", pl.Float64, "share", "validation error rate of the same checkpoint"),
    Column("train_loss", pl.Float64, "nats", "training loss, mean of the steps since the evaluation before the best"),
    Column("best_step", pl.Int64, "steps", "step of the reported checkpoint"),
    Column("stopped_early", pl.Boolean, "", "patience ended the run before its last step"),
    Column("status", pl.String, "", "done, diverged, failed or missing"),
    Column("reason", pl.String, "", "why a run is not done: last line of its log, or the step at which it diverged"),
    Column("seconds", pl.Float64, "s", "wall time of training and evaluation"),
    Column("device", pl.String, "", "device class: cpu, cuda, mps"),
    Column("precision", pl.String, "", "fp32 or bf16"),
    Column("machine", pl.String, "", "processor or accelerator name"),
    Column("torch_version", pl.String, "", "version of torch"),
    Column("timm_version", pl.String, "", "version of timm, which supplies parts of the models"),
    Column("recipe_version", pl.Int64, "", "bumped when training changes meaning"),
    Column(
        "micro_batch",
        pl.Int64,
        "images",
        "images computed at a time: the batch or, by memory or several GPUs, less",
    ),
    Column(
        "ghost_batch_norm",
        pl.Boolean,
        "",
        "batch norm saw micro-batches, not the batch (Hoffer et al. 2017), so the run is not quite what its key says",
    ),
    Column("peak_memory", pl.Int64, "bytes", "peak memory: of tensors on a GPU, else of the whole process, torch included"),
)

SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {column.name: column.dtype for column in COLUMNS}

MEASUREMENT_COLUMNS: Final[tuple[Column, ...]] = (
    Column("measure", pl.String, "", "what was measured: shift, gradients, representation ...; families, resolution ..."),
    Column("quantity", pl.String, "", "the figure: accuracy, norm, seconds, memory, flop_forward ..."),
    Column("family", pl.String, "", "architecture family, or a study's name for a variant of one"),
    Column("key", pl.String, "", "the run whose model was read; null for a figure that belongs to no run"),
    Column("params", pl.Int64, "parameters", "N of the model"),
    Column("width", pl.Float64, "channels", "width of the model"),
    Column("depth", pl.Int64, "blocks", "depth of the model"),
    Column("images", pl.Int64, "images", "D of the run"),
    Column("seed", pl.Int64, "", "seed of the run"),
    Column("phase", pl.String, "", "training or prediction; start, 100 steps or end; pre-training; else empty"),
    Column("x", pl.Float64, "", "what is varied: pixels of a shift, number of a layer, side in pixels, positions"),
    Column("label", pl.String, "", "name of a direction, a layer, a feature map"),
    Column("batch", pl.Int64, "images", "images per step"),
    Column("threads", pl.Int64, "", "threads of a CPU"),
    Column("repeat", pl.Int64, "", "number of the benchmark's round; null for a count"),
    Column("value", pl.Float64, "see unit", "the figure itself; null where it is not finite"),
    Column("unit", pl.String, "", "unit of value"),
    Column("device", pl.String, "", "device class: cpu, cuda, mps"),
    Column("precision", pl.String, "", "fp32 or bf16"),
    Column("machine", pl.String, "", "processor or accelerator name"),
    Column("torch_version", pl.String, "", "version of torch"),
)
"""The table of measurements, one row per figure: ``benchmarks.parquet`` (timed and counted by a rule that has the machine to
itself) and ``probes.parquet`` (read off the models of runs)."""

MEASUREMENT_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {c.name: c.dtype for c in MEASUREMENT_COLUMNS}
MEASURED: Final = ("seconds", "peak_memory")
"""Columns that are no function of a run's key: they differ if the run is trained again."""


def without_result(runs: pl.DataFrame) -> pl.DataFrame:
    """The rows of the runs table ``runs`` that have no result: missing or failed."""
    return runs.filter(pl.col("status").is_in([FAILED, MISSING]))


Row = dict[str, Any]
Curve = list[dict[str, Any]]


def _from_1(row: Row, curve: Curve) -> tuple[Row, Curve]:
    """Version 1 had no micro-batches and measured no memory."""
    return row | {"micro_batch": row.get("batch"), "ghost_batch_norm": False, "peak_memory": None}, curve


def _from_2(row: Row, curve: Curve) -> tuple[Row, Curve]:
    """Version 2 divided the sum of the training losses between two evaluations by too many steps.

    The sum was read every 25 steps and at each evaluation; the first reading after an evaluation was counted as 25 steps,
    however few it covered. So the true mean is the written one times the steps counted, divided by the steps made.
    """
    before, mended = 0, []
    for point in curve:
        step, loss = point["step"], point["train_loss"]
        counted = 25 * (step // 25 - before // 25) + step % 25
        mended.append(point | {"train_loss": None if loss is None else loss * counted / (step - before)})
        before = step
    at_best = {point["step"]: point["train_loss"] for point in mended}.get(row.get("best_step"))
    return (row if row.get("train_loss") is None else row | {"train_loss": at_best}), mended


def _from_3(row: Row, curve: Curve) -> tuple[Row, Curve]:
    """Version 3 did not name the version of timm."""
    return row | {"timm_version": None}, curve


def _from_4(row: Row, curve: Curve) -> tuple[Row, Curve]:
    """Version 4 counted neither the top-5 error nor the balanced one."""
    return row | {"top5_error": None, "balanced_error": None}, curve


MIGRATIONS: Final[dict[int, Callable[[Row, Curve], tuple[Row, Curve]]]] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}
"""Version -> function that turns the row and the evaluations of a record into those of the next version."""
