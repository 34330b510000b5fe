"""The verdict on each family, the contrasts of all pairs, and the sentences that summarise them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.analysis.family_evidence import Judged, Skill
from scaling.analysis.family_verdict import family_sentence, gate, order_share
from scaling.analysis.misfit import measure_misfit
from scaling.analysis.pair_contrasts import (
    Measured,
    average,
    centred_interval,
    conclude,
    contrasts,
    measured_exponent,
    measured_skill,
    p_values_without,
)
from scaling.analysis.significance import SIGNIFICANCE

MOST_CROSSED = 50
"""Families up to which all pairs are listed (assumption): 1,225 of each contrast. Beyond it only the pairs with the leader are
listed. Their p are corrected for all pairs, since the leader was chosen from all."""
MOST_SENTENCES = 60
"""Most differences that the summary lists one by one (assumption)."""


def rank_families(judged: list[Judged], skills: dict[str, Skill], fits: list[dict[str, Any]]) -> dict[str, Any]:
    """``{"verdicts", "pairs", "summary"}`` of one response.

    Args:
        judged: families.
        skills: family -> skill over all origins.
        fits: their entries (``fits_rows.fit_row``).
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
                "sentence": family_sentence(cells.family, over, skill.value, interval, skill.reason, misfit, cells.response),
            }
        )
    identified = {
        name: [family for family in scaling if entries[family]["intervals"][name] is not None] for name in ("alpha", "beta")
    }
    values = {family: value for family in scaling if (value := skills[family].value) is not None}
    lead = max(values, key=values.__getitem__) if len(scaling) > MOST_CROSSED else None
    pairs, unlisted = compare_pairs(scaling, skills, identified, lead)
    return {"verdicts": verdicts, "pairs": pairs, "summary": _summary(verdicts, pairs, lead, unlisted)}


def compare_pairs(
    scaling: dict[str, Judged],
    skills: dict[str, Skill],
    identified: dict[str, list[str]],
    lead: str | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Contrasts of skill between kinds and between families, and of exponents where the grid identifies them.

    Args:
        scaling: the families that may be ranked, by name.
        skills: family -> skill.
        identified: exponent -> families whose exponent has an interval.
        lead: the family whose pairs alone are listed; all pairs by default.

    Returns:
        The contrasts, and the number of those not listed, for which the p of the others are corrected too.
    """
    by_skill = {}
    for name, one in scaling.items():
        skill = skills[name]
        if (
            skill.value is not None and skill.draws is not None and skill.near is not None and one.spreads is not None
        ):  # always so for a family that scales
            by_skill[name] = measured_skill(skill.value, skill.draws, skill.near, one.spreads)
    pairs = contrasts("skill", _kinds(scaling, by_skill)) + contrasts("skill", by_skill, lead)
    unlisted = {} if lead is None else {"skill": p_values_without(by_skill, lead)}
    for name, families in identified.items():
        exponents = {}
        for family in families:
            one = scaling[family]
            assert one.draws is not None  # its exponent has an interval
            draws = one.draws[:, one.found.law.parameters.index(name)]
            exponents[family] = measured_exponent(one.found.parameters[name], draws, _freedom(one))
        pairs += contrasts(name, exponents, lead)
        if lead is not None:
            unlisted[name] = p_values_without(exponents, lead)
    return conclude(pairs, unlisted), sum(len(p) for p in unlisted.values())


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


def _summary(verdicts: list[dict[str, Any]], pairs: list[dict[str, Any]], lead: str | None, unlisted: int) -> list[str]:
    ranked = sorted((v for v in verdicts if v["scales"] and v["skill"] is not None), key=lambda v: -v["skill"])
    flat = [v["family"] for v in verdicts if not v["scales"]]
    sentences = []
    if ranked:
        order = ", ".join(f"{v['family']} {v['skill']:.2f}{_interval(v['skill_interval'])}" for v in ranked)
        sentences.append(f"Skill of each family's law at predicting its larger runs: {order}.")
    if flat:
        sentences.append(f"Not shown to scale here, so not ranked: {', '.join(flat)}.")
    if lead is not None:
        sentences.append(
            f"With more than {MOST_CROSSED} families only the pairs with {lead}, the family of highest skill, are listed; "
            f"p is corrected for all {len(pairs) + unlisted} contrasts."
        )
    different = [pair["verdict"] for pair in pairs if pair["p_holm"] < SIGNIFICANCE]
    by_skill = [pair["p_holm"] for pair in pairs if pair["contrast"] == "skill"]
    if different and by_skill and min(by_skill) >= SIGNIFICANCE:
        sentences.append(
            f"No two families differ in skill beyond doubt ({len(by_skill)} paired contrasts, "
            f"smallest p {min(by_skill):.2g} after Holm); the following differences are seen."
        )
    if len(different) > MOST_SENTENCES:
        sentences.append(f"{len(different)} of {len(pairs)} contrasts listed differ after Holm's correction.")
    elif different:
        sentences += [f"{text[0].upper()}{text[1:]}." for text in different]
    elif pairs:
        sentences.append(
            f"No difference between families is seen: {len(pairs)} paired contrasts, none below {SIGNIFICANCE} after Holm."
        )
    kinds = {v["kind"] for v in verdicts}
    if len(kinds) > 1:
        count = ", ".join(f"{sum(v['kind'] == kind for v in verdicts)} {kind}" for kind in sorted(kinds))
        sentences.append(f"These sentences are about these families ({count}), not about kinds of architecture.")
    return sentences


def _interval(limits: list[float] | None) -> str:
    return f" [{limits[0]:.2f}, {limits[1]:.2f}]" if limits else " (no interval)"
