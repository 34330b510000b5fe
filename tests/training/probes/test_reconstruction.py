import torch

from scaling.training.probes.reconstruction import as_pixels, painted_rows


def test_an_image_keeps_its_pixels_and_a_hole_is_grey():
    image = torch.tensor([[[0.0, 1.0], [0.5, torch.nan]]])
    assert as_pixels((image - 0.3) / 0.2, torch.tensor([0.3]), torch.tensor([0.2])) == "00ff8080"
    rows = painted_rows({"original": image[None]}, torch.zeros(1), torch.ones(1))
    assert [(row["quantity"], row["x"], row["label"], row["value"]) for row in rows] == [("original", 0.0, "00ff8080", 2.0)]
