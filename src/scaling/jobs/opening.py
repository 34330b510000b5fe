"""Opening a study: its file is checked, and what it names beyond it: claims, a calibration."""

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
from scaling.study.study_file import line_of, suggest
from scaling.study.study_problems import Problem


def open_study(path: Path, ladders: Ladders | None = None, *, calibrated: bool = True) -> Study:
    """The study at ``path``, valid in itself and against its data, the families' ranges, the claims and its calibration.

    ``calibrated`` is False for what makes the calibration. Raises StudyError with every problem found.
    """
    return checked_study(path, ladders, [_claim_problems, *([_calibration_problems] if calibrated else [])])


def _claim_problems(study: Study, path: Path, tree: CommentedMap, image: ImageSpec) -> list[Problem]:
    """Claims that nobody wrote."""
    known = list(claim_files())
    return [
        Problem(("claims", index), f"received {json.dumps(name)}{suggest(name, known)}", line_of(tree, ("claims", index)))
        for index, name in enumerate(claims_tested(study.claims))
        if name not in known
    ]


def _calibration_problems(study: Study, path: Path, tree: CommentedMap, image: ImageSpec) -> list[Problem]:
    """Jobs sized in minutes by a calibration that cannot say how long they take."""
    if study.jobs.minutes is None:
        return []
    try:
        usable_calibration(study, image, path)
    except CalibrationError as error:
        keys = ("jobs", "minutes")
        return [Problem(keys, f"received {study.jobs.minutes:g}; {error}", line_of(tree, keys))]
    return []
