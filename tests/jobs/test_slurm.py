import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from scaling.jobs.slurm import (
    SHARED,
    SlurmError,
    asked_of_slurm,
    check_gpus,
    check_slurm,
    leave_mark,
    look_for_mark,
    refuse_arrays,
)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that makes commands of Slurm that say what the test wants; no other is to be found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(**says: str) -> None:
        for name, script in ({"sbatch": "", "squeue": "", "sinfo": "echo cpu; echo gpu; echo gpu"} | says).items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    return make


def test_a_machine_without_sbatch_is_named_with_what_to_do(slurm):
    with pytest.raises(SlurmError, match=r"^no sbatch on this machine \(.+\): start the command on a login node") as error:
        check_slurm(set(), set())
    assert "\n" not in str(error.value)


def test_partitions_must_be_the_clusters(slurm):
    slurm()
    check_slurm(set(), set())
    check_slurm({"gpu", "cpu"}, set())
    with pytest.raises(SlurmError, match=r"^slurm/config.yaml: slurm_partition: received 'gpus', this cluster has cpu, gpu$"):
        check_slurm({"cpu", "gpus"}, set())


def test_a_controller_that_does_not_answer_is_named(slurm):
    slurm(sinfo="echo 'sinfo: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SlurmError, match=r"Slurm does not answer .*Unable to contact slurm controller\): wait until") as error:
        check_slurm(set(), set())
    assert "\n" not in str(error.value)


def test_accounts_must_be_the_users(slurm):
    slurm(sacctmgr="echo physics; echo biology")
    check_slurm(set(), {"Physics"})
    with pytest.raises(SlurmError, match=r"slurm_account: received 'chemistry', .* has biology, physics"):
        check_slurm(set(), {"chemistry"})


def test_an_account_where_none_are_kept_is_refused(slurm):
    slurm(sacctmgr="echo 'You are not running a supported accounting_storage plugin' >&2; exit 1")
    check_slurm(set(), set())
    with pytest.raises(SlurmError, match="this cluster keeps no accounts: remove the entry"):
        check_slurm(set(), {"physics"})


def test_an_account_that_cannot_be_looked_up_is_left_to_sbatch(slurm, tmp_path):
    slurm()
    with pytest.raises(SlurmError, match="slurm_partition: received 'gpus'"):  # the rest is looked at all the same
        check_slurm({"gpus"}, {"physics"})
    assert not (tmp_path / "bin" / "sacctmgr").exists()
    assert check_slurm({"gpu"}, {"physics"}) is None
    asked = tmp_path / "asked"
    slurm(sacctmgr=f"echo $* >> {asked}")  # it answers, but knows of no account
    assert check_slurm(set(), {"physics"}) is None
    assert "format=account" in asked.read_text()


def test_what_jobs_ask_for_is_read_off_one_job_a_rule_and_none_of_the_drivers():
    def job(rule, partition, is_local=False):
        resources = {"slurm_partition": partition} if partition else {}
        return SimpleNamespace(rule=SimpleNamespace(name=rule), resources=resources, is_local=is_local)

    jobs = [job("train", "gpu"), job("train", "gpu"), job("fit", "cpu"), job("tune", ""), job("report", "here", is_local=True)]
    assert asked_of_slurm(jobs, "slurm_partition") == {"gpu", "cpu"}
    assert asked_of_slurm(jobs, "slurm_account") == set()


def test_job_arrays_are_refused_with_the_reason():
    refuse_arrays(None)
    refuse_arrays("")
    with pytest.raises(SlurmError, match=r"slurm-array-jobs: received 'all'; .*memory and the time of its first"):
        refuse_arrays("all")


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"gpu": 1}, ""),
        ({"gpu": 2, "nodes": 1}, ""),
        ({"gres": "gpu:a100:2", "nodes": 1}, ""),
        ({}, ""),
        ({"gpu": 2}, "train asks for gpu: 2 without nodes: 1"),
        ({"gpu": 1, "gres": "gpu:1"}, "train asks for gpu: 1 and gres: gpu:1; keep one of them"),
    ],
)
def test_gpus_are_asked_for_in_one_way_and_of_one_node(resources, message):
    jobs = [SimpleNamespace(rule=SimpleNamespace(name="train"), resources=resources, is_local=False)]
    if not message:
        assert check_gpus(jobs) is None
        return
    with pytest.raises(SlurmError, match=message):
        check_gpus(jobs)


def test_a_job_that_asks_for_fewer_gpus_than_a_run_takes_is_refused():
    jobs = [
        SimpleNamespace(rule=SimpleNamespace(name=name), resources={"gpu": 1}, is_local=False) for name in ("tune", "train")
    ]
    with pytest.raises(SlurmError, match=r"train asks for gpu: 1, but the study has gpus_per_run: 4; write gpu: 4"):
        check_gpus(jobs, 4)
    assert check_gpus(jobs[:1], 4) is None


@pytest.fixture
def mark(tmp_path, monkeypatch):
    monkeypatch.setenv(SHARED, "")  # restored after the test
    results = tmp_path / "res: ü"
    leave_mark(results)
    (found,) = results.rglob("driver")
    return found


def test_without_a_driver_there_is_nothing_to_look_for(mark, monkeypatch):
    mark.unlink()
    with pytest.raises(SlurmError):
        look_for_mark(seconds=0.0)
    monkeypatch.delenv(SHARED)
    began = time.monotonic()
    look_for_mark(seconds=30.0)
    assert time.monotonic() - began < 5


def test_a_job_sees_the_mark_of_its_driver_and_of_the_next(mark):
    look_for_mark(seconds=0.0)
    before = os.environ[SHARED]
    leave_mark(mark.parents[1])
    assert os.environ[SHARED] == before
    look_for_mark(seconds=0.0)
    assert [path.name for path in mark.parent.iterdir()] == ["driver"]


def test_a_job_that_does_not_see_the_mark_names_the_folder(mark):
    mark.unlink()
    with pytest.raises(SlurmError, match=r"does not share the driver's folder: .*driver is not here; put the project"):
        look_for_mark(seconds=0.0)


def test_a_folder_of_the_same_name_on_the_nodes_own_disk_is_found_out(mark):
    mark.write_text("another")
    with pytest.raises(SlurmError, match="driver is another file here"):
        look_for_mark(seconds=0.0)


def test_a_mark_that_comes_late_is_waited_for(mark):
    mark.rename(mark.with_name("aside"))
    code = "import pathlib, sys, time; time.sleep(1); p = pathlib.Path(sys.argv[1]); p.with_name('aside').rename(p)"
    with subprocess.Popen([sys.executable, "-c", code, str(mark)]):
        look_for_mark(seconds=30.0)
    assert mark.exists()
