"""Write the locked environments from uv.lock; a test keeps them the same. Run: uv run python envs/export.py

requirements-cuda.txt: what uv.lock says; on Linux PyPI's torch is built for CUDA, with its libraries, and runs on CPUs too.
requirements-cuda126.txt: the same with an older torch built for CUDA 12.6: drivers from 525 on, V100 and P100.
requirements-cpu.txt: the same versions without those libraries, torch from PyTorch's own index of CPU builds.
scaling.yaml: requirements-cuda.txt for `snakemake --sdm conda`, word for word, since conda finds no file beside it there.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CUDA126_INDEX = "https://download.pytorch.org/whl/cu126"
CUDA126 = {"torch": "2.10.0", "torchvision": "0.25.0"}
"""Later wheels for CUDA 12.6 exist, up to 2.14 as PyTorch's plans say; this pair is known from its release matrix
(github.com/pytorch/pytorch/issues/172352), which lists kernels for Maxwell to Hopper."""
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
CUDA126_HEAD = f"""\
# The locked environment with an older torch, for CUDA 12.6: drivers from 525 on, GPUs from Maxwell to Hopper (V100, P100).
# pip install -r envs/requirements-cuda126.txt (uv pip install wants --index-strategy unsafe-best-match beside it.)
# All but torch and its libraries is as locked. {WRITTEN[0].upper()}{WRITTEN[1:]}
--extra-index-url {CUDA126_INDEX}
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


def with_older_cuda(requirements: list[str]) -> list[str]:
    """``requirements`` with the torch of ``CUDA126``, which brings its own libraries of CUDA."""
    found = []
    for line in requirements:
        name = line.split("==")[0]
        if re.match(r"(nvidia-|cuda-|triton)", line):
            continue
        found.append(f"{name}=={CUDA126[name]}+cu126" if name in CUDA126 else line)
    return found


def exported() -> dict[str, str]:
    """The text of each file of this folder that is written, by name."""
    requirements = locked()
    quoted = ["'" + line.replace("'", '"') + "'" for line in requirements]
    return {
        "scaling.yaml": CONDA_HEAD + "".join(f"      - {line}\n" for line in quoted),
        "requirements-cuda.txt": CUDA_HEAD + "".join(f"{line}\n" for line in requirements),
        "requirements-cuda126.txt": CUDA126_HEAD + "".join(f"{line}\n" for line in with_older_cuda(requirements)),
        "requirements-cpu.txt": CPU_HEAD + "".join(f"{line}\n" for line in without_cuda(requirements)),
    }


if __name__ == "__main__":
    for name, text in exported().items():
        (HERE / name).write_text(text)
        sys.stdout.write(f"{HERE / name}\n")
