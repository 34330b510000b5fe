"""The verdict on each family, the contrasts of all pairs, and the sentences that sum them up."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.verdicts.families import (
    LEVEL,
    Measured,
    centred_interval,
    conclude,
    contrasts,
    family_sentence,
    gate,
    measured_exponent,
    measured_skill,
    order_share,
    p_values_without,
)
from scaling.verdicts.judging import Judged, Skill

MOST_CROSSED = 50
"""Families up to which all pairs are listed (1,225 of each contrast). Beyond it a reader asks who beats the rest: the pairs
with the leader are listed, at p corrected for all pairs, so that having looked for the leader costs nothing in honesty."""
MOST_SENTENCES = 60
"""Differences up to which the summary spells each one out."""


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
        misfit = residual / noise if noise and residual is not None else None
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
                "misfit": misfit,
                "order_params": order_share(cells.params, cells.images, cells.seeds, log_y, step)[0],
                "order_images": order_share(cells.images, cells.params, cells.seeds, log_y, step)[0],
                "sentence": family_sentence(cells.family, over, skill.value, interval, skill.reason, misfit, cells.response),
            }
        )
    measured = {
        "skill": {f: measured_skill(skills[f].value, skills[f].draws, one.freedom) for f, one in scaling.items()},
        "alpha": _measured_exponents("alpha", scaling, entries),
        "beta": _measured_exponents("beta", scaling, entries),
    }
    lead = max(scaling, key=lambda f: skills[f].value) if len(scaling) > MOST_CROSSED else None
    pairs = [row for what, values in measured.items() for row in contrasts(what, values, lead)]
    unlisted = np.concatenate([p_values_without(values, lead) for values in measured.values()]) if lead else np.zeros(0)
    pairs = conclude(pairs, unlisted)
    return {"verdicts": verdicts, "pairs": pairs, "summary": _summary(verdicts, pairs, lead, len(unlisted))}


def _measured_exponents(name: str, scaling: dict[str, Judged], entries: dict[str, dict[str, Any]]) -> dict[str, Measured]:
    """Exponents of the families that identify them."""
    return {
        family: measured_exponent(one.found.parameters[name], one.draws[:, one.found.law.parameters.index(name)], _freedom(one))
        for family, one in scaling.items()
        if entries[family]["intervals"][name] is not None
    }


def _freedom(one: Judged) -> int:
    """Degrees of freedom of a family's residuals."""
    return max(one.found.rows - len(one.found.theta), 1)


def _summary(verdicts: list[dict[str, Any]], pairs: list[dict[str, Any]], lead: str | None, unlisted: int) -> list[str]:
    ranked = sorted((v for v in verdicts if v["scales"] and v["skill"] is not None), key=lambda v: -v["skill"])
    flat = [v["family"] for v in verdicts if not v["scales"]]
    sentences = []
    if ranked:
        order = ", ".join(f"{v['family']} {v['skill']:.2f}{_interval(v['skill_interval'])}" for v in ranked)
        sentences.append(f"Skill of each family's law at predicting its larger cells: {order}.")
    if flat:
        sentences.append(f"Not shown to scale here, so not ranked: {', '.join(flat)}.")
    if lead is not None:
        sentences.append(
            f"With more than {MOST_CROSSED} families only the pairs with the one of highest skill, {lead}, are listed; "
            f"p is corrected for all {len(pairs) + unlisted} contrasts."
        )
    told = [pair["verdict"] for pair in pairs if pair["p_holm"] < LEVEL]
    by_skill = [pair["p_holm"] for pair in pairs if pair["contrast"] == "skill"]
    if told and by_skill and min(by_skill) >= LEVEL:
        sentences.append(
            f"By skill no two families can be told apart ({len(by_skill)} paired contrasts, "
            f"least p {min(by_skill):.2g} after Holm); what differs is the following."
        )
    if len(told) > MOST_SENTENCES:
        sentences.append(f"{len(told)} of {len(pairs)} contrasts listed differ after Holm's correction.")
    elif told:
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
