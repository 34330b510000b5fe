"""Starting Snakemake from anywhere: the call, the profile, and how a signal stops it."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from scaling.jobs import driver
from scaling.jobs.driver import bring_profile, snakemake_command, started, workflow_folder
from scaling.jobs.job_errors import JobError

ROOT = Path(__file__).parents[2]


def test_in_a_checkout_the_workflow_is_the_checkouts_own():
    assert workflow_folder() == ROOT
    command = snakemake_command(Path("my.yaml"), "all", "slurm", ["--dry-run"])
    assert command[3:5] == ["--snakefile", str(ROOT / "Snakefile")]
    assert command[-3:] == ["--dry-run", "--config", "study=my.yaml"]
    assert command[command.index("--profile") + 1] == "slurm"


def test_installed_it_is_within_the_package(tmp_path, monkeypatch):
    (tmp_path / "scaling" / "front").mkdir(parents=True)
    monkeypatch.setattr(driver.scaling, "__file__", str(tmp_path / "scaling" / "__init__.py"))
    with pytest.raises(JobError, match="the workflow is missing"):
        workflow_folder()
    (tmp_path / "scaling" / "front" / "Snakefile").touch()
    assert workflow_folder() == tmp_path / "scaling" / "front"


@pytest.mark.parametrize("cores", ["0", "-1", "many", "1.5", ""])
def test_cores_are_a_number_or_all(cores):
    with pytest.raises(JobError, match="allowed: a whole number from 1, or all"):
        snakemake_command(Path("my.yaml"), cores, None, [])


def test_slurms_settings_are_copied_once_to_be_edited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    bring_profile("slurm", said.append)
    own = Path("slurm/config.yaml")
    assert own.read_text() == (ROOT / "slurm" / "config.yaml").read_text()
    assert len(said) == 1
    own.write_text("jobs: 3\n")
    bring_profile("slurm", said.append)
    assert own.read_text() == "jobs: 3\n"
    with pytest.raises(JobError, match="--profile: received slrum; allowed: slurm, or a folder"):
        bring_profile("slrum", said.append)


CHILD = """
import signal, sys, time
def end(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(3)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_jobs_as_ctrl_c_does_and_not_this_process(tmp_path, number):
    file = tmp_path / "said"
    with file.open("wb") as output, started([sys.executable, "-c", CHILD], output) as one:
        while b"ready" not in file.read_bytes():
            assert not one.wait(0.02)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert one.wait(20)
    assert (one.code, one.stopped) == (3, True)
    assert file.read_text().split() == ["ready", "SIGINT"]


def test_an_end_of_its_own_is_no_stop():
    with started([sys.executable, "-c", "raise SystemExit(2)"]) as one:
        assert one.wait()
    assert (one.code, one.stopped) == (2, False)
