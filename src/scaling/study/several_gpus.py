"""What is wrong with a study whose runs are trained on several GPUs each, as far as it is known without them."""

from __future__ import annotations

from ruamel.yaml.comments import CommentedMap

from scaling.study.schema import Study
from scaling.study.study_messages import line_of
from scaling.study.study_problems import Problem

KEYS = ("jobs", "gpus_per_run")


def gpu_problems(study: Study, tree: CommentedMap) -> list[Problem]:
    """A device without GPUs, and batches that cannot be cut into equal slices."""
    count = study.jobs.gpus_per_run
    if count == 1:
        return []
    line = line_of(tree, KEYS)
    if study.device in ("cpu", "mps"):
        return [Problem(KEYS, f"received {count}; with `device: {study.device}` allowed: 1", line)]
    batches = sorted({study.family_recipe(family).batch for family in study.families})
    return [
        Problem(KEYS, f"received {count}; a batch of {batch} images cannot be cut into so many equal slices", line)
        for batch in batches
        if batch % count
    ]
