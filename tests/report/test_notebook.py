"""What a notebook calls: the code of docs/python.md runs, `import scaling` is cheap, what is left out is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import plotnine as p9
import polars as pl
import pytest

import scaling
from scaling.laws.law_errors import InputError

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports/sample/runs.csv"


def test_import_scaling_brings_nothing_with_it() -> None:
    script = (
        "import sys, scaling; assert callable(scaling.fit);"
        "print([name for name in ('torch', 'timm', 'torchvision', 'snakemake') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout == "[]\n"
    bare = "import sys, scaling; print([name for name in ('polars', 'numpy', 'plotnine') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout == "[]\n"
    assert {"read_runs", "fit", "compare", "forecast", "figures", "as_frame"} <= set(dir(scaling))
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = scaling.fitt


@pytest.mark.slow
def test_the_code_of_the_documents_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").symlink_to(ROOT / "reports")
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "loss.pdf").read_bytes().startswith(b"%PDF")
    laws = names["laws"]
    assert set(laws["family"]) == {"vit", "swin"}
    alpha = laws.filter((pl.col("family") == "swin") & (pl.col("parameter") == "E"))
    assert alpha["low"][0] is None or alpha["low"][0] <= alpha["estimate"][0] <= alpha["high"][0]
    assert isinstance(names["figure"], p9.ggplot)
    assert {"D: images", "loss"} <= {scale.name for scale in names["figure"].scales}
    usual = {"skill-forest", "held-out", "loss-by-flop", "loss-by-images", "loss-by-params", "exponents", "residuals"}
    with_compute = {"isoflop-curves", "best-sizes", "ranks-by-compute"}
    anywhere = {"loss-contours", "beyond-images", "beyond-params"}
    assert set(names["figures"]) == usual | with_compute | anywhere
    entry = names["entry"]
    assert entry["parameters"]["alpha"] == pytest.approx(0.34, rel=1e-4)


@pytest.mark.slow
def test_the_notebook_was_executed_and_its_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    path = ROOT / "docs/python.ipynb"
    assert path.stat().st_size < 300_000
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 5
    (tmp_path / "docs").mkdir()
    (tmp_path / "reports").symlink_to(ROOT / "reports")
    monkeypatch.chdir(tmp_path / "docs")
    names: dict[str, object] = {}
    for number, cell in enumerate(cells, 1):
        assert cell["execution_count"] == number
        assert cell["outputs"]
        assert all(output["output_type"] != "error" for output in cell["outputs"])
        exec("".join(cell["source"]), names)
    said = "".join(text for cell in cells for output in cell["outputs"] for text in output.get("text", []))
    for sentence in names["result"]["verdict"]:
        assert sentence.split(":")[0] in said
    # The last line of a cell is what a notebook shows.
    shown = [eval("".join(cells[number]["source"]).splitlines()[-1], names) for number in (1, 3, 4)]
    assert shown[0].height == 21
    assert shown[1].height == 7
    assert isinstance(shown[2], p9.ggplot)


def test_runs_that_are_not_done_are_left_out_with_a_warning() -> None:
    runs = scaling.read_runs(SAMPLE, where="family = 'mlp'")
    assert runs["params"].dtype == pl.Float64
    lost = runs.with_columns(status=pl.when(pl.col("seed") == 2).then(pl.lit("diverged")).otherwise("status"))
    lost = lost.with_columns(loss=pl.when(pl.col("status") == "done").then("loss"))
    with pytest.warns(UserWarning, match="rows are left out, whose run is not done: diverged"):
        (entry,) = scaling.fit(lost, delta=None, starts=4)
    (whole,) = scaling.fit(runs, delta=None, starts=4)
    assert 0 < entry["rows"] < whole["rows"]
    with pytest.raises(InputError, match="no column parms"):
        scaling.fit(runs, n="parms")
