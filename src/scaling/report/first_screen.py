"""What a report says first: one sentence, a badge per family and kind of prediction, and what limits the answer."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from scaling.analysis.significance import SIGNIFICANCE
from scaling.report.figures.labels import count, significant
from scaling.runs.records import DONE

PARTS: Final = {"params": "larger N", "images": "larger D", "both": "larger N and D"}
"""Kind of held-out prediction -> what of the predicted runs is larger."""
PREDICTS, DOES_NOT, CANNOT_TELL = "predicts", "does not", "cannot tell"

NONE: Final = "none surely predicts"


def badge_of(interval: list[float] | tuple[float, float] | None) -> str:
    """The verdict on a skill: its 95 % interval lies above 0, below 0, or holds 0 (or there is none)."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return CANNOT_TELL
    return PREDICTS if interval[0] > 0 else DOES_NOT


def skill_text(skill: float) -> str:
    """A skill to two decimals: 0.05, −0.42."""
    return f"{skill:.2f}".replace("-", "−")


def interval_text(interval: list[float] | tuple[float, float] | None) -> str:
    """The interval of a skill to two decimals, or empty."""
    return f"[{skill_text(interval[0])}, {skill_text(interval[1])}]" if interval else ""


def family_skills(fits: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per family, the highest skill first and those without one last.

    ``parts`` holds for each of PARTS skill, interval, badge and reason (why there is no skill); ``overall`` the same of all
    held-out runs together.
    """
    rows = []
    for verdict in fits.get("verdicts", []):
        held = {
            part["origin"]: part
            for part in fits.get("holdout", [])
            if part["family"] == verdict["family"] and part["response"] == "loss"
        }
        parts = {origin: _scored(held.get(origin) or {"reason": "not scored"}) for origin in PARTS}
        overall = _scored({"skill": verdict["skill"], "interval": verdict["skill_interval"], "reason": parts["both"]["reason"]})
        _say_once([*parts.values(), overall])
        rows.append({"family": verdict["family"], "kind": verdict["kind"], "parts": parts, "overall": overall})
    return sorted(rows, key=lambda row: -float("inf") if (skill := row["overall"]["skill"]) is None else skill, reverse=True)


def _say_once(row: list[dict[str, Any]]) -> None:
    """Leave the reason why there is no skill in the first cell of a row, and a dash in those that would repeat it."""
    said = set()
    for part in row:
        if part["skill"] is None and part["reason"] in said:
            part["reason"] = "–"
        said.add(part["reason"])


def _scored(part: dict[str, Any]) -> dict[str, Any]:
    interval = part.get("interval")
    return {
        "skill": part.get("skill"),
        "interval": interval,
        "badge": badge_of(interval),
        "reason": part.get("reason") or ("" if interval else "no interval"),
    }


def answer(fits: dict[str, Any]) -> str:
    """The answer of a study in one sentence; empty where no law could be judged."""
    judged = [row for row in family_skills(fits) if row["overall"]["skill"] is not None]
    if not judged:
        return ""
    said = {part: _predicted(judged, part) for part in ("images", "params")}
    if set(said.values()) == {NONE}:
        return f"{_compared(fits)}; no law surely predicts what more data or larger models bring."
    if len(judged) == 1:
        name = judged[0]["family"]
        words = {PREDICTS: "predicts", DOES_NOT: "does not predict", CANNOT_TELL: "perhaps predicts"}
        data, size = (words[judged[0]["parts"][part]["badge"]] for part in ("images", "params"))
        return f"The law of {name} {data} what more data brings and {size} what larger models bring."
    return (
        f"{_compared(fits)}: {said['images']} what more data brings, {said['params']} what larger models bring."
        if said["images"] != said["params"]
        else f"{_compared(fits)}: {said['images']} what more data brings and what larger models bring."
    )


def _predicted(judged: list[dict[str, Any]], part: str) -> str:
    names = [row["family"] for row in judged if row["parts"][part]["badge"] == PREDICTS]
    if len(names) == len(judged):
        return f"all {len(judged)} laws predict"
    if not names:
        return NONE
    who = f" ({', '.join(names)})" if len(names) <= 3 else ""
    return f"{len(names)} of {len(judged)} laws{who} surely {'predicts' if len(names) == 1 else 'predict'}"


def _compared(fits: dict[str, Any]) -> str:
    """Whether families differ in skill. Contrasts of kinds are named "... families (...)" and left out here."""
    pairs = [
        pair
        for pair in fits.get("pairs", [])
        if pair["contrast"] == "skill" and not any(" families (" in pair[side] for side in ("first", "second"))
    ]
    differ = [pair for pair in pairs if pair["p_holm"] is not None and pair["p_holm"] < SIGNIFICANCE]
    if not differ:
        return "No family follows its law measurably better than another at this scale"
    if len(differ) > 2:
        return f"{len(differ)} of {len(pairs)} pairs of families differ in how well they follow their laws"
    ordered = [(p["first"], p["second"]) if p["difference"] > 0 else (p["second"], p["first"]) for p in differ]
    return " and ".join(f"{better} follows its law better than {worse}" for better, worse in ordered)


def limits(runs: pl.DataFrame, fits: dict[str, Any], following: dict[str, Any] | None) -> dict[str, str]:
    """What limits the answer, one short text per name: range of N and D, seeds, form of the law, what would settle it.

    Args:
        runs: the runs table; fits: as of fits.json; following: ``next_section`` of next_table.py, or None.
    """
    done = runs.filter(pl.col("status") == DONE)
    if done.is_empty():
        return {}
    found = {"range": f"{_range(done, 'params', 'N')}, {_range(done, 'images', 'D')}; nothing is known beyond"}
    seeds = done.group_by("family", "params", "images").agg(pl.col("seed").n_unique())["seed"]
    least, most = min(seeds), max(seeds)
    found["seeds"] = (
        f"{most} {'seed' if most == 1 else 'seeds'} per model and D"
        if least == most
        else f"{least} to {most} seeds per model and D"
    )
    found["form"] = _floor_sentence(fits)
    if following and following["rows"]:
        cost = f"{following['runs']}, {significant(following['minutes'], 2)} minutes of one core or GPU"
        found["what would settle it"] = f"{cost}, narrow the interval of {following['asked']} most for their cost"
    return {name: text for name, text in found.items() if text}


def _range(done: pl.DataFrame, column: str, symbol: str) -> str:
    values = done[column].drop_nulls()
    if values.is_empty():
        return f"{symbol} unknown"
    low, high = min(values), max(values)
    if low == high:
        return f"{symbol} = {count(low)}"
    return f"{symbol} from {count(low)} to {count(high)} (a factor of {high / low:.2g})"


def _floor_sentence(fits: dict[str, Any]) -> str:
    """Whether an exponential approach to a floor is excluded as the form of the law."""
    row = next((r for r in fits.get("forms", []) if r["response"] == "loss" and r["rival"] == "exponentials"), None)
    if row is None:
        return ""
    if not row["interval"]:
        return "an exponential with a floor could not be compared with the power law"
    low, high = row["interval"]
    ratio = f"its error is {significant(row['ratio'], 2)} times the power law's, 95 % interval {low:.2g} to {high:.2g}"
    if low > 1:
        return f"an exponential with a floor is excluded: {ratio}"
    if high < 1:
        return f"an exponential with a floor predicts better: {ratio}"
    return f"an exponential with a floor is not excluded: {ratio}"
