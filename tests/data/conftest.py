from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def encoded() -> Callable[[int], bytes]:
    """A function seed -> a random RGB image of 11 x 9 pixels as a PNG file's bytes."""

    def encode(seed: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 11, 3), np.uint8)).save(file, "png")
        return file.getvalue()

    return encode


@pytest.fixture
def write_image() -> Callable[[Path, int], None]:
    """A function (path, seed): write a random RGB image of 11 x 9 pixels in the format that the path's ending names."""

    def write(path: Path, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 11, 3), np.uint8)).save(path)

    return write


@pytest.fixture
def image_folder(tmp_path: Path, write_image) -> Path:
    """Class folders alone, 10 images each, one class with a space and an umlaut, one file with Chinese characters."""
    folder = tmp_path / "images here"
    for label, name in enumerate(("zebra", "blaue Bälle")):
        for i in range(10):
            write_image(folder / name / f"{i}.png", 100 * label + i)
    (folder / "zebra" / "3.png").rename(folder / "zebra" / "图像 3.png")
    return folder
