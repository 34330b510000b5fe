"""The images of a study, as the data package and the families take them; no torch."""

from __future__ import annotations

from scaling.data import DataSettings, describe
from scaling.models.family import ImageSpec
from scaling.study.schema import Study


def data_settings(study: Study) -> DataSettings:
    """The study's data block as the data package takes it."""
    data = study.data
    return DataSettings(data.source, data.side, data.folder, data.unreadable)


def image_spec(study: Study) -> ImageSpec:
    """Side, channels and classes of the study's images."""
    facts = describe(data_settings(study))
    return ImageSpec(facts.side, facts.channels, facts.classes)
