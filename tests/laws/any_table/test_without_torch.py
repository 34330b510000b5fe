"""What works on any table needs neither PyTorch nor Snakemake: every command for tables runs where they cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "reports/sample/runs.csv"

ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "timm", "torchvision", "snakemake", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

SCRIPT = (
    ABSENT
    + """
try:
    import torch
except ModuleNotFoundError:
    print("no torch")

from typer.testing import CliRunner
from scaling.cli.commands import app
import scaling

columns = ["--n", "params", "--d", "images", "--y", "loss", "--where", "family = 'mlp'"]
for command in (
    ["fit", "TABLE", *columns, "--latex"],
    ["extrapolate", "TABLE", *columns, "--split", "recipe"],
    ["forecast", "TABLE", *columns, "--at", "1e5,1e4"],
    ["compare", "TABLE", *columns, "--family", "family"],
    ["report", "TABLE", *columns, "--output", "page.html"],
    ["figures", "TABLE", *columns, "--format", "svg"],
):
    ended = CliRunner().invoke(app, [sys.argv[1] if word == "TABLE" else word for word in command])
    print(command[0], ended.exit_code, ended.stderr if ended.exit_code else "")
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
print(len(scaling.fit(scaling.read_runs(sys.argv[1], where="family = 'mlp'"))))
"""
)


@pytest.mark.slow
def test_every_command_for_tables_runs_without_torch_and_snakemake(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(SAMPLE)], capture_output=True, text=True, timeout=200, cwd=tmp_path, check=True
    )
    lines = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    # No column of the sample says train or test: extrapolate gets as far as saying so.
    refused = lines.pop(2)
    assert refused.startswith("extrapolate 2")
    assert "has no row with train or test" in refused
    assert lines == ["no torch", "fit 0", "forecast 0", "compare 0", "report 0", "figures 0", "1"]


def test_a_study_says_what_is_missing_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("name: tiny\nfamilies: {mlp: {}}\ngrid: {params: [13000], images: [300]}\n")
    script = ABSENT + "sys.argv = ['scaling', 'plan', 'study.yaml']\nfrom scaling.cli import main\nmain()\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert ran.returncode == 2
    assert "is not installed, which studies need and tables do not" in ran.stderr
    assert "`pip install 'scaling[training]'`" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "Traceback" not in ran.stderr
