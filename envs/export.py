"""Write the locked environments from uv.lock; a test keeps them the same. Run: uv run python envs/export.py

requirements-cuda.txt: what uv.lock says; on Linux PyPI's torch is built for CUDA, with its libraries, and runs on CPUs too.
requirements-cpu.txt: the same versions without those libraries, torch from PyTorch's own index of CPU builds.
scaling.yaml: requirements-cuda.txt for `snakemake --sdm conda`, word for word, since conda finds no file beside it there.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
WRITTEN = "written by envs/export.py from uv.lock, a test keeps the two the same."

CONDA_HEAD = f"""\
# The locked environment of the rules under `snakemake --sdm conda`; {WRITTEN}
channels:
  - conda-forge
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
"""
CUDA_HEAD = f"""\
# The locked environment, with torch for CUDA on Linux: pip install -r envs/requirements-cuda.txt
# {WRITTEN[0].upper()}{WRITTEN[1:]}
"""
CPU_HEAD = f"""\
# The locked environment without CUDA's 4 GB of libraries: pip install -r envs/requirements-cpu.txt
# (uv pip install wants --index-strategy unsafe-best-match beside it, for the second index has more than torch.)
# {WRITTEN[0].upper()}{WRITTEN[1:]}
--extra-index-url {CPU_INDEX}
"""


def locked() -> list[str]:
    """The requirements of uv.lock, one package a line, without those of development."""
    command = ["uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent).stdout.splitlines()
    return [line.strip() for line in lines if line.strip()]


def without_cuda(requirements: list[str]) -> list[str]:
    """``requirements`` with torch's CPU builds on Linux; elsewhere PyPI's builds know no CUDA anyway."""
    found = []
    for line in requirements:
        if re.match(r"(nvidia-|cuda-|triton)", line):
            continue
        pinned = re.fullmatch(r"((?:torch|torchvision)==[\w.]+)", line)
        if pinned:
            found += [f"{line}+cpu ; sys_platform == 'linux'", f"{line} ; sys_platform != 'linux'"]
        else:
            found.append(line)
    return found


def exported() -> dict[str, str]:
    """The text of each file of this folder that is written, by name."""
    requirements = locked()
    quoted = ["'" + line.replace("'", '"') + "'" for line in requirements]
    return {
        "scaling.yaml": CONDA_HEAD + "".join(f"      - {line}\n" for line in quoted),
        "requirements-cuda.txt": CUDA_HEAD + "".join(f"{line}\n" for line in requirements),
        "requirements-cpu.txt": CPU_HEAD + "".join(f"{line}\n" for line in without_cuda(requirements)),
    }


if __name__ == "__main__":
    for name, text in exported().items():
        (HERE / name).write_text(text)
        sys.stdout.write(f"{HERE / name}\n")
