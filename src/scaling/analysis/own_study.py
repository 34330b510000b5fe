"""The laws and the claims of a study of this program, from its runs table and its measurements."""

from __future__ import annotations

from typing import Any

import polars as pl

from scaling.analysis.claims.claim_files import claims_tested
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims
from scaling.analysis.claims.load_claims import load_claims
from scaling.analysis.study_statistics import fit_study
from scaling.study.schema import Study
from scaling.study.study_images import image_spec


def fit_laws(study: Study, runs: pl.DataFrame, most: int | None = None) -> dict[str, Any]:
    """Contents of fits.json: the laws of those entries of the study that get one, and their verdicts.

    Args:
        study: its settings.
        runs: its runs table.
        most: resamples at most; None for the study's own number.
    """
    resamples = study.laws.bootstrap if most is None else min(most, study.laws.bootstrap)
    with_laws = runs.filter(pl.col("family").is_in(study.with_laws()))
    return fit_study(with_laws, classes=image_spec(study).classes, seed=study.laws.seed, bootstrap=resamples)


def judge_own_claims(
    study: Study, runs: pl.DataFrame, measurements: pl.DataFrame, fits: dict[str, Any]
) -> list[dict[str, Any]]:
    """Contents of claims.json: the verdicts on the claims that the study tests.

    Args:
        study: its settings.
        runs: its runs table.
        measurements: its benchmarks and probes.
        fits: contents of its fits.json.
    """
    evidence = Evidence(runs, image_spec(study).classes, measurements, fits)
    return judge_claims(load_claims(claims_tested(study.claims)), evidence)
