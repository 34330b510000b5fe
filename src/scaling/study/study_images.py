"""The images of a study in the terms of the rooms above: settings, shape, what is prepared. No torch."""

from __future__ import annotations

from scaling.data import DataSettings, Look, describe, look, prepared_path, watched
from scaling.models.family import ImageSpec
from scaling.study.layout import Layout
from scaling.study.schema import Study


def data_settings(study: Study) -> DataSettings:
    """The block `data` of the study as settings of the room ``data``."""
    return study.data.settings()


def image_spec(study: Study) -> ImageSpec:
    """Side in pixels, channels and classes of the study's images. Raises DataError if the source cannot tell."""
    facts = describe(data_settings(study))
    return ImageSpec(facts.side, facts.channels, facts.classes)


def look_at_images(study: Study, layout: Layout) -> Look:
    """Which images are prepared for ``study``, and whether they are what its files hold now. Raises DataError."""
    settings = data_settings(study)
    return look(prepared_path(settings, layout.data), watched(settings))
