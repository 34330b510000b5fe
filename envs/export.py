"""Write envs/scaling.yaml, the environment of the rules under `--sdm conda`, from uv.lock. Run: uv run python envs/export.py"""

import subprocess
import sys
from pathlib import Path

HEAD = """\
# The locked environment of uv.lock for `snakemake --sdm conda`; written by envs/export.py, a test keeps the two the same.
channels:
  - conda-forge
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
"""


def exported() -> str:
    """The text of envs/scaling.yaml as uv.lock has it now."""
    command = ["uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return HEAD + "".join(f"      - {_quoted(line.strip())}\n" for line in lines if line.strip())


def _quoted(requirement: str) -> str:
    return "'" + requirement.replace("'", '"') + "'"


if __name__ == "__main__":
    target = Path(__file__).with_name("scaling.yaml")
    target.write_text(exported())
    sys.stdout.write(f"{target}\n")
