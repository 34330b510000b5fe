import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import plotnine as p9
import pytest

from scaling.report import page
from scaling.report.gallery import PAGE_FIGURES

# Planted runs and measurements serve the page of the claims.
sys.path.append(str(Path(__file__).parents[1] / "analysis" / "claims"))


@pytest.fixture
def one_point(monkeypatch):
    """Pages that a test makes have one figure, of one point: figures have tests of their own, and all are on the page ``whole``
    of test_page.py."""

    def draw(run):
        return p9.ggplot(pd.DataFrame({"x": [1.0], "y": [1.0]}), p9.aes("x", "y")) + p9.geom_point()

    name, first = next(iter(PAGE_FIGURES.items()))
    monkeypatch.setattr(page, "PAGE_FIGURES", {name: replace(first, draw=draw)})
