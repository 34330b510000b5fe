"""The verdict on each family, the contrasts of all pairs, and the sentences that sum them up."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.verdicts.families import (
    LEVEL,
    Measured,
    average,
    centred_interval,
    conclude,
    contrasts,
    family_sentence,
    gate,
    measured_exponent,
    measured_skill,
    order_share,
)
from scaling.verdicts.judging import Judged, Skill
from scaling.verdicts.misfit import measure_misfit


def rank_families(judged: list[Judged], skills: dict[str, Skill], fits: list[dict[str, Any]]) -> dict[str, Any]:
    """``{"verdicts", "pairs", "summary"}`` of one response.

    Args:
        judged: families.
        skills: family -> skill over all origins.
        fits: their entries.
    """
    entries = {entry["family"]: entry for entry in fits}
    verdicts, scaling = [], {}
    for one in judged:
        cells = one.cells
        entry, skill = entries[cells.family], skills[cells.family]
        log_y = np.log(cells.y)
        over = gate(cells.params, cells.images, log_y)
        noise, residual = entry["noise_rms"], entry["residual_rms"]
        step = noise if noise is not None else (residual or 0.0)
        misfit = None
        if one.found.parameters:
            weights = one.noise.weights(cells.images)
            misfit = measure_misfit(one.found.residuals, cells.params, cells.images, cells.seeds, weights, len(one.found.theta))
        interval = None
        if skill.value is not None and skill.draws is not None:
            low, high = centred_interval(np.log(max(1 - skill.value, 1e-12)), skill.draws)
            interval = (1 - float(np.exp(high)), 1 - float(np.exp(low)))
        if over.scales and skill.value is not None:
            scaling[cells.family] = one
        verdicts.append(
            {
                "family": cells.family,
                "kind": cells.kind,
                "scales": over.scales,
                "skill": skill.value,
                "skill_interval": interval,
                "misfit": None if misfit is None else misfit.rms,
                "misfit_interval": None if misfit is None else misfit.interval,
                "misfit_verdict": None if misfit is None else misfit.verdict,
                "order_params": order_share(cells.params, cells.images, cells.seeds, log_y, step)[0],
                "order_images": order_share(cells.images, cells.params, cells.seeds, log_y, step)[0],
                "sentence": family_sentence(cells.family, over, skill.value, interval, skill.reason, misfit),
            }
        )
    identified = {
        name: [family for family in scaling if entries[family]["intervals"][name] is not None] for name in ("alpha", "beta")
    }
    pairs = compare_pairs(scaling, skills, identified)
    return {"verdicts": verdicts, "pairs": pairs, "summary": _summary(verdicts, pairs)}


def compare_pairs(
    scaling: dict[str, Judged], skills: dict[str, Skill], identified: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """Contrasts of skill between kinds and between families, and of exponents where the grid identifies them.

    Args:
        scaling: the families that may be ranked, by name.
        skills: family -> skill.
        identified: exponent -> families whose exponent has an interval.
    """
    by_skill = {name: measured_skill(skills[name].value, skills[name].draws, one.spreads) for name, one in scaling.items()}
    pairs = contrasts("skill", _kinds(scaling, by_skill)) + contrasts("skill", by_skill)
    for name, families in identified.items():
        exponents = {}
        for family in families:
            one = scaling[family]
            draws = one.draws[:, one.found.law.parameters.index(name)]
            exponents[family] = measured_exponent(one.found.parameters[name], draws, _freedom(one))
        pairs += contrasts(name, exponents)
    return conclude(pairs)


def _kinds(scaling: dict[str, Judged], measured: dict[str, Measured]) -> dict[str, Measured]:
    """Mean over the families of each kind that has two or more of them."""
    kinds: dict[str, list[str]] = {}
    for name, one in scaling.items():
        kinds.setdefault(one.cells.kind, []).append(name)
    return {
        f"{kind} families ({', '.join(names)})": average([measured[name] for name in names])
        for kind, names in kinds.items()
        if len(names) > 1
    }


def _freedom(one: Judged) -> int:
    """Degrees of freedom of a family's residuals."""
    return max(one.found.rows - len(one.found.theta), 1)


def _summary(verdicts: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> list[str]:
    ranked = sorted((v for v in verdicts if v["scales"] and v["skill"] is not None), key=lambda v: -v["skill"])
    flat = [v["family"] for v in verdicts if not v["scales"]]
    sentences = []
    if ranked:
        order = ", ".join(f"{v['family']} {v['skill']:.2f}{_interval(v['skill_interval'])}" for v in ranked)
        sentences.append(f"Skill of each family's law at predicting its larger cells: {order}.")
    if flat:
        sentences.append(f"Not shown to scale here, so not ranked: {', '.join(flat)}.")
    told = [pair["verdict"] for pair in pairs if pair["p_holm"] < LEVEL]
    by_skill = [pair["p_holm"] for pair in pairs if pair["contrast"] == "skill"]
    if told and by_skill and min(by_skill) >= LEVEL:
        sentences.append(
            f"By skill no two families can be told apart ({len(by_skill)} paired contrasts, "
            f"least p {min(by_skill):.2g} after Holm); what differs is the following."
        )
    if told:
        sentences += [f"{text[0].upper()}{text[1:]}." for text in told]
    elif pairs:
        sentences.append(f"Cannot tell any two families apart: {len(pairs)} paired contrasts, none below 0.05 after Holm.")
    kinds = {v["kind"] for v in verdicts}
    if len(kinds) > 1:
        count = ", ".join(f"{sum(v['kind'] == kind for v in verdicts)} {kind}" for kind in sorted(kinds))
        sentences.append(f"These sentences are about these families ({count}), not about kinds of architecture.")
    return sentences


def _interval(limits: list[float] | None) -> str:
    return f" [{limits[0]:.2f}, {limits[1]:.2f}]" if limits else " (no interval)"
