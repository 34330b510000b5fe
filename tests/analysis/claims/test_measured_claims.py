"""Claims 1, 6, 9 and 10 recover what is planted in the tables of measurements and stay silent on none."""

import math

import numpy as np
import polars as pl
import pytest
from planted import CLASSES, alone, measurements, named, runs, verdicts

from scaling.analysis.claims.c01_shifts_and_crops import (
    ALL,
    due_to_lost_pixels,
    in_place,
    in_place_much,
    loss_per_pixel,
    lost_to_crops,
    share_lost,
)
from scaling.analysis.claims.c06_resnet_speed import FAMILY, RIVALS, sizes_at_loss
from scaling.analysis.claims.c09_all_positions_at_once import growth
from scaling.analysis.claims.c10_cost_of_windows import counted_exponent
from scaling.analysis.claims.claim import NotTestable
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims

DIRECTIONS = ("-1,0", "0,1", "1,1")


def part(name: str, evidence: Evidence, title: str) -> dict:
    (entry,) = judge_claims([named(name)], evidence)
    return next(one for one in entry["parts"] if one["name"] == title)


# -- 1: shifts and crops -----------------------------------------------------------------------------------------------


def shift_table(slopes: dict[str, float], *, crops: dict[str, float], seeds: int = 6, noise: float = 0.004, cut: float = 0.5):
    """Accuracy .8 that falls by the arm's slope a pixel, by its own share in crops; ``cut`` of it without moving."""
    random = np.random.default_rng(0)
    rows = []
    for arm, slope in slopes.items():
        for seed in range(seeds):

            def row(label, x, value, seed=seed, arm=arm):
                shared = {"measure": "shift", "family": arm, "key": f"{arm}-{seed}", "seed": seed, "label": label, "x": x}
                rows.append(shared | {"quantity": "accuracy", "value": value})
                rows.append(shared | {"quantity": "survival", "value": value / 0.8})

            own = slope + random.normal(0, noise)
            row("0,0", 0.0, 0.8)
            for pixels in range(1, 7):
                for direction in DIRECTIONS:
                    row(direction, float(pixels), 0.8 - own * pixels)
            for pixels in (2.0, 4.0):
                row("crop", pixels, 0.8 - crops[arm] + random.normal(0, noise))
            row("cut", 6.0, 0.8 - 6 * own * cut)
    return measurements(rows)


def slopes(mlp: float, others: float) -> dict[str, float]:
    return {arm(family): mlp if family == "mlp" else others for family in ALL for arm in (in_place, in_place_much)}


def evidence_of(mlp: float, others: float, **changes) -> Evidence:
    planted = slopes(mlp, others)
    crops = {arm: 3 * value for arm, value in planted.items()}
    return Evidence(runs(dict.fromkeys(planted, 0.5), seeds=6), CLASSES, shift_table(planted, crops=crops, **changes))


def test_statistics_of_one_net_by_hand():
    rows = shift_table({"a": 0.1}, crops={"a": 0.3}, seeds=2, noise=0.0, cut=0.25)
    accuracy = rows.filter(pl.col("quantity") == "accuracy")
    assert loss_per_pixel(accuracy) == pytest.approx({0: 0.1, 1: 0.1})
    assert lost_to_crops(accuracy) == pytest.approx({0: 0.3, 1: 0.3})
    assert due_to_lost_pixels(accuracy) == pytest.approx({0: 0.25, 1: 0.25})
    assert share_lost(accuracy, 10, "shift") == pytest.approx({0: 0.3 / 0.7, 1: 0.3 / 0.7})
    assert share_lost(accuracy, 10, "crop") == pytest.approx({0: 0.3 / 0.7, 1: 0.3 / 0.7})


def test_a_net_that_fails_when_shifted_beside_nets_that_do_not():
    evidence = evidence_of(0.15, 0.03)
    found = verdicts(named("shifts-and-crops"), evidence)
    assert found["shifts-and-crops"] == "seen"
    shift = part("shifts-and-crops", evidence, "MLP relative to conv nets: shift")
    assert shift["low"] < 400 < shift["high"]  # five times as much
    assert shift["margin"] == pytest.approx([100 / 1.1 - 100, 10])
    assert shift["cells"] == 30


@pytest.mark.parametrize(
    ("slope", "mlp", "others"), [(0.03, "smaller than claimed", "seen"), (0.16, "seen", "the opposite is seen")]
)
def test_one_criterion_holds_for_all_nets(slope: float, mlp: str, others: str):
    found = verdicts(named("shifts-and-crops"), evidence_of(slope, slope, noise=0.0005))
    assert found["MLP fails: shift"] == found["MLP fails: crop"] == mlp
    assert found["conv nets do not: shift"] == found["conv nets do not: crop"] == others
    assert found["MLP relative to conv nets: shift"] == "no effect that matters"
    assert found["shifts-and-crops"] == "seen in part"


def test_one_seed_tells_nothing_and_says_so():
    one = part("shifts-and-crops", evidence_of(0.1, 0.02, seeds=1), "MLP relative to conv nets: shift")
    assert one["verdict"] == "cannot tell"
    assert one["effect"] > 100
    assert one["low"] is None


def test_without_measurements_it_says_what_lacks():
    one = part("shifts-and-crops", Evidence(runs({"mlp-in-place": 1.0}), CLASSES), "MLP fails: shift")
    assert one["note"] == "no measurements were made"


def test_nets_that_lose_nothing_have_no_ratio():
    planted = slopes(0.1, 0.0)
    found = part(
        "shifts-and-crops",
        Evidence(runs(planted), CLASSES, shift_table(planted, crops=dict.fromkeys(planted, 0.1), noise=0.0)),
        "MLP relative to conv nets: shift",
    )
    assert found["verdict"] == "cannot tell"
    assert "loses nothing" in found["note"]


# -- 6: the speed of ResNet --------------------------------------------------------------------------------------------


def speeds(training: float, prediction: float, noise: float = 0.03, rng: int = 0) -> pl.DataFrame:
    """Seconds an image that grow with N, ResNet's ``training`` and ``prediction`` times those of the others."""
    random = np.random.default_rng(rng)
    rows = []
    for repeat in range(7):
        drift = math.exp(random.normal(0, 0.3))  # of the machine, in this round: all settings alike
        for family in (FAMILY, *RIVALS):
            for params in (10_000, 40_000):
                for phase, factor in (("training", training), ("prediction", prediction)):
                    value = 1e-4 * (params / 1e4) ** 0.5 * (factor if family == FAMILY else 1.0)
                    row = {"measure": "families", "quantity": "seconds", "family": family, "params": params, "phase": phase}
                    rows.append(row | {"repeat": repeat, "value": value * drift * math.exp(random.normal(0, noise))})
    return measurements(rows)


def test_slow_to_train_and_fast_to_predict_is_recovered_through_the_drift_of_the_machine():
    evidence = Evidence(runs({"resnet": 1.0}), CLASSES, speeds(1.5, 0.8))
    found = verdicts(named("resnet-speed"), evidence)
    for rival in RIVALS:
        assert found[f"slower to train at equal N than {rival}"] == "seen"
        assert found[f"faster to predict at equal N than {rival}"] == "seen"
    slow, fast = (
        part("resnet-speed", evidence, f"{name} at equal N than vgg") for name in ("slower to train", "faster to predict")
    )
    assert slow["low"] < 50 < slow["high"] < 70
    assert -30 < fast["low"] < -20 < fast["high"]


def test_one_slow_family_does_not_decide_for_the_others():
    table = speeds(1.5, 1.5).with_columns(
        value=pl.when(pl.col("family") == "mlp").then(pl.col("value") * 100).otherwise(pl.col("value"))
    )
    found = verdicts(named("resnet-speed"), Evidence(runs({}), CLASSES, table))
    assert found["faster to predict at equal N than mlp"] == "seen"
    assert {found[f"faster to predict at equal N than {rival}"] for rival in RIVALS[1:]} == {"the opposite is seen"}


@pytest.mark.slow
def test_times_that_are_alike_do_not_matter():
    part = "slower to train at equal N than vgg"
    claim = alone(named("resnet-speed"), part)
    told = [verdicts(claim, Evidence(runs({}), CLASSES, speeds(1.0, 1.0, rng=rng)))[part] for rng in range(60)]
    assert np.mean([verdict != "no effect that matters" for verdict in told]) < 0.15


def laws(families: dict[str, float]) -> pl.DataFrame:
    """Runs of four sizes at D = 1000 (and one, better, at 2000) with loss a N^-0.2."""
    parts = []
    for family, scale in families.items():
        for params in (5_000, 10_000, 20_000, 40_000):
            table = runs({family: scale * params**-0.2}, seeds=2, noise=0.0, shared=0.0)
            parts.append(table.with_columns(pl.lit(params, pl.Int64).alias("params")))
        parts.append(runs({family: 0.01}, seeds=1).with_columns(pl.lit(2000, pl.Int64).alias("images")))
    return pl.concat(parts)


def test_the_sizes_that_reach_a_loss():
    table = laws({"resnet": 3.0, "vit": 3.0 * 1.5**0.2, "mlp": 30.0})
    images, loss, sizes = sizes_at_loss(table, "vit")
    assert images == 1000
    assert sizes["vit"] / sizes["resnet"] == pytest.approx(1.5, rel=1e-6)
    assert 3.0 * sizes["resnet"] ** -0.2 == pytest.approx(loss)
    with pytest.raises(NotTestable, match="resnet and mlp reach no loss in common"):
        sizes_at_loss(table, "mlp")


def test_at_equal_loss_a_family_that_needs_more_parameters_pays_for_them():
    table = laws({"resnet": 3.0, "vit": 3.0 * 2**0.2, "mlp": 30.0})
    evidence = Evidence(table, CLASSES, speeds(1.0, 1.0))
    found = part("resnet-speed", evidence, "faster to predict at equal loss than vit")
    assert found["low"] < 100 * (0.5**0.5 - 1) < found["high"]
    assert "vit" in found["note"]
    assert part("resnet-speed", evidence, "faster to predict at equal loss than mlp")["verdict"] == "not testable"


# -- 9: all positions at once ------------------------------------------------------------------------------------------


def sequences(gain: dict[str, float], chains: dict[str, float], noise: float = 0.03) -> pl.DataFrame:
    random = np.random.default_rng(0)
    rows = []
    for family in ("vit", "lstm"):
        for x in (16.0, 64.0, 1024.0):
            shared = {"measure": "sequence", "family": family, "x": x, "phase": ""}
            rows.append(shared | {"quantity": "chain", "value": 20 * x ** chains[family]})
            rows.append(shared | {"quantity": "flop_forward", "value": 1e6 * x})
            for phase in ("training", "prediction"):
                for threads in (1, 2):
                    for repeat in range(7):
                        value = 1e-5 * x / (1.0 if threads == 1 else gain[family]) * math.exp(random.normal(0, noise))
                        row = {"quantity": "seconds", "phase": phase, "batch": 1, "threads": threads, "repeat": repeat}
                        rows.append(shared | row | {"value": value})
    return measurements(rows)


def test_what_is_done_at_once_gains_from_cores():
    table = sequences({"vit": 1.6, "lstm": 1.0}, {"vit": 0.0, "lstm": 1.0})
    evidence = Evidence(runs({}), CLASSES, table)
    found = verdicts(named("all-positions-at-once"), evidence)
    assert found["all-positions-at-once"] == found["nothing waits"] == "seen"
    gained = part("all-positions-at-once", evidence, "gain from cores")
    assert gained["low"] < 60 < gained["high"]
    assert found["busier"] == found["faster, prediction"] == "cannot tell"


def test_two_that_wait_alike_are_told_so():
    table = sequences({"vit": 1.3, "lstm": 1.3}, {"vit": 1.0, "lstm": 1.0})
    found = verdicts(named("all-positions-at-once"), Evidence(runs({}), CLASSES, table))
    assert found["nothing waits"] == "the opposite is seen"
    assert found["all-positions-at-once"] == "refuted"
    assert found["gain from cores"] == "no effect that matters"


def test_an_lstm_that_more_cores_slow_down_is_no_gain_of_vits():
    table = sequences({"vit": 1.0, "lstm": 0.5}, {"vit": 0.0, "lstm": 1.0})
    assert verdicts(named("all-positions-at-once"), Evidence(runs({}), CLASSES, table))["gain from cores"] != "seen"


def test_growth_is_the_exponent_between_the_ends():
    assert growth(pl.DataFrame({"x": [64.0, 16.0], "value": [80.0, 20.0]})) == pytest.approx(1.0)


def test_one_core_cannot_tell_what_more_would_gain():
    table = sequences({"vit": 1.0, "lstm": 1.0}, {"vit": 0.0, "lstm": 1.0}).filter(
        pl.col("threads").is_null() | (pl.col("threads") == 1)
    )
    one = part("all-positions-at-once", Evidence(runs({}), CLASSES, table), "gain from cores")
    assert "one thread only" in one["note"]
    assert one["verdict"] == "not testable"


# -- 10: the cost of windows -------------------------------------------------------------------------------------------


def costs(vit: float, swin: float, noise: float = 0.04) -> pl.DataFrame:
    """ViT's and Swin's cost, powers of the pixels that are equal at 96 px."""
    random = np.random.default_rng(0)
    rows = []
    for family, power in (("vit", vit), ("swin", swin)):
        for side in (32.0, 64.0, 128.0, 192.0, 256.0, 512.0):
            shared = {"measure": "resolution", "family": family, "x": side, "phase": ""}
            cost = (side / 96) ** (2 * power)
            rows.append(shared | {"quantity": "flop_forward", "value": 1e6 * cost})
            if side == 512.0:
                continue
            for phase in ("training", "prediction"):
                for repeat in range(7):
                    value = cost * math.exp(random.normal(0, noise))
                    timed = shared | {"quantity": "seconds", "phase": phase, "repeat": repeat, "value": 1e-4 * value}
                    rows += [timed, timed | {"quantity": "memory", "value": 1e5 * cost}]
    return measurements(rows)


def test_linear_and_quadratic_are_recovered_with_their_crossing():
    evidence = Evidence(runs({}), CLASSES, costs(1.9, 1.0))
    assert verdicts(named("cost-of-windows"), evidence)["cost-of-windows"] == "seen"
    exponent = part("cost-of-windows", evidence, "ViT quadratic, time of training")
    assert exponent["low"] < 1.9 < exponent["high"]
    crossing = part("cost-of-windows", evidence, "crossing, training")
    assert crossing["low"] < 100 * (256 / 96 - 1) < crossing["high"]


@pytest.mark.parametrize(("vit", "swin"), [(1.0, 1.0), (1.9, 1.9)])
def test_two_that_grow_alike_are_refuted(vit, swin):
    found = verdicts(named("cost-of-windows"), Evidence(runs({}), CLASSES, costs(vit, swin)))
    assert found["cost-of-windows"] == "refuted"
    assert found["ViT quadratic, time of training"] == ("the opposite is seen" if vit == 1.0 else "seen")
    assert found["Swin linear, time of training"] == ("seen" if swin == 1.0 else "the opposite is seen")


def test_noise_as_large_as_the_difference_is_not_told():
    found = verdicts(named("cost-of-windows"), Evidence(runs({}), CLASSES, costs(1.6, 1.15, noise=1.0)))
    assert found["ViT quadratic, time of training"] == "cannot tell"


def test_exponent_of_a_count_is_that_of_the_largest_doubling():
    rows = pl.DataFrame({"x": [64.0, 128.0, 256.0], "value": [1.0, 4.0, 64.0]})
    assert counted_exponent(rows) == pytest.approx(2.0)
