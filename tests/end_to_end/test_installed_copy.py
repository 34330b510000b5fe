"""A copy installed from the wheel, in a folder of the user's: a study is written for their images, and run to its report."""

import json
import os
import pty
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not here to build the wheel"),
]


class Installed:
    """The wheel's contents ahead of the checkout on Python's path, and a user's folder."""

    def __init__(self, folder: Path) -> None:
        subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder / "wheel"), str(ROOT)], check=True)
        (wheel,) = (folder / "wheel").glob("*.whl")
        self.package = folder / "package"
        zipfile.ZipFile(wheel).extractall(self.package)
        self.folder = folder / "a user's folder"
        self.folder.mkdir()
        self.environment = os.environ | {"PYTHONPATH": str(self.package), "COLUMNS": "100"}

    def scaling(self, *words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "scaling", *words]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=500)

    def on_a_terminal(self, *words: str) -> tuple[int, str]:
        """The exit code of a command whose words go to a terminal, and what that showed."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "scaling", *words]
        environment = self.environment | {"TERM": "xterm"}
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                part = b""
            if not part:
                break
            shown += part
        os.close(ours)
        return process.wait(), shown.decode(errors="replace")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    found = Installed(tmp_path_factory.mktemp("installed"))
    random = np.random.default_rng(0)
    for split, count in (("train", 60), ("test", 10)):
        for label in range(2):
            folder = found.folder / "photos" / split / ("dark", "bright")[label]
            folder.mkdir(parents=True)
            for place in range(count):
                darkest = 60 * label + random.integers(100)
                Image.fromarray(random.integers(darkest, darkest + 70, (30, 30), np.uint8)).save(folder / f"{place}.png")
    return found


def test_from_a_folder_of_images_to_a_report(installed):
    words = ("my.yaml", "--folder", "photos", "--side", "28", "--channels", "1", "--minutes", "0.8", "--families", "mlp")
    made = installed.scaling("init", *words)
    assert made.returncode == 0, made.stderr
    assert "next: scaling run my.yaml" in made.stderr
    plan = json.loads(installed.scaling("plan", "my.yaml", "--json").stdout)
    spent = plan["core_seconds"] / (os.cpu_count() or 1)
    assert spent <= 48

    code, shown = installed.on_a_terminal("run", "my.yaml")
    assert code == 0, shown
    assert "mlp" in shown
    assert "lowest loss" in shown
    assert f"my: {plan['new']} of {plan['new']} runs done" in shown
    assert "rule train" not in shown  # Snakemake's own words go to a file
    assert "Job stats" in (installed.folder / "results" / "my" / "logs" / "run.log").read_text()
    assert (installed.folder / "reports" / "my" / "index.html").is_file()
    assert json.loads(installed.scaling("plan", "my.yaml", "--json").stdout)["new"] == 0
    assert not list(installed.folder.glob("Snakefile"))

    again = installed.scaling("run", "my.yaml", "--cores", "1")  # no terminal: Snakemake's lines
    assert again.returncode == 0, again.stdout + again.stderr
    assert "report: reports/my/index.html" in again.stdout + again.stderr
    assert "lowest loss" not in again.stdout + again.stderr

    text = (installed.folder / "my.yaml").read_text()
    (installed.folder / "my.yaml").write_text(text.replace("mlp:", "mpl:"))
    bad = installed.scaling("run", "my.yaml")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "mpl" in bad.stderr
