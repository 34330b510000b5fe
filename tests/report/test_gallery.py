from pathlib import Path

from scaling.report import figures
from scaling.report.gallery import OF_CLAIMS, PAGE_FIGURES
from scaling.study.declared import declared


def test_the_page_shows_every_figure_of_the_folder_in_the_order_that_they_declare():
    found = declared(Path(figures.__file__).parent, "figure")
    assert set(PAGE_FIGURES) == set(found)
    orders = [figure.order for figure in PAGE_FIGURES.values()]
    assert orders == sorted(set(orders))
    assert [found[name]["order"] for name in PAGE_FIGURES] == orders
    assert list(PAGE_FIGURES)[:2] == ["skill-forest", "held-out"]


def test_a_claims_own_figure_is_found_by_its_claim():
    assert OF_CLAIMS["masked-autoencoder"].title == "Painted patches"
