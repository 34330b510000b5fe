"""Jobs trust what was prepared; whoever looks sees a change."""

import pytest

from scaling.data import DataSettings, describe, look, prepare, prepared_files_trusted, watched
from scaling.data.sources import image_folder as source_file


@pytest.fixture
def settings(image_folder):
    return DataSettings("image-folder", side=8, folder=image_folder)


@pytest.fixture
def path(settings, tmp_path):
    return prepare(settings, tmp_path / "data", progress=False)


def test_within_the_block_no_folder_is_listed(settings, path, monkeypatch):
    facts, before = describe(settings), look(path, watched(settings))
    source = source_file.source

    def listed(settings):
        raise AssertionError("the folder was listed")

    monkeypatch.setitem(source.__dict__, "list_images", listed)
    with prepared_files_trusted(path.parent):
        assert describe(settings) == facts
        assert look(path, watched(settings)) == before
    with pytest.raises(AssertionError, match="was listed"):
        describe(settings)


def test_a_change_is_seen_outside_the_block_alone(settings, path, write_image):
    write_image(settings.folder / "zebra" / "5.png", 999)
    with prepared_files_trusted(path.parent):
        assert not look(path, watched(settings)).changed
    assert look(path, watched(settings)).changed


def test_a_file_that_was_not_verified_is_not_trusted(settings, path, write_image):
    write_image(settings.folder / "zebra" / "new.png", 999)
    path.with_suffix(".verified.json").unlink()
    with prepared_files_trusted(path.parent):
        assert look(path, watched(settings)).changed
        assert describe(settings).train_images == 17
