"""Does a power law with a floor predict larger runs better than its rivals do?

Every rival is fitted and tested at the same rolling origins as the law. The few held-out runs of one family cannot distinguish
two forms; over all families together, the mean log ratio of their errors has an interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from scaling.analysis.family_evidence import Judged
from scaling.analysis.significance import CONFIDENCE
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.holdout import ORIGINS, Split, predict_splits, rolling_splits, root_mean_square
from scaling.laws.fitting.solver import fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law


def rivals(law: Law, ceiling: float) -> tuple[Law, ...]:
    """Forms of N and D that a law has to beat: without a floor, coupled, without a power, and with or without a ceiling.

    Args:
        law: the law itself.
        ceiling: of the response: ln K for a loss, (K - 1) / K for an error rate.
    """
    other = forms.bounded(ceiling) if law.ceiling is None else forms.chinchilla()
    return (forms.powers(), forms.kaplan(), forms.logarithms(), forms.exponentials(), other)


def compare_forms(judged: Sequence[Judged], response: str, ceiling: float) -> list[dict[str, Any]]:
    """One row per rival: ``{"response", "law", "rival", "formula", "families", "ratio", "interval", "sentence"}``.

    ``families`` has for each family the root mean square log error of the law and of the rival over all held-out runs, or the
    reason why there is none; ``ratio`` is the geometric mean over the families of the rival's error divided by the law's.

    Args:
        judged: the fits of one response.
        response: its name.
        ceiling: as for ``rivals``.
    """
    fitted = [one for one in judged if one.found.parameters]
    if not fitted:
        return []
    law = fitted[0].found.law
    held = {one.cells.family: _held_out(one) for one in fitted}
    own = {one.cells.family: _error(one, held[one.cells.family], one.found) for one in fitted}
    rows = []
    for rival in rivals(law, ceiling):
        families = {one.cells.family: _score(one, held[one.cells.family], own[one.cells.family], rival) for one in fitted}
        rows.append(_row(response, law, rival, families))
    return rows


def _held_out(one: Judged) -> list[Split]:
    """The splits of all origins. Every rival can be fitted there, since none has more parameters than the law."""
    cells = one.cells
    return [
        split for origin in ORIGINS for split in rolling_splits(one.found.law, cells.params, cells.images, cells.seeds, origin)
    ]


def _error(one: Judged, splits: list[Split], found: Fit) -> float | None:
    """Root mean square log error of a form over all held-out runs; None without any."""
    if not splits:
        return None
    predicted = predict_splits(found, one.cells.logs, None, splits, delta=one.found.delta)[0]
    test = np.concatenate([split.test for split in splits])
    return float(root_mean_square(predicted - one.found.log_y[test]))


def _score(one: Judged, splits: list[Split], own: float | None, rival: Law) -> dict[str, Any]:
    score: dict[str, Any] = {"rmse_log": None, "law_rmse_log": own, "reason": None}
    if own is None:
        return score | {"reason": "too few cells to hold any out"}
    cells = one.cells
    found = fit(rival, {"N": cells.params, "D": cells.images}, cells.y, one.noise.weights(cells.images), delta=None)
    if not found.parameters:
        return score | {"reason": f"{rival.name} could not be fitted: {next(iter(found.reasons.values()))}"}
    error = _error(one, splits, found)
    if error is None or not np.isfinite(error):
        return score | {"reason": f"{rival.name} predicts a response below 0"}
    return score | {"rmse_log": error}


def _row(response: str, law: Law, rival: Law, families: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    known = [f for f in families.values() if f["rmse_log"] is not None]
    logs = np.log([f["rmse_log"] / f["law_rmse_log"] for f in known])
    row: dict[str, Any] = {
        "response": response,
        "law": law.name,
        "rival": rival.name,
        "formula": rival.formula,
        "families": dict(families),
        "ratio": float(np.exp(logs.mean())) if len(logs) else None,
        "interval": None,
    }
    if len(logs) < 2:
        scored = "one family" if len(logs) else "no family"
        return row | {"sentence": f"Cannot compare {law.name} with {rival.name}: {scored} could be scored."}
    half = student.ppf(0.5 + CONFIDENCE / 2, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    low, high = np.exp([logs.mean() - half, logs.mean() + half])
    size = f"its error on held-out runs is {row['ratio']:.2f} [{low:.2f}, {high:.2f}] times that of {law.name}"
    size += f" over {len(logs)} families"
    verdict = (
        "predicts worse" if low > 1 else "predicts better" if high < 1 else "predicts neither better nor worse beyond doubt"
    )
    return row | {"interval": [float(low), float(high)], "sentence": f"{rival.name} {verdict}: {size}."}
