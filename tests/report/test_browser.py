"""The page as a reader sees it: in Chromium, at three widths, light and dark."""

import re

import pytest
from browser import CHROMIUM, look
from example_study import curves_of, runs_table
from test_page import inputs

from scaling.report.page import build
from scaling.report.print_page import CannotPrint, print_page

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    runs = runs_table(families=("mlp", "resnet", "vit"), seeds=1)
    return build(inputs(runs, curves=curves_of(runs)), tmp_path_factory.mktemp("report") / "index.html")


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_page_is_accessible_quiet_and_fits(page, tmp_path, width, dark):
    found = look(page, tmp_path, width, dark)
    assert (found["width"], found["dark"]) == (width, dark)
    assert found["ground"] == ("rgb(21, 24, 27)" if dark else "rgb(255, 255, 255)")
    assert found["sideways"] <= 0, "the page itself scrolls sideways"
    assert found["unhinted"] == 0, "a table or figure goes on to the right without a hint"
    assert found["hinted"] > 0 or width == 1280
    assert found["requests"] == []
    assert found["console"] == []
    assert found["violations"] == []
    assert found["saved"] >= 4 * 14
    used = found["used"]
    assert used["told"].startswith(f"{used['family']}\n"), "a point says what it stands for"
    assert used["faded"] == used["all"] > 30, "a click fades all of a family"
    assert used["figures"] >= 10
    assert (used["pressed"], used["left"]) == ("false", 0), "the family's button brings it back"
    assert (used["alone"], used["after"]) == (1, 0)


@needs_chromium
@pytest.mark.slow
def test_the_page_is_printed_beside_itself(page):
    printed = print_page(page)
    assert printed == page.with_name("report.pdf")
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 8


def test_without_a_browser_it_is_said_what_is_lacking(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotPrint, match="none of chromium, chromium-browser"):
        print_page(tmp_path / "index.html")
