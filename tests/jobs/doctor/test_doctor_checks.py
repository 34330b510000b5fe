"""The checks of `scaling doctor`: on a CPU, with a fake Slurm and with a faked GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nvidia_smi import A100, fake_smi

from scaling.jobs.doctor import filesystem_checks, gpu_checks, login_checks, node_checks
from scaling.jobs.doctor.finding import ABSENT, FAIL, PASS, Check, Finding, make
from scaling.jobs.doctor.on_device import in_process
from scaling.report.doctor_screen import screen
from scaling.training import nvidia
from scaling.training.device import Device, DeviceError, Gpu


def test_a_check_that_breaks_down_has_failed_and_the_next_is_made():
    made = make([Check("node", "one", lambda: 1 / 0), Check("node", "two", lambda: Finding(PASS, "well"))])
    assert [(one.name, one.status, one.found) for one in made] == [
        ("one", FAIL, "could not be looked at (ZeroDivisionError: division by zero)"),
        ("two", PASS, "well"),
    ]


def test_a_disk_that_does_all_passes(tmp_path):
    found = make(filesystem_checks.checks(tmp_path))
    assert [one.status for one in found if one.name != "speed"] == [PASS] * 4, found
    assert all(" MB/s written" in one.found for one in found if one.name == "speed")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_lacks_something_fails_with_its_mend(tmp_path, monkeypatch):
    def refuse(*words):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert filesystem_checks.hard_links(tmp_path).status == FAIL
    monkeypatch.setattr(filesystem_checks.time, "time", lambda: 10**9)
    found = filesystem_checks.clock(tmp_path)
    assert (found.status, found.mend) == (FAIL, "let server and nodes keep time (chrony, ntpd)")
    monkeypatch.setattr(filesystem_checks, "_take_lock", lambda path, queue: queue.put(True))
    assert "two processes got one lock" in filesystem_checks.locks(tmp_path).found
    monkeypatch.setattr(filesystem_checks, "FILE_BYTES", 1024**2)
    monkeypatch.setattr(filesystem_checks, "SLOW_MB", 1e9)
    assert "faster disk" in filesystem_checks.speed(tmp_path).mend


def test_a_job_of_slurm_is_held_to_what_it_was_given(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_CPUS_ON_NODE", "SLURM_GPUS_ON_NODE", "SLURM_GPUS", "SLURM_MEM_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    assert (node_checks.cpus().status, node_checks.gpus().status, node_checks.time_left().status) == (PASS, ABSENT, ABSENT)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4096")
    assert "bound to fewer CPUs" in node_checks.cpus().mend
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert (node_checks.gpus().status, node_checks.gpus().found) == (FAIL, "2 given, 1 seen")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert node_checks.gpus().status == PASS
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1000")
    assert (node_checks.memory().status, node_checks.memory().found) == (FAIL, "1.0 GB, by Slurm")


def test_the_drivers_mark_must_be_seen(tmp_path, monkeypatch):
    monkeypatch.delenv("SCALING_SHARED", raising=False)
    assert node_checks.mark().status == ABSENT
    monkeypatch.setenv("SCALING_SHARED", f"token:{tmp_path / 'driver'}")
    assert "does not share the driver's folder" in node_checks.mark().found
    (tmp_path / "driver").write_text("token")
    assert node_checks.mark().status == PASS


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that makes commands of Slurm, and a folder with a profile."""
    login_checks.cluster.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/nowhere")
    (tmp_path / "bin").mkdir()

    def make_programs(profile: str = "", **says: str) -> None:
        login_checks.cluster.cache_clear()
        (tmp_path / "slurm").mkdir(exist_ok=True)
        (tmp_path / "slurm" / "config.yaml").write_text(profile)
        for name, script in ({"sbatch": "", "sinfo": "", "sacct": "", "scontrol": "echo MinJobAge = 300 sec"} | says).items():
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "bin" / name).chmod(0o755)

    yield make_programs
    login_checks.cluster.cache_clear()


def test_without_a_cluster_there_is_nothing_to_ask(slurm):
    assert {login_checks.test_only().status, login_checks.job_age().status, login_checks.accounting().status} == {ABSENT}
    slurm(sinfo="echo 'sinfo: fatal: Could not establish a configuration source' >&2; exit 1")
    assert {login_checks.test_only().status, login_checks.job_age().status, login_checks.accounting().status} == {ABSENT}
    slurm(sinfo="echo 'sinfo: error: Unable to contact slurm controller' >&2; exit 1")
    assert login_checks.test_only().status == FAIL


def test_a_cluster_is_asked_with_what_the_profile_says(slurm):
    text = Path(__file__).parents[3] / "slurm" / "config.yaml"
    slurm(text.read_text(), sbatch='echo "$@" > asked')
    assert login_checks.test_only().status == PASS
    assert Path("asked").read_text().split() == [
        "--test-only", "--mem=4000", "--time=60", "--cpus-per-task=2", "--nodes=1", "--gpus=1", "--wrap=true",
    ]  # fmt: skip
    assert {login_checks.job_age().status, login_checks.accounting().status, login_checks.arrays().status} == {PASS}
    slurm(text.read_text(), sbatch="echo 'allocation failure: Invalid account' >&2; exit 1")
    assert login_checks.test_only().found.endswith("Invalid account")


def test_a_profile_that_does_not_suit_the_cluster_fails_with_its_mend(slurm):
    slurm("slurm-init-seconds-before-status-checks: 120\nslurm-array-jobs: all\n")
    assert "status-checks: 100, or slurm-status-command: sacct" in login_checks.job_age().mend
    assert login_checks.arrays().status == FAIL
    slurm("slurm-status-command: sacct\n", sacct="echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert login_checks.accounting().mend == "slurm/config.yaml: slurm-status-command: squeue"


def test_a_gpu_that_does_not_start_fails_with_the_mend_of_the_jobs(monkeypatch):
    monkeypatch.setattr(gpu_checks, "device", lambda: DeviceError("a GPU is promised here (x): old driver; update the driver"))
    found = make(gpu_checks.checks())
    assert (found[0].status, found[0].mend) == (FAIL, "update the driver")
    assert {one.status for one in found[1:-1]} == {ABSENT}


def test_a_faked_gpu_is_described(monkeypatch, tmp_path):
    program = fake_smi(tmp_path / "bin", A100)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    gpu = Gpu("aa", 40 * 2**30, 40 * 2**30, "NVIDIA A100", bf16=True)
    monkeypatch.setattr(gpu_checks, "device", lambda: Device("cuda", "bf16", 1, "NVIDIA A100", (gpu,)))
    monkeypatch.setattr(nvidia, "mps_is_on", lambda: False)
    answers = {
        "family_steps": [("mlp", "fp32", 1e-6), ("mlp", "bf16", 0.01)],
        "step_counts": [("mlp", 100, []), ("vit", 400, [])],
        "convolution_error": 3e-7,
        "run_out_of_memory": "",
        "context_bytes": 400 * 2**20,
        "checkpoint_round_trip": True,
    }
    speeds = {1: 1000.0, 2: 1900.0, 4: 3000.0, 8: 2500.0}
    monkeypatch.setattr(gpu_checks, "in_process", lambda name, gpu, *words: answers.get(name) or speeds.get(words[-1], ""))
    found = {one.name: one for one in make(gpu_checks.checks())}
    assert {one.status for one in found.values()} == {PASS}, found
    assert found["CUDA"].found.startswith("1 x NVIDIA A100, driver ")
    assert found["throughput"].found.endswith("ask for 4 CPUs per GPU")
    answers |= {"family_steps": [("mlp", "fp32", 0.5), ("vit", "bf16", float("nan"))], "convolution_error": 1e-3}
    assert found["steps"].found.startswith("100 to 400 launches per step")
    answers |= {"step_counts": [("mlp", 100, ["aten::nonzero"])]}
    answers |= {"context_bytes": 900 * 2**20, "run_out_of_memory": "nothing ran out"}
    found = {one.name: one for one in make(gpu_checks.checks())}
    assert [name for name, one in found.items() if one.status == FAIL] == [
        "families",
        "steps",
        "fp32",
        "out of memory",
        "context",
    ]
    assert found["families"].found == "losses differ from the CPU's: mlp in fp32 by 0.5, vit in bf16 by nan"


def test_what_is_measured_on_a_gpu_runs_on_a_cpu_too(tmp_path):
    steps = in_process("family_steps", None, "cpu", ("fp32", "bf16"), ("mlp", "resnet"))
    assert [(name, precision) for name, precision, _ in steps] == [
        ("mlp", "fp32"),
        ("mlp", "bf16"),
        ("resnet", "fp32"),
        ("resnet", "bf16"),
    ]
    assert all(gap == 0 if precision == "fp32" else 0 < gap < 0.1 for _, precision, gap in steps)
    counted = in_process("step_counts", None, "cpu", ("mlp", "resnet"))
    assert [(name, waits) for name, _, waits in counted] == [("mlp", []), ("resnet", [])]
    assert 20 < counted[0][1] < counted[1][1]
    assert in_process("convolution_error", None, "cpu") < gpu_checks.FP32_ERROR
    assert in_process("run_out_of_memory", None, "cpu", 2**50) == ""
    assert in_process("run_out_of_memory", None, "cpu", 1000) == "nothing ran out"
    assert in_process("checkpoint_round_trip", None, "cpu", tmp_path / "checkpoint.safetensors")
    with pytest.raises(RuntimeError, match="KeyError"):
        in_process("unknown", None, "cpu")


def test_the_screen_names_the_mend_of_what_fails(capsys):
    from rich.console import Console

    rows = [
        {"group": "gpu", "name": "CUDA", "status": "fail", "found": "old [driver]", "mend": "update it"},
        {"group": "gpu", "name": "fp32", "status": "absent", "found": "no GPU", "mend": ""},
    ]
    Console(width=100).print(screen(rows))
    said = capsys.readouterr().out
    assert "old [driver]" in said
    assert "mend: update it" in said


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_the_command_says_a_gpu_that_does_not_start_in_json_and_fails(tmp_path):
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "0",
        "PATH": "/usr/bin:/bin",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_END_TIME": "1",
    }
    command = [sys.executable, "-m", "scaling", "doctor", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["versions"]["torch"] == torch.__version__.split("+")[0] or found["versions"]["torch"] == torch.__version__
    cuda = next(check for check in found["checks"] if check["name"] == "CUDA")
    assert cuda["status"] == "fail"
    assert "CUDA_VISIBLE_DEVICES=0" in cuda["found"]
    assert "device: cpu" in cuda["mend"]
