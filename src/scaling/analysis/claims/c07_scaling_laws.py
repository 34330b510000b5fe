"""Claim 7: transformers follow scaling laws, and not all models do; judged by the study's own laws."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from scaling.analysis.claims.c08_more_data_larger_models import fall
from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.pair_contrasts import holm

# The families that the claim was written for are named here, not looked up: a family that is added later must not change the
# decision, or a study without it would no longer have a verdict.
TRANSFORMERS = ("vit", "swin")
OTHERS = ("mlp", "alexnet", "vgg", "googlenet", "plain", "resnet")
ERRORS = "how much larger the error of repeating the nearest smaller model is than that of the law, on held-out models"
AXES = {"params": "larger N", "images": "larger D", "both": "larger N and D"}


def from_skill(skill: float | None, interval: list[float] | None, why: str) -> Finding:
    """Skill 1 - r as log(1/r), where r is the ratio of the law's error to persistence's: an effect of scale log.

    Raises:
        MissingEvidence: if there is no skill, for the reason ``why``.
    """
    if skill is None or interval is None or max(skill, *interval) >= 1:
        raise MissingEvidence(why)
    effect, low, high = (-math.log(1 - value) for value in (skill, *interval))
    return Finding(effect, interval=(low, high))


def _held_out(family: str, response: str, origin: str):
    def measure(evidence: Evidence) -> Finding:
        verdict = _verdict(evidence, family)
        if not verdict["scales"]:
            raise MissingEvidence(verdict["sentence"])
        for part in evidence.fits.get("holdout", []):
            if (part["family"], part["response"], part["origin"]) == (family, response, origin):
                found = from_skill(part["skill"], part["interval"], part["reason"] or "not scored")
                return replace(found, keys=evidence.keys(family), rows=_rows(evidence) if family == TRANSFORMERS[0] else ())
        raise MissingEvidence(f"the study has no held-out models of {family}")

    return measure


def _by_compute(family: str):
    """Exponent with which the loss of the runs falls with their training compute: no law, nothing beyond the data."""

    def measure(evidence: Evidence) -> Finding:
        rows = evidence.cells(family).drop_nulls("flop")
        if rows["flop"].n_unique() < 3:
            raise MissingEvidence(f"{family} was trained with fewer than three amounts of compute")
        found = fall(rows, "flop")
        spent = rows["flop"].to_numpy()
        return replace(found, note=f"over {len(rows)} runs from {spent.min():.2g} to {spent.max():.2g} FLOP")

    return measure


def _verdict(evidence: Evidence, family: str) -> dict[str, Any]:
    for verdict in evidence.fits.get("verdicts", []):
        if verdict["family"] == family:
            return verdict
    raise MissingEvidence(f"the study has no law of {family}")


def _rows(evidence: Evidence) -> tuple[dict[str, Any], ...]:
    """How much larger the error of persistence is than that of the law, 1 / (1 - skill), by family, response and axis.

    It is drawn on a logarithmic axis, where a law that is worse takes as much room as one that is better.
    """
    return tuple(
        {
            "panel": f"{part['response']}, {AXES[part['origin']]}",
            "series": part["family"],
            "x": part["family"],
            "y": 1 / (1 - part["skill"]),
            "low": 1 / (1 - part["interval"][0]),
            "high": 1 / (1 - part["interval"][1]),
        }
        for part in evidence.fits.get("holdout", [])
        if part["skill"] is not None and part["interval"] is not None and max(part["skill"], *part["interval"]) < 1
    )


def _not_all(evidence: Evidence) -> Finding:
    """Difference in skill to the family that all transformers surpass most surely; p is after Holm over the families."""
    contrasts: dict[str, list[tuple[float, tuple[float, float], float]]] = {}
    for pair in evidence.fits.get("pairs", []):
        first, second = pair["first"], pair["second"]
        if pair["contrast"] != "skill" or {first in TRANSFORMERS, second in TRANSFORMERS} != {True, False}:
            continue
        sign, other = (1.0, second) if first in TRANSFORMERS else (-1.0, first)
        if other not in OTHERS:
            continue
        low, high = sorted(sign * end for end in pair["interval"])
        difference = sign * pair["difference"]
        contrasts.setdefault(other, []).append((difference, (low, high), pair["p"] if difference > 0 else 1.0))
    if not contrasts:
        raise MissingEvidence("no transformer and other family have skills to compare")
    # All transformers must be better, so the contrast with the largest p stands for the family (intersection-union test).
    surest = {other: max(own, key=lambda one: one[2]) for other, own in contrasts.items()}
    adjusted = dict(zip(surest, holm([one[2] for one in surest.values()]), strict=True))
    worst = min(surest, key=lambda other: (adjusted[other], -surest[other][0]))
    effect, interval, _ = surest[worst]
    flat = [v["family"] for v in evidence.fits["verdicts"] if not v["scales"]]
    note = f"{worst} is the family that transformers surpass most surely"
    if flat:
        note += f"; not shown to scale here: {', '.join(flat)}"
    return Finding(effect, interval=interval, p=adjusted[worst], note=note, keys=evidence.keys(worst))


claim = Claim(
    number=7,
    title="Who follows scaling laws",
    statement="Transformers follow scaling laws: their loss falls with size, data and compute as a power law predicts. Not all "
    "kinds of model do.",
    source="Kaplan et al. 2020, arXiv:2001.08361; Hoffmann et al. 2022, arXiv:2203.15556; Zhai et al. 2021, arXiv:2106.04560",
    scope="language models and large vision transformers over up to seven decades; tested are ViT and Swin over one decade of "
    "N and D",
    otherwise="The study covers one decade of N and of D on small grey images; the claim is about language models over seven "
    "decades. A law that predicts well here may fail at larger sizes, and one that does not may become visible with more "
    "sizes.",
    primary=True,
    parts=(
        *(
            Part(
                f"{family}, {AXES[origin]}",
                f"{family}'s law predicts the loss of models of {AXES[origin]} better than repeating that of their nearest "
                "smaller one does.",
                ERRORS,
                _held_out(family, "loss", origin),
                group="predictions",
            )
            for family in TRANSFORMERS
            for origin in ("params", "images")
        ),
        *(
            Part(
                f"{family}, compute",
                f"The loss of {family} falls with training compute.",
                "exponent with which the loss falls with training compute, over all runs as measured",
                _by_compute(family),
                scale="plain",
                unit="exponent",
                margin=0.02,
            )
            for family in TRANSFORMERS
        ),
        Part(
            "not all models",
            "Some other family's law predicts its larger models worse than the laws of all transformers do.",
            "skill of the transformers minus that of the family that they surpass most surely",
            _not_all,
            scale="plain",
            unit="skill",
        ),
        *(
            Part(
                f"{family}, {response}, {AXES[origin]}",
                f"{family}'s law predicts the {response} of models of {AXES[origin]} better than repeating that of their "
                "nearest smaller one does.",
                ERRORS,
                _held_out(family, response, origin),
                decides=False,
                group="predictions",
            )
            for family in TRANSFORMERS
            for response in ("loss", "error")
            for origin in AXES
            if response == "error" or origin == "both"
        ),
    ),
    curves=(
        Curves(
            "How well each family's law predicts its larger models",
            "Error of repeating the value of the nearest smaller model, relative to the error of the law, on held-out models: "
            "above 1 the law predicts better, below 1 worse. It is 1 / (1 - skill) of the report. Points with 95 % intervals, "
            "by what is larger in the held-out models. Whether families differ is decided by their paired contrasts.",
            "family",
            "error of repeating relative to that of the law",
            log_y=True,
            marked=1.0,
        ),
    ),
)
