"""Runs of several versions of torch or machines in one table: the plan and the page say so."""

import pytest
from test_damage import rewrite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_plan_and_the_page_say_what_differs(bench):
    page = bench.folder / "reports" / "faults" / "index.html"
    assert "several" not in bench.do("plan", "studies/faults.yaml").text
    assert "The runs were trained" not in page.read_text()
    rewrite(bench.cell(0) / "record.json", lambda body: body["row"].update(torch_version="2.1.0", machine="another one"))
    bench.do("collect", "studies/faults.yaml")
    bench.do("report", "studies/faults.yaml")
    for text in (bench.do("plan", "studies/faults.yaml").text, page.read_text()):
        assert "The runs were trained with several versions of torch: " in text
        assert "2.1.0 (1 run)" in text
        assert "The runs were trained on several kinds of hardware: " in text
        assert "another one cpu fp32 (1 run)" in text
        assert "several versions of timm" not in text
