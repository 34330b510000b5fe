"""Opening a study: its file is checked, and so are the claims and the calibration that it names."""

from __future__ import annotations

import json
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from scaling.analysis.claims.claim_files import claim_files, claims_tested
from scaling.jobs.calibration import CalibrationError, usable_calibration
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.study.check import checked_study
from scaling.study.schema import Study
from scaling.study.study_messages import line_of
from scaling.study.study_problems import Problem
from scaling.study.suggestions import suggest


def open_study(path: Path, ladders: Ladders | None = None, *, calibrated: bool = True) -> Study:
    """The study at ``path``, checked against its data, the sizes of its families, the claims and its calibration.

    Args:
        path: the study file.
        ladders: the sizes that families have; None for those of the shared cache.
        calibrated: whether the calibration is checked; False for the command that makes it.

    Raises:
        StudyError: with every problem found.
    """
    return checked_study(path, ladders, [_claim_problems, *([_calibration_problems] if calibrated else [])])


def _claim_problems(study: Study, path: Path, tree: CommentedMap, image: ImageSpec) -> list[Problem]:
    """Claims that do not exist."""
    known = list(claim_files())
    return [
        Problem(("claims", index), f"received {json.dumps(name)}{suggest(name, known)}", line_of(tree, ("claims", index)))
        for index, name in enumerate(claims_tested(study.claims))
        if name not in known
    ]


def _calibration_problems(study: Study, path: Path, tree: CommentedMap, image: ImageSpec) -> list[Problem]:
    """Jobs that are sized in minutes, without a calibration that says how long their runs take."""
    if study.jobs.minutes is None:
        return []
    try:
        usable_calibration(study, image, path)
    except CalibrationError as error:
        keys = ("jobs", "minutes")
        return [Problem(keys, f"received {study.jobs.minutes:g}; {error}", line_of(tree, keys))]
    return []
