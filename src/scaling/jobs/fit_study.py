"""The job that fits a study's laws to its runs as the store has them now, and judges the claims that it tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scaling.analysis.own_study import fit_laws, judge_own_claims
from scaling.jobs.collected import Collected
from scaling.jobs.job_errors import MissingWork
from scaling.jobs.owner import open_own
from scaling.runs.derived import write_json
from scaling.runs.records import without_result


def fit_study(path: Path, say: Callable[[str], None], *, without_runs: bool) -> bool:
    """Write the laws and the verdicts of the study at ``path``; returns whether every run has a result.

    ``without_runs`` writes them also where no run has a result.

    Raises:
        StudyError: the study is not valid.
        MissingWork: no run has a result, or the benchmarks that it asks for were not made.
    """
    study, layout = open_own(path, say)
    collected = Collected(study, layout, say)
    missing = without_result(collected.runs)
    if len(missing) == len(collected.runs) and not without_runs:
        raise MissingWork(f"no run of {path} has a result yet: run `snakemake --cores all --config study={path}` first")
    benchmarks = collected.benchmarks()
    if benchmarks.lacking:
        raise MissingWork(
            f"{benchmarks.lacking}: run `scaling benchmark {path}` with the machine to itself, or Snakemake, first"
        )
    origins = collected.verdicts(collected.write(), benchmarks)
    fits = fit_laws(study, collected.runs)
    write_json(fits, layout.fits, origins[layout.fits])
    claims = judge_own_claims(study, collected.runs, collected.measurements(benchmarks), fits)
    write_json(claims, layout.claims, origins[layout.claims])
    return missing.is_empty()
