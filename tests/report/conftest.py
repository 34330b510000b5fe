import sys
from pathlib import Path

import pytest

from scaling.report import page

# Planted runs and measurements serve the page of the claims.
sys.path.append(str(Path(__file__).parents[1] / "analysis" / "claims"))


@pytest.fixture
def no_figure(monkeypatch):
    """Pages that a test makes have no figure: each has tests of its own, and all are on the page ``whole`` of test_page.py."""
    monkeypatch.setattr(page, "PAGE_FIGURES", {})
