"""What a notebook calls: the code of docs/python.md runs, `import scaling` is cheap, what is left out is said."""

from __future__ import annotations

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
    assert {"held-out", "loss-by-flop", "loss-by-images", "loss-by-params", "exponents", "residuals"} == set(names["figures"])
    entry = names["entry"]
    assert entry["parameters"]["alpha"] == pytest.approx(0.34, rel=1e-4)


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
