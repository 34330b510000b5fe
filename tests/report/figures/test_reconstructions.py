import numpy as np

from scaling.report.figures.reconstructions import GAP, reconstructions
from scaling.report.inline_svg import inline_svg


def row(kind: str, index: int, pixels: np.ndarray) -> dict:
    return {"series": kind, "x": float(index), "side": 4, "pixels": bytes(pixels.astype(np.uint8).flatten().tolist()).hex()}


def test_every_image_has_its_place_and_its_pixels():
    image = np.arange(16).reshape(4, 4) * 17
    rows = [row(kind, index, image + (kind == "painted")) for index in range(2) for kind in ("original", "visible", "painted")]
    figure = reconstructions(rows)
    table = figure.data
    assert table["grey"].notna().sum() == 6 * 16
    corner = table[(table["x"] == 4 + GAP) & (table["y"] == 0)]
    assert corner["grey"].tolist() == [0.0]
    last = table[(table["x"] == 3) & (table["y"] == -3)]
    assert last["grey"].tolist() == [1.0]
    assert table[table["x"] == 4]["grey"].isna().all()
    assert 'href="data:image/png;base64' in inline_svg(figure, "picture", "painted")


def test_nothing_painted_is_said():
    assert inline_svg(reconstructions([]), "picture", "none").startswith("<svg")
