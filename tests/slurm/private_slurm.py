"""A Slurm of our own: munged, slurmctld and two slurmd with two fake GPUs each, on this machine, without systemd.

Slurm's commands look for their configuration at /etc/slurm only (the job step plugin of Snakemake strips SLURM_CONF), so that
is where it is written, never over one that is not ours.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ETC = Path("/etc/slurm")
MARK = "# Written by tests/slurm of the project scaling; may be removed.\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "slurmdbd", "mariadbd")
PACKAGES = "slurm-wlm munge slurmdbd mariadb-server"
CONFIGURATION = ("slurm.conf", "gres.conf", "cgroup.conf", "slurmdbd.conf")
NODES = ("n1", "n2")
GPUS = 2
CPUS = 4
MEMORY_MB = 16_000
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def why_not() -> str | None:
    """Why no Slurm can be had here; None where it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a Slurm of our own must be started by root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: apt-get install {PACKAGES})"
    for name in CONFIGURATION:
        file = ETC / name
        if file.exists() and not file.read_text().startswith(MARK):
            return f"{file} is another Slurm's: it is not overwritten"
    return None


@dataclass(frozen=True)
class Job:
    """A job as slurmctld knows it; ``rule`` is Snakemake's comment: rule_train_wildcards_mlp."""

    id: str
    rule: str
    state: str
    node: str
    cpus: int
    gpus: int


class PrivateSlurm:
    """Starts on construction; ``stop`` ends exactly the processes that it started."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self._processes: list[subprocess.Popen] = []
        self._nodes: dict[str, subprocess.Popen] = {}
        try:
            self._start_munge()
            self._configure()
            self._start_controller("-c")
            for node in NODES:
                self._nodes[node] = self._start("slurmd", "-D", "-N", node)
            wait(lambda: self.up() == set(NODES), "both nodes to come up", self.logs)
        except BaseException:
            self.stop()
            raise

    def _start(self, program: str, *arguments: str) -> subprocess.Popen:
        log = (self.folder / f"{program}{len(self._processes)}.out").open("wb")
        path = shutil.which(program, path=PATH)
        assert path is not None
        process = subprocess.Popen(
            [path, *arguments],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._processes.append(process)
        return process

    def _start_controller(self, *arguments: str) -> None:
        self._controller = self._start("slurmctld", "-D", *arguments)
        wait(lambda: run("scontrol", "ping").returncode == 0, "slurmctld to answer", self.logs)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid", "log-file": "munge.log"}
        paths = [f"--{option}={self.folder / name}" for option, name in (files | {"seed-file": "munge.seed"}).items()]
        self._start("munged", "--foreground", "--force", *paths)
        wait((self.folder / "munge.socket").exists, "munged's socket", self.logs)

    def _configure(self) -> None:
        for gpu in range(GPUS):
            os.mknod(self.folder / f"gpu{gpu}", 0o666 | 0o020000, os.makedev(1, 3))  # another /dev/null
        host, ports = socket.gethostname().split(".")[0], _free_ports(1 + len(NODES))
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} Boards=1 SocketsPerBoard=1 "
            f"CoresPerSocket={CPUS} ThreadsPerCore=1 RealMemory={MEMORY_MB} Gres=gpu:{GPUS} State=UNKNOWN"
            for node, port in zip(NODES, ports[1:], strict=True)
        )
        slurm = f"""\
ClusterName=scaling
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
ReturnToService=1
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool.%n
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.%n.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.%n.log
MinJobAge=3600
KillWait=5
SlurmdTimeout=300
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory,CR_LLN
GresTypes=gpu
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
{nodes}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=1-0 DefMemPerCPU=500 State=UP
"""
        gres = "".join(f"NodeName={node} Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n" for node in NODES)
        (self.folder / "state").mkdir()
        ETC.mkdir(exist_ok=True)
        self.without_accounts = slurm
        for name, text in {"slurm.conf": slurm, "gres.conf": gres, "cgroup.conf": "CgroupAutomount=no\n"}.items():
            (ETC / name).write_text(MARK + text)

    def keep_accounts(self) -> None:
        """From now on Slurm keeps accounts, in a database of its own; the user has one, ``group``."""
        ports = dict(zip(("database", "slurmdbd"), _free_ports(2), strict=True))
        base = self.folder / "mariadb"
        (self.folder / "users.sql").write_text(
            "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm';\nGRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';\n"
        )
        made = run("mariadb-install-db", "--no-defaults", f"--datadir={base}", "--user=root", "--skip-test-db")
        assert made.returncode == 0, made.stderr
        files = {"datadir": base, "socket": base / "socket", "pid-file": base / "pid", "init-file": self.folder / "users.sql"}
        where = {"bind-address": "127.0.0.1", "port": ports["database"], "user": "root"}
        options = [f"--{option}={value}" for option, value in (files | where).items()]
        self._start("mariadbd", "--no-defaults", *options)
        wait((base / "socket").exists, "the database", self.logs)
        dbd = ETC / "slurmdbd.conf"
        dbd.touch(0o600)  # slurmdbd refuses one that others can read: it holds a password
        dbd.write_text(f"""\
{MARK}AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports["slurmdbd"]}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports["database"]}
StorageUser=slurm
StoragePass=slurm
LogFile={self.folder}/slurmdbd.log
PidFile={self.folder}/slurmdbd.pid
""")
        self._start("slurmdbd", "-D")
        # For slurmdbd, the socket of a munge that is not the machine's is called a password.
        kept = self.without_accounts.replace(
            "accounting_storage/none",
            f"accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\nAccountingStoragePort={ports['slurmdbd']}\n"
            f"AccountingStoragePass={self.folder}/munge.socket",
        )
        (ETC / "slurm.conf").write_text(MARK + kept)
        wait(lambda: run("sacctmgr", "-n", "show", "cluster").returncode == 0, "slurmdbd to answer", self.logs)
        for words in (("cluster", "scaling"), ("account", "group"), ("user", "root", "account=group")):
            added = run("sacctmgr", "--immediate", "add", *words)
            assert added.returncode == 0, (words, added.stdout + added.stderr)
        self._end(self._controller)
        self._start_controller()

    def up(self) -> set[str]:
        """Nodes that take or run jobs."""
        return set(run("sinfo", "-h", "-N", "-t", "idle,mix,alloc", "-o", "%N").stdout.split())

    def logs(self) -> str:
        """The last lines of every daemon."""
        files = sorted({*self.folder.glob("*.log"), *self.folder.glob("*.out")})
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)

    def stop(self) -> None:
        """Cancel what runs, end the daemons, take the configuration away."""
        if (ETC / "slurm.conf").exists():
            run("scancel", "--me")
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and run("squeue", "-h").stdout.strip():
                time.sleep(0.2)
        for process in reversed(self._processes):
            self._end(process)
        for name in CONFIGURATION:
            file = ETC / name
            if file.exists() and file.read_text().startswith(MARK):
                file.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _end(process: subprocess.Popen) -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(*command: str) -> subprocess.CompletedProcess:
    """One of Slurm's commands, its output as text."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def jobs_from(folder: Path) -> list[Job]:
    """All jobs that were sent from ``folder``, the oldest first."""
    found = []
    for line in run("scontrol", "show", "job", "-o").stdout.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if f" WorkDir={folder} " not in line:
            continue
        gpus = re.search(r"gpu:(\d+)", fields.get("TresPerJob", ""))
        node = fields.get("NodeList", "").replace("(null)", "")
        found.append(
            Job(
                id=fields["JobId"],
                rule=fields.get("Comment", ""),  # a job that was not sent by Snakemake has none
                state=fields["JobState"],
                node=node,
                cpus=int(fields["NumCPUs"]),
                gpus=int(gpus[1]) if gpus else 0,
            )
        )
    return sorted(found, key=lambda job: int(job.id))


def wait(is_so: Callable[[], bool], what: str, more: Callable[[], str] = str, seconds: float = 120) -> None:
    """Wait until ``is_so``; AssertionError after ``seconds``, with what ``more`` says."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}\n{more()}"
        time.sleep(0.2)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
