"""What each family of a study looks like in its largest size: one line, and its layers."""

from __future__ import annotations

from typing import Any

from scaling.data import DataError
from scaling.models.ladder import Ladders, SizeError
from scaling.models.own_files import OwnModelError
from scaling.report.figures.theme import family_order
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec


def architectures(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """One entry for each family with laws: family, params, width, depth, outline, layers.

    ``layers`` hold name, kind, times, shape (in words) and params (of one). A family that cannot be built here is left out.
    """
    try:
        image, ladders = image_spec(study), Ladders(layout.ladders)
    except DataError:
        return []
    found = []
    for family in family_order(study.with_laws()):
        made, target = study.architecture(family), max(study.all_sizes(family))
        try:
            rung, told = ladders.rung(made, target, image), ladders.description(made, target, image)
        except (SizeError, OwnModelError):
            continue
        layers = [layer | {"shape": "×".join(map(str, layer["shape"]))} for layer in told["layers"]]
        size = {"params": rung.params, "width": rung.width, "depth": rung.depth}
        found.append({"family": family, **size, "outline": told["outline"], "layers": layers})
    return found
