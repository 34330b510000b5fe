"""Claims about pre-training without labels: each recovers a planted effect and stays silent on none."""

import functools
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from planted import CLASSES, measurements, named, runs, share_seen, verdicts

from scaling.analysis.claims import c12_masked_autoencoder as mae
from scaling.analysis.claims import c13_self_distillation as dino
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims

REPEATS = 40
FEW = 0.12
"""Share of tables without an effect in which a part may be supported: 0.025 expected."""


def table(gain: float, rng: int, *, fading: float = 0.0, compute: float = 1.0, long: float | None = None) -> pl.DataFrame:
    """Runs of the claim's arms: loss falls with labels, and by ``gain`` more after MAE, less ``fading`` a doubling of D."""
    parts = []
    for index, images in enumerate(mae.LABELS):
        scratch = 0.9 * (images / 100) ** -0.2
        own = gain - fading * math.log2(images / 100)
        losses = {mae.SCRATCH: scratch, mae.MAE: scratch * math.exp(-own)}
        if images == mae.AT:
            losses |= {mae.LONG: scratch * math.exp(-own) if long is None else long}
        found = runs(losses, seeds=6, rng=100 * rng + index).with_columns(
            images=pl.lit(images), key=pl.col("key") + f"-{images}", flop=pl.lit(1e11)
        )
        parts.append(found.with_columns(flop=pl.when(pl.col("family") == mae.LONG).then(compute * 1e11).otherwise(1e11)))
    return pl.concat(parts)


def probe_rows(gain: float, rng: int, *, arm: str = mae.MAE, seeds: int = 6, information: float = 2.0) -> list[dict]:
    """Accuracies that are higher by ``gain`` before ``arm`` saw labels than those of a random net, and how it went."""
    random = np.random.default_rng(rng)
    rows = []
    for images in mae.LABELS:
        for name in ("neighbours", "probe"):
            for seed in range(seeds):
                shared = random.normal(0, 0.02)
                for family, phase, value in (
                    (mae.SCRATCH, "start", 0.5),
                    (arm, "start", 0.5 + gain),
                    (mae.SCRATCH, "end", 0.5),
                ):
                    accuracy = value + shared + random.normal(0, 0.01)
                    row = {"family": family, "images": images, "seed": seed, "phase": phase, "value": accuracy}
                    rows.append(row | {"measure": "representation", "quantity": f"{name} accuracy", "key": f"{family}-{seed}"})
    for seed in range(seeds):
        for step in (100.0, 200.0):
            early = {"validation_loss": 0.9, "information": 0.0, "entropy": 3.0}
            late = {"validation_loss": 0.5, "information": information + random.normal(0, 0.1), "entropy": 2.0}
            for quantity, value in (early if step == 100 else late).items():
                row = {"family": arm, "images": 100, "seed": seed, "phase": "pre-training", "x": step, "value": value}
                rows.append(row | {"measure": "representation", "quantity": quantity, "key": f"{arm}-{seed}"})
    return rows


@functools.cache
def trained(gain: float) -> list[Evidence]:
    """Drawn once for all the parts that are judged on them, as ``probed``."""
    return [Evidence(table(gain, rng), CLASSES) for rng in range(REPEATS)]


@functools.cache
def probed(gain: float, arm: str, seeds: int) -> list[Evidence]:
    measured = [measurements(probe_rows(gain, rng, arm=arm, seeds=seeds)) for rng in range(REPEATS)]
    return [Evidence(table(0.0, rng), CLASSES, rows) for rng, rows in enumerate(measured)]


@pytest.mark.parametrize("part", [f"{images:,} labels" for images in mae.LABELS])
def test_a_gain_by_pretraining_is_seen_and_none_is_not(part):
    claim = named("masked-autoencoder")
    for gain, low, high in ((0.1, 0.95, 1.0), (0.0, 0.0, FEW), (-0.1, 0.0, 0.0)):
        tables = trained(gain)
        assert low <= share_seen(claim, part, tables) <= high


def test_the_same_compute_is_needed_and_then_compared():
    claim = named("masked-autoencoder")
    for long, low, high in ((0.9, 0.95, 1.0), (None, 0.0, FEW), (0.4, 0.0, 0.0)):
        tables = [Evidence(table(0.2, rng, long=long), CLASSES) for rng in range(REPEATS)]
        assert low <= share_seen(claim, "same compute", tables) <= high
    cheap = Evidence(table(0.2, 0, compute=0.5, long=0.9), CLASSES)
    (entry,) = judge_claims([claim], cheap)
    (part,) = [part for part in entry["parts"] if part["name"] == "same compute"]
    assert (part["verdict"], part["effect"]) == ("cannot tell", None)
    assert "50% of the compute" in part["note"]


def test_help_that_wears_off_is_seen_in_the_exponents():
    claim, part = named("masked-autoencoder"), "fewer labels, more help"
    for fading, low, high in ((0.05, 0.95, 1.0), (0.0, 0.0, FEW)):
        tables = [Evidence(table(0.3, rng, fading=fading), CLASSES) for rng in range(REPEATS)]
        assert low <= share_seen(claim, part, tables) <= high
    found = mae._exponents(Evidence(table(0.3, 0, fading=0.05), CLASSES))
    assert found.effect == pytest.approx(0.05 / math.log(2), abs=0.02)
    scratch = float(found.note.split("beta ")[1].split()[0])
    assert scratch == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("part", ["k-NN", "k-NN, 100 labels", "k-NN relative to supervised, 1,000 labels"])
def test_better_features_are_seen(part):
    claim = named("masked-autoencoder")
    for gain, low, high in ((0.1, 0.95, 1.0), (0.0, 0.0, FEW)):
        tables = probed(gain, mae.MAE, 6)
        assert low <= share_seen(claim, part, tables) <= high


def test_what_is_painted_is_said_and_drawn():
    pictures = [
        {"measure": "reconstruction", "quantity": kind, "family": mae.MAE, "key": f"{mae.MAE}-{seed}", "seed": seed}
        | {"x": float(image), "label": "00" * 4, "value": 2.0}
        for seed in range(2)
        for image in range(3)
        for kind in ("original", "visible", "painted")
    ]
    evidence = Evidence(table(0.0, 0), CLASSES, measurements(probe_rows(0.0, 0) + pictures))
    found = mae._painted(evidence)
    assert found.effect == pytest.approx(0.5)
    assert len(found.rows) == 9
    assert {row["side"] for row in found.rows} == {2}


@pytest.mark.parametrize("classifier", ["k-NN", "linear probe"])
def test_dinos_features_against_a_random_nets(classifier):
    claim, part = named("self-distillation"), f"{classifier} relative to random"
    for gain, low, high in ((0.1, 0.9, 1.0), (0.0, 0.0, FEW)):
        assert low <= share_seen(claim, part, probed(gain, dino.DINO, 3)) <= high


def test_collapse_is_seen():
    evidence = [
        Evidence(table(0.0, 0), CLASSES, measurements(probe_rows(0.2, 0, arm=dino.DINO, information=told)))
        for told in (2.0, -0.5)
    ]
    claim = named("self-distillation")
    assert [verdicts(claim, each)["no collapse"] for each in evidence] == ["seen", "the opposite is seen"]
    lost = dino._information(evidence[1])
    assert lost.note.startswith("6 of 6 runs collapsed")


def test_the_threshold_of_collapse_is_the_objectives():
    from scaling.training.objectives.dino import COLLAPSED

    assert dino.COLLAPSED == COLLAPSED


def test_one_seed_has_effects_without_verdicts():
    one = table(0.3, 0).filter(pl.col("seed") == 0)
    found = verdicts(named("masked-autoencoder"), Evidence(one, CLASSES, measurements(probe_rows(0.1, 0, seeds=1))))
    assert set(found.values()) == {"cannot tell"}
    lacking = Evidence(one.filter(pl.col("family") == mae.MAE), CLASSES)
    (entry,) = judge_claims([replace(named("masked-autoencoder"))], lacking)
    assert "the study has no entry vit-scratch" in entry["parts"][0]["note"]
