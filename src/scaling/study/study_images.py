"""The images of a study, as the data package and the families take them; no torch."""

from __future__ import annotations

from scaling.data import DataSettings, Look, describe, look, prepared_path, watched
from scaling.models.family import ImageSpec
from scaling.study.layout import Layout
from scaling.study.schema import Study


def data_settings(study: Study) -> DataSettings:
    """The study's data block as the data package takes it."""
    return study.data.settings()


def image_spec(study: Study) -> ImageSpec:
    """Side, channels and classes of the study's images."""
    facts = describe(data_settings(study))
    return ImageSpec(facts.side, facts.channels, facts.classes)


def look_at_images(study: Study, layout: Layout) -> Look:
    """Which images are prepared for ``study``, and whether they are what its files hold now."""
    settings = data_settings(study)
    return look(prepared_path(settings, layout.data), watched(settings))
