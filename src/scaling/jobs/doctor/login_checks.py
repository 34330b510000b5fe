"""Checks of the machine that sends jobs: its limits, and the cluster as slurm/config.yaml asks for it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from scaling.jobs.doctor.finding import ABSENT, FAIL, PASS, Check, Finding
from scaling.jobs.slurm import ANSWER_SECONDS, CONFIG

FILES: Final = 1024
"""Open files that a driver may need: a job's log and pipes each take a few (assumption)."""

NONE_HERE: Final = Finding(ABSENT, "no Slurm here")
NOT_SET_UP: Final = "configuration source"
"""Words of Slurm's programs where they are installed and no cluster is set up."""


@cache
def cluster() -> Finding | None:
    """What stands in the way of asking the cluster; None if it answers."""
    if shutil.which("sbatch") is None:
        return NONE_HERE
    done = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if NOT_SET_UP in done.stderr:
        return Finding(ABSENT, "Slurm's programs are here, and no cluster is set up")
    return Finding(FAIL, f"Slurm does not answer: {said}", "wait until `sinfo` works")


def profile(path: Path = Path(CONFIG)) -> dict[str, Any]:
    """What slurm/config.yaml says; nothing if there is none. Raises YAMLError."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {} if path.is_file() else {}


def limits() -> Finding:
    """What this login node allows one process: drivers live as long as the study."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    seconds = resource.getrlimit(resource.RLIMIT_CPU)[0]
    found = f"{'unlimited' if files == resource.RLIM_INFINITY else files} open files, "
    found += "no limit of CPU time" if seconds == resource.RLIM_INFINITY else f"{seconds // 60} min of CPU time"
    if seconds != resource.RLIM_INFINITY:
        return Finding(FAIL, found, "start the driver as a job of its own (docs/cluster.md)")
    if files != resource.RLIM_INFINITY and files < FILES:
        return Finding(FAIL, found, f"ulimit -n {FILES}")
    return Finding(PASS, found)


def asked(settings: dict[str, Any]) -> list[str]:
    """What a training job asks sbatch for, by ``settings`` of slurm/config.yaml."""
    wanted = {**settings.get("default-resources", {}), **(settings.get("set-resources", {}).get("train") or {})}
    options = {
        "slurm_partition": "--partition={}",
        "slurm_account": "--account={}",
        "mem_mb": "--mem={}",
        "runtime": "--time={}",
        "cpus_per_task": "--cpus-per-task={}",
        "gres": "--gres={}",
        "nodes": "--nodes={}",
    }
    found = [form.format(wanted[key]) for key, form in options.items() if wanted.get(key)]
    if wanted.get("gpu"):
        model = f"{wanted['gpu_model']}:" if wanted.get("gpu_model") else ""
        found.append(f"--gpus={model}{wanted['gpu']}")
    return found


def test_only() -> Finding:
    """Whether Slurm would take a training job of this profile."""
    if (trouble := cluster()) is not None:
        return trouble
    options = asked(profile())
    words = ["sbatch", "--test-only", *options, "--wrap=true"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode:
        return Finding(FAIL, f"sbatch {' '.join(options)}: {said}", f"edit {CONFIG}")
    return Finding(PASS, f"sbatch takes {' '.join(options)}")


def job_age() -> Finding:
    """How long Slurm remembers a job that has ended, if the driver asks squeue."""
    if cluster() is not None:
        return NONE_HERE
    settings = profile()
    if settings.get("slurm-status-command") == "sacct":
        return Finding(PASS, "the driver asks sacct, which forgets no job")
    text = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=ANSWER_SECONDS).stdout
    age = re.search(r"MinJobAge\s*=\s*(\d+)", text)
    if age is None:
        return Finding(FAIL, "Slurm does not say its MinJobAge", "wait until `scontrol show config` works")
    first = int(settings.get("slurm-init-seconds-before-status-checks", 20))
    found = f"MinJobAge {age[1]} s, first look after {first} s"
    if int(age[1]) < 3 * first:
        mend = f"{CONFIG}: slurm-init-seconds-before-status-checks: {max(1, int(age[1]) // 3)}, or slurm-status-command: sacct"
        return Finding(FAIL, found, mend)
    return Finding(PASS, found)


def accounting() -> Finding:
    """Whether Slurm keeps accounts, as the driver's way of asking needs."""
    if cluster() is not None or shutil.which("sacct") is None:
        return NONE_HERE
    done = subprocess.run(["sacct", "--noheader", "-X"], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    kept = done.returncode == 0 and "disabled" not in done.stderr
    if not kept and profile().get("slurm-status-command") == "sacct":
        return Finding(FAIL, "this cluster keeps no accounts", f"{CONFIG}: slurm-status-command: squeue")
    return Finding(PASS, "accounts are kept" if kept else "no accounts are kept; the driver asks squeue")


def arrays() -> Finding:
    """Job arrays would give every job the memory and time of the first."""
    if profile().get("slurm-array-jobs"):
        found = "slurm-array-jobs is set: all jobs would get the memory and time of the first"
        return Finding(FAIL, found, f"remove it from {CONFIG}")
    return Finding(PASS, "no job arrays")


def checks() -> list[Check]:
    """The checks of this login node; in a job of Slurm there are none."""
    if "SLURM_JOB_ID" in os.environ:
        return [Check("login node", socket.gethostname(), lambda: Finding(ABSENT, "this is a job of Slurm"))]
    named = {"limits": limits, "sbatch": test_only, "job age": job_age, "accounting": accounting, "arrays": arrays}
    return [Check("login node", name, look) for name, look in named.items()]
