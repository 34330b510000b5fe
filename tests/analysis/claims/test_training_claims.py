"""Claims about losses of arms: each recovers a planted effect and stays silent on none."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from planted import CLASSES, measurements, named, runs, share_seen, verdicts

from scaling.analysis.claims import c02_alexnet_parts as alexnet
from scaling.analysis.claims import c03_deeper_or_wider as deeper
from scaling.analysis.claims import c04_googlenet as googlenet
from scaling.analysis.claims import c05_residual_connections as residual
from scaling.analysis.claims import c11_shifted_windows as windows
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims

REPEATS = 60
FEW = 0.12
"""Share of tables without an effect in which a part may be supported: 0.025 expected, three standard deviations above."""


def tables(losses: dict[str, float], rows=(), **options) -> list[Evidence]:
    if not rows:
        return without_measurements(tuple(losses.items()), **options)
    planted = measurements(rows)
    return [Evidence(runs(losses, rng=rng, **options), CLASSES, planted) for rng in range(REPEATS)]


@functools.cache
def without_measurements(losses: tuple[tuple[str, float], ...], **options) -> list[Evidence]:
    """Drawn once: the tables without an effect serve every part of a claim."""
    return [Evidence(runs(dict(losses), rng=rng, **options), CLASSES) for rng in range(REPEATS)]


ALEXNET = [alexnet.WHOLE, *(arm for arm, _ in alexnet.WITHOUT.values()), alexnet.HISTORICAL, alexnet.FAST]


@pytest.mark.parametrize("part", [*alexnet.WITHOUT, "recipe", "rate 0.9"])
def test_a_part_of_alexnet_that_helps_is_seen_and_one_that_does_not_is_not(part: str):
    claim = named("alexnet-parts")
    worse = {"recipe": alexnet.HISTORICAL, "rate 0.9": alexnet.FAST}.get(part) or alexnet.WITHOUT[part][0]
    assert share_seen(claim, part, tables(dict.fromkeys(ALEXNET, 0.6) | {worse: 0.72})) > 0.9
    assert share_seen(claim, part, tables(dict.fromkeys(ALEXNET, 0.6))) < FEW
    assert share_seen(claim, part, tables(dict.fromkeys(ALEXNET, 0.6) | {worse: 0.5})) == 0


def test_runs_that_diverge_at_a_rate_of_0_9_speak_against_it():
    evidence = Evidence(runs(dict.fromkeys(ALEXNET, 0.6), diverged=[alexnet.FAST]), CLASSES)
    assert verdicts(named("alexnet-parts"), evidence)["rate 0.9"] == "seen"


def by_depth(law: Callable[[float], float]) -> dict[str, float]:
    return {arm: 0.6 * math.exp(law(math.log2(depth))) for depth, arm in deeper.ARMS.items()}


@pytest.mark.parametrize("depth", deeper.DEPTHS[1:])
def test_a_depth_that_helps_is_seen_and_one_that_does_not_is_not(depth: int):
    claim, part = named("deeper-or-wider"), f"{depth} relative to 1"
    assert share_seen(claim, part, tables(by_depth(lambda x: -0.1 * (x > 0)))) > 0.95
    assert share_seen(claim, part, tables(by_depth(lambda x: 0.0))) < FEW


def test_the_opposite_is_seen_of_all_depths_that_harm():
    for evidence in tables(by_depth(lambda x: 0.1 * (x > 0))):
        found = verdicts(named("deeper-or-wider"), evidence)
        assert {found[f"{depth} relative to 1"] for depth in deeper.DEPTHS[1:]} == {"the opposite is seen"}


def test_deepest_nets_that_are_too_narrow_do_not_hide_a_depth_that_helps():
    table = by_depth(lambda x: -0.1 if 0 < x < 2 else 0.3 * (x >= 2))
    found = verdicts(named("deeper-or-wider"), Evidence(runs(table), CLASSES))
    assert [found[f"{depth} relative to 1"] for depth in (2, 3, 5, 8)] == ["seen"] * 2 + ["the opposite is seen"] * 2
    assert found["deeper-or-wider"] == "seen in part"


PAIRED = dict.fromkeys([arm for pair in googlenet.PAIRS for arm in pair], 0.6)
SIZES = [
    {"measure": "paper-sizes", "quantity": quantity, "family": family, "value": value}
    for quantity, family, value in [
        ("params", "alexnet", 61.1e6),
        ("params", "googlenet", 6.62e6),
        ("flop_forward", "alexnet", 1.4e9),
        ("flop_forward", "googlenet", 3.0e9),
    ]
]


def test_googlenets_counts_are_compared_as_they_are():
    found = verdicts(named("googlenet"), Evidence(runs(PAIRED), CLASSES, measurements(SIZES)))
    assert (found["weights"], found["computation"], found["googlenet"]) == ("seen", "the opposite is seen", "refuted")


@pytest.mark.parametrize("pair", googlenet.PAIRS)
def test_googlenets_loss_may_be_no_higher(pair: tuple[str, str]):
    claim, part = named("googlenet"), " relative to ".join(pair)
    assert share_seen(claim, part, tables(PAIRED | {pair[0]: 0.6}, noise=0.01)) > 0.9
    at_the_margin = tables(PAIRED | {pair[0]: 0.6 * math.exp(googlenet.MARGIN)}, noise=0.01)
    assert share_seen(claim, part, at_the_margin) < FEW
    worse = tables(PAIRED | {pair[0]: 0.75})
    assert {verdicts(claim, evidence)[part] for evidence in worse} == {"the opposite is seen"}


@pytest.mark.parametrize("weight", [weight for weight in googlenet.WEIGHTS if weight])
def test_auxiliary_losses_that_help_are_seen(weight: float):
    claim, part = named("googlenet"), f"auxiliary losses of {weight:g}"
    without = dict.fromkeys(googlenet.WEIGHTS.values(), 0.6)
    assert share_seen(claim, part, tables(without | {googlenet.WEIGHTS[weight]: 0.52})) > 0.9
    assert share_seen(claim, part, tables(without)) < FEW


DEEP = {residual.arm(f, layers, norm): 0.6 for f in ("plain", "resnet") for layers in residual.LAYERS for norm in (True, False)}


def gradients(arm: str, fall: float, phase: str = "start", seeds: int = 6, noise: float = 0.1) -> list[dict]:
    """Norms over 56 layers and a classifier, the log falling by ``fall`` from the last to the first."""
    rng = np.random.default_rng(0)
    return [
        {"measure": "gradients", "quantity": "norm", "family": arm, "phase": phase, "seed": seed, "x": float(layer)}
        | {"value": math.exp(-fall * (1 - layer / 55) + rng.normal(0, noise)) if layer < 56 else 1e9, "key": f"{arm}-{seed}"}
        for seed in range(seeds)
        for layer in range(57)
    ]


@pytest.mark.parametrize(
    ("part", "worse"),
    [
        ("plain worse than residual", "plain-56"),
        ("test loss at 56 layers", "plain-56"),
        ("deeper plain net is worse", "plain-56"),
        ("plain worse than residual, no norms", "plain-56-bare"),
    ],
)
def test_a_plain_net_that_suffers_from_depth_is_seen(part: str, worse: str):
    claim = named("residual-connections")
    assert share_seen(claim, part, tables(DEEP | {worse: 0.9}, seeds=6)) > 0.95
    assert share_seen(claim, part, tables(DEEP, seeds=6)) < FEW


def test_a_residual_net_that_suffers_from_depth_is_seen():
    claim, part = named("residual-connections"), "deeper residual net trains"
    assert share_seen(claim, part, tables(DEEP, seeds=6)) > 0.95
    assert share_seen(claim, part, tables(DEEP | {"resnet-56": 0.6 * math.exp(residual.MARGIN)}, seeds=6)) < FEW


@pytest.mark.parametrize(("fall", "expected"), [(5.0, "seen"), (-5.0, "the opposite is seen"), (0.0, "no effect that matters")])
def test_gradients_that_vanish_explode_or_keep_are_told_apart(fall: float, expected: str):
    evidence = Evidence(runs(DEEP, seeds=6), CLASSES, measurements(gradients("plain-56", fall)))
    assert verdicts(named("residual-connections"), evidence)["gradient vanishes, batch norm, start"] == expected


def test_the_gradients_figure_has_each_layers_mean_norm_with_an_interval_around_it():
    evidence = Evidence(runs(DEEP, seeds=6), CLASSES, measurements(gradients("plain-56", 5.0)))
    (entry,) = judge_claims([named("residual-connections")], evidence)
    drawn = [row for row in entry["rows"] if row["panel"] == "gradients at the start"]
    assert [row["x"] for row in drawn] == [float(layer) for layer in range(1, 58)]
    assert all(row["low"] < row["y"] < row["high"] for row in drawn[:-1])
    assert drawn[0]["y"] == pytest.approx(math.exp(-5), rel=0.1)


def test_the_fall_of_a_gradient_is_that_of_its_layers_without_the_classifier():
    found = residual.fall_of_gradient(measurements(gradients("plain-56", 5.5, noise=0.0, seeds=1)))
    assert found[0] == pytest.approx(5.5 * (1 - 14 / 56) * 56 / 55, rel=0.01)  # between the quarters' middles


def test_a_gradient_of_exactly_zero_counts_as_vanished_and_is_said_and_drawn():
    rows = measurements(gradients("plain-56", 0.0))
    dead = rows.with_columns(value=pl.when((pl.col("seed") == 3) & (pl.col("x") < 14)).then(0.0).otherwise(pl.col("value")))
    assert residual.fall_of_gradient(dead)[3] == pytest.approx(-math.log(residual.LEAST), rel=0.01)
    (entry,) = judge_claims([named("residual-connections")], Evidence(runs(DEEP, seeds=6), CLASSES, dead))
    notes = {part["name"]: part["note"] for part in entry["parts"]}
    assert "exactly 0 in 14 of 57 layers in 1 of 6 seeds" in notes["gradient vanishes, batch norm, start"]
    assert len([row for row in entry["rows"] if row.get("bound")]) == 14


def test_a_net_without_any_gradient_below_its_classifier_has_no_verdict_on_the_ratio():
    rows = measurements(gradients("plain-56-bare", 0.0, phase="100 steps"))
    dead = rows.with_columns(value=pl.when(pl.col("x") < pl.col("x").max()).then(0.0).otherwise(pl.col("value")))
    (entry,) = judge_claims([named("residual-connections")], Evidence(runs(DEEP, seeds=6), CLASSES, dead))
    part = next(part for part in entry["parts"] if part["name"] == "gradient vanishes, no norms, 100 steps")
    assert part["verdict"] == "cannot tell"
    assert "exactly 0 in every layer below the classifier" in part["lacks"]


def test_the_deepest_plain_net_without_norms_is_judged_after_100_steps():
    table = measurements(gradients("plain-56-bare", 40.0, phase="100 steps"))
    found = verdicts(named("residual-connections"), Evidence(runs(DEEP, seeds=6), CLASSES, table))
    assert found["gradient vanishes, no norms, 100 steps"] == "seen"


@pytest.mark.parametrize("part", ["norm or dropout", "norm or nothing"])
def test_pieces_of_resnet_that_help_are_seen(part: str):
    claim = named("residual-connections")
    other = {"norm or dropout": "resnet-bare-dropout", "norm or nothing": "resnet-bare"}[part]
    assert share_seen(claim, part, tables(dict.fromkeys(residual.PIECES, 0.6) | {other: 0.7})) > 0.9
    assert share_seen(claim, part, tables(dict.fromkeys(residual.PIECES, 0.6))) < FEW


def fields(shifted: float, still: float) -> list[dict]:
    return [
        {"measure": "receptive-field", "quantity": quantity, "family": arm, "label": windows.FIRST_STAGE, "seed": seed}
        | {"value": share + 0.001 * seed * (arm == windows.STILL)}
        for quantity in ("reach", "effective")
        for arm, share in ((windows.SHIFTED, shifted), (windows.STILL, still))
        for seed in range(3)
    ]


def test_shifted_windows_that_help_and_see_more_are_seen():
    claim = named("shifted-windows")
    evidence = tables({windows.SHIFTED: 0.6, windows.STILL: 0.75}, fields(1.0, 0.25), noise=0.01)
    assert share_seen(claim, "loss", evidence) > 0.9
    assert share_seen(claim, "reach", evidence) == 1
    none = tables({windows.SHIFTED: 0.6, windows.STILL: 0.6}, fields(0.25, 0.25))
    assert share_seen(claim, "loss", none) < FEW
    assert share_seen(claim, "reach", none) == 0
