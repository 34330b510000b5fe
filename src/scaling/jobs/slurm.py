"""Slurm: what is checked before the first job is sent, and when each job starts.

Every problem is one line, with its cause and what mends it. Nothing here is used on a workstation.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

CONFIG: Final = "slurm/config.yaml"
SHARED: Final = "SCALING_SHARED"
"""Environment variable that Slurm passes from the driver to its jobs: the contents and the path of the driver's mark."""

ANSWER_SECONDS: Final = 60.0
"""Seconds that Slurm's controller may take to answer; its commands ask a busy one again themselves (assumption)."""

APPEAR_SECONDS: Final = 30.0
"""Seconds that a new file may take to appear on another node: network filesystems remember for a while that there was none
(assumption)."""


class SlurmError(ValueError):
    """The cluster cannot run the study; the message is one line, with what mends it."""


def asked_of_slurm(jobs: Iterable[Any], resource: str) -> set[str]:
    """What the ``jobs`` of Snakemake ask for as ``resource``, such as slurm_partition; all jobs of a rule ask for the same."""
    one_a_rule = {job.rule.name: job for job in jobs if not job.is_local}
    values = {job.resources.get(resource) for job in one_a_rule.values()}
    return {str(value) for value in values if value}


def refuse_arrays(setting: str | None) -> None:
    """Refuse job arrays, which would ask for the memory and time of the first job for all of them. Raises SlurmError."""
    if setting:
        raise SlurmError(
            f"{CONFIG}: slurm-array-jobs: received {setting!r}; all jobs of an array get the memory and the time of its "
            f"first, and the executor loses track of them: remove the entry, and let fewer jobs train more runs each "
            f"(`jobs: {{pack: family}}` or `jobs: {{minutes: 240}}` in the study)"
        )


def check_gpus(jobs: Iterable[Any], per_run: int = 1) -> None:
    """Check what the ``jobs`` of Snakemake ask for as GPUs, of which a training run needs ``per_run``. Raises SlurmError."""
    for job in jobs:
        gpu, gres, nodes = (job.resources.get(key) for key in ("gpu", "gres", "nodes"))
        if job.is_local or not (gpu or gres):
            continue
        if gpu and gres and "gpu" in str(gres):
            raise SlurmError(f"{CONFIG}: {job.rule.name} asks for gpu: {gpu} and gres: {gres}; keep one of them")
        if job.rule.name == "train" and gpu and int(gpu) < per_run:
            raise SlurmError(
                f"{CONFIG}: train asks for gpu: {gpu}, but the study has gpus_per_run: {per_run}; write gpu: {per_run}, or a "
                f"multiple of it"
            )
        if gpu and int(gpu) > 1 and nodes != 1:
            raise SlurmError(
                f"{CONFIG}: {job.rule.name} asks for gpu: {gpu} without nodes: 1, so Slurm may give it GPUs of two nodes, and "
                f"a job uses those of one; add nodes: 1"
            )


def check_slurm(partitions: set[str], accounts: set[str]) -> None:
    """Check that jobs can be sent from here to these partitions in the name of these accounts. Raises SlurmError."""
    for program in ("sbatch", "sinfo", "squeue"):
        if shutil.which(program) is None:
            raise SlurmError(
                f"no {program} on this machine ({socket.gethostname()}): start the command on a login node of the cluster, "
                f"or leave out `--profile slurm` to run here"
            )
    answer = _ask("sinfo", "--noheader", "--format=%R")
    known = sorted(set(answer.split()))
    for name in sorted(partitions - set(known)):
        raise SlurmError(f"{CONFIG}: slurm_partition: received {name!r}, this cluster has {', '.join(known)}")
    if accounts:
        _check_accounts(accounts)


def _ask(*command: str) -> str:
    """The answer of Slurm's controller. Raises SlurmError if there is none."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        reason = f"no answer within {ANSWER_SECONDS:.0f} s"
    else:
        if found.returncode == 0:
            return found.stdout
        reason = (found.stderr.strip().splitlines() or [f"exit code {found.returncode}"])[-1]
    raise SlurmError(
        f"Slurm does not answer ({' '.join(command)}: {reason}): wait until `sinfo` works here, then run the command again"
    )


def _check_accounts(accounts: set[str]) -> None:
    user = getpass.getuser()
    command = ["sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=account"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return  # sbatch will say it
    known = sorted(set(found.stdout.split()))
    for name in sorted(account for account in accounts if account.lower() not in {one.lower() for one in known}):
        if found.returncode != 0:
            raise SlurmError(
                f"{CONFIG}: slurm_account: received {name!r}, but this cluster keeps no accounts: remove the entry"
            )
        if known:
            raise SlurmError(f"{CONFIG}: slurm_account: received {name!r}, but {user} has {', '.join(known)}")


def leave_mark(results: Path) -> None:
    """In the driver: put a mark below ``results`` and tell the jobs of it; they must see the same one. Raises OSError."""
    path = results.resolve() / "cache" / "driver"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"driver.{secrets.token_hex(8)}")
        draft.write_text(secrets.token_hex(16))
        try:
            os.link(draft, path)  # it appears whole, and the first of two drivers wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    os.environ[SHARED] = f"{path.read_text()}:{path}"


def look_for_mark(seconds: float = APPEAR_SECONDS) -> None:
    """In a job of Slurm: look for the mark of its driver, for up to ``seconds``. Raises SlurmError if it does not appear."""
    token, _, name = os.environ.get(SHARED, "").partition(":")
    if not token:
        return
    deadline = time.monotonic() + seconds
    while not (seen := _read(Path(name))) and time.monotonic() < deadline:
        time.sleep(0.5)
    if seen == token:
        return
    what = "is another file here" if seen else "is not here"
    node = os.environ.get("SLURMD_NODENAME", socket.gethostname())
    raise SlurmError(
        f"node {node} does not share the driver's folder: {name} {what}; put the project, with its results, on a filesystem "
        f"that all nodes see at the same path"
    )


def _read(path: Path) -> str:
    try:
        os.listdir(path.parent)  # makes a network filesystem look again
        return path.read_text()
    except OSError:
        return ""
