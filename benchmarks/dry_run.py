"""What a dry run of a large grid costs: 100,000 cells in at most 2,000 packs.

    uv run python benchmarks/dry_run.py [--cells 100000] [--minutes M | --pack size]

Makes a study of seven families in a folder of its own, with a calibration as fast as a small GPU's, and prints CPU seconds,
wall seconds and the largest resident memory of ``snakemake -n``: the first time (sizes are solved for) and again
(they are cached).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scaling.jobs.calibration import Calibration, Line, Speed, speed_name, write_calibration
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.models.registry import FAMILIES

ROOT = Path(__file__).parents[1]
FAMILIES = [name for name in FAMILIES if name != "plain"]
SIZES = [13_000, 17_000, 22_000, 29_000, 38_000, 50_000, 65_000, 84_000, 110_000, 140_000]
IMAGES = [500, 700, 1000, 1400, 2000, 2800, 4000, 5600, 8000, 11_000]


def study(cells: int, job: dict) -> dict:
    """A study of about so many cells, over seeds."""
    seeds = max(1, round(cells / (len(FAMILIES) * len(SIZES) * len(IMAGES))))
    return {
        "name": "large",
        "families": dict.fromkeys(FAMILIES),
        "grid": {"params": SIZES, "images": IMAGES, "seeds": list(range(seeds))},
        "jobs": job,
    }


def dry_run(folder: Path) -> None:
    """Run `snakemake -n` in ``folder`` and print what it took."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2", "--config", "study=study.yaml"]
    log = folder / "log"
    with log.open("w") as file:
        child = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        before = os.times()
        _, status, used = os.wait4(child.pid, 0)
        wall = os.times().elapsed - before.elapsed
    text = log.read_text()
    if status:
        sys.exit(text)
    jobs = re.findall(r"^train +(\d+)", text, re.MULTILINE)
    print(
        f"{jobs[0] if jobs else '?'} packs: {used.ru_utime + used.ru_stime:.1f} CPU s, {wall:.1f} s, "
        f"{used.ru_maxrss / 1024:.0f} MB"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100_000)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--minutes", type=float, default=300)
    size.add_argument("--pack", choices=["family", "size"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("Snakefile", "workflow", "profiles", "envs"):
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        (folder / "study.yaml").write_text(
            json.dumps(study(options.cells, {"pack": options.pack} if options.pack else {"minutes": options.minutes}))
        )
        speeds = {speed_name(Architecture(family), ImageSpec(28, 1, 10), 64): Speed(Line(1e-4, 0.0)) for family in FAMILIES}
        write_calibration(Calibration("cpu", "fp32", "assumed", speeds), folder / "calibration.json")
        for label in ("first", "again"):
            print(label, end=": ", flush=True)
            dry_run(folder)


if __name__ == "__main__":
    main()
