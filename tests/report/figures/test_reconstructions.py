import numpy as np
import pytest

from scaling.report.figures.image_grid import GAP, image_grid
from scaling.report.figures.reconstructions import reconstructions
from scaling.report.inline_svg import inline_svg


def row(kind: str, index: int, pixels: np.ndarray) -> dict:
    return {"series": kind, "x": float(index), "side": 4, "pixels": bytes(pixels.astype(np.uint8).flatten().tolist()).hex()}


@pytest.mark.filterwarnings("error::plotnine.exceptions.PlotnineWarning")
def test_every_image_has_its_place_and_its_pixels():
    image = np.arange(16).reshape(4, 4) * 17
    rows = [row(kind, index, image * (kind != "painted")) for index in range(2) for kind in ("original", "visible", "painted")]
    figure = reconstructions(rows)
    table = figure.data
    assert (table["alpha"] > 0).sum() == 6 * 16
    assert table[(table["x"] == 4 + GAP) & (table["y"] == 0)]["colour"].tolist() == ["#000000"]
    assert table[(table["x"] == 3) & (table["y"] == -3)]["colour"].tolist() == ["#ffffff"]
    assert set(table[table["y"] <= -2 * (4 + GAP)]["colour"]) == {"#000000"}
    assert set(table[table["x"] == 4]["alpha"]) == {0.0}
    assert 'href="data:image/png;base64' in inline_svg(figure, "picture", "painted")


def test_colour_images_keep_their_colours():
    image = np.zeros((3, 2, 2), np.uint8)
    image[0, 0, 1], image[2, 1, 0] = 255, 16
    table = image_grid({"a": [image]}, ["head"]).data
    assert table["colour"].tolist() == ["#000000", "#ff0000", "#000010", "#000000"]


def test_without_a_painted_image_there_is_no_picture():
    assert reconstructions([]) is None
