"""`snakemake --cores all --profile slurm` on a real Slurm: the tables of a local run, whatever strikes on the way."""

import json
import os
import signal
import subprocess
import sys

import pytest
from cluster_project import LITERAL, PHOTOS, SNAKEMAKE
from PIL import Image
from private_slurm import CPUS, NODES, run

from scaling.data import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def jobs_of(project, rule: str):
    return [job for job in project.jobs() if job.rule.startswith(f"rule_{rule}")]


def state(project, number: str) -> str:
    return {job.id: job.state for job in project.jobs()}[number]


def test_the_literal_command_runs_the_study_on_gpus_of_both_nodes(slurm, make_project, reference):
    one = make_project("smoke")
    one.start()
    assert "report: reports/smoke/index.html" in one.finish()
    assert one.table().equals(reference("smoke").table())
    trained = jobs_of(one, "t")
    assert sorted(job.rule for job in trained) == [
        f"rule_{rule}_wildcards_{family}" for rule in ("train", "tune") for family in ("mlp", "vit")
    ]
    assert {(job.state, job.gpus) for job in trained} == {("COMPLETED", 1)}
    assert {job.node for job in trained} == set(NODES)
    others = [job for job in one.jobs() if job not in trained]
    assert {(job.rule, job.gpus) for job in others} == {("rule_fit", 0)}  # the rest is done where the command was given


def test_a_cancelled_job_and_a_node_that_goes_down_cost_only_time(slurm, project, reference):
    one = project("faults")
    one.start()
    one.wait_for_training(finished=2, checkpoints=2)
    finished = one.finished()
    cancelled, lost = jobs_of(one, "train")
    assert cancelled.node != lost.node
    assert run("scancel", cancelled.id).returncode == 0
    assert run("scontrol", "update", f"nodename={lost.node}", "state=down", "reason=test").returncode == 0
    try:
        one.finish()
    finally:
        run("scontrol", "update", f"nodename={lost.node}", "state=resume")
    assert (state(one, cancelled.id), state(one, lost.id)) == ("CANCELLED", "NODE_FAIL")
    assert all(job.node == cancelled.node for job in jobs_of(one, "train")[2:])
    assert one.table().equals(reference("faults").table())
    assert one.finished().items() >= finished.items()
    assert resumed(one) == set(one.finished()) - set(finished)


def resumed(one) -> set[str]:
    """Keys of cells whose last attempt went on from a checkpoint."""
    logs = (one.folder / "results" / "store").glob("*/log.txt")
    return {log.parent.name for log in logs if "goes on from step" in log.read_text()}


def test_a_killed_driver_needs_one_unlock_and_the_same_command(slurm, project, reference):
    one = project("faults")
    driver = one.start()
    one.wait_for_training(finished=2, checkpoints=2)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    finished = one.finished()
    unlock = subprocess.run([SNAKEMAKE, "--unlock", *one.study], cwd=one.folder, capture_output=True, text=True)
    assert unlock.returncode == 0, unlock.stderr
    one.start()
    one.finish()
    assert one.table().equals(reference("faults").table())
    assert one.finished().items() >= finished.items()
    one.wait_for(lambda: not run("squeue", "-h").stdout.strip(), "the first driver's jobs to end")
    assert one.table().equals(reference("faults").table())
    assert one.finished().items() >= finished.items()


def test_the_doctor_looks_at_a_compute_node_through_the_profile(slurm, make_project):
    one = make_project("smoke")
    words = [sys.executable, "-m", "scaling", "doctor", "--json"]
    done = subprocess.run(words, cwd=one.folder, capture_output=True, text=True, timeout=200)
    found = {(check["group"], check["name"]): check for check in json.loads(done.stdout)["checks"]}
    assert {found["login node", name]["status"] for name in ("sbatch", "job age", "accounting", "arrays")} == {"pass"}, found
    assert found["compute node", "CPUs"]["found"].endswith("Slurm gave 2")
    assert found["compute node", "GPUs"]["found"] == "1 given, 1 seen"
    assert found["compute node", "time left"]["status"] == "pass"
    # The cluster's GPUs are simulated, which is what the doctor says of them.
    assert (done.returncode, found["compute node", "gpu: CUDA"]["status"]) == (1, "fail")


def refused(project, message: str) -> None:
    found = subprocess.run(
        [*LITERAL, *project.study],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert found.returncode != 0
    assert message in found.stdout + found.stderr
    assert not project.finished()
    assert not project.jobs()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "# slurm_partition: gpu",
            "slurm_partition: nowhere",
            "slurm/config.yaml: slurm_partition: received 'nowhere', this cluster has gpu",
        ),
        (
            "# slurm_account: my-project",
            "slurm_account: my-project",
            "slurm_account: received 'my-project', but this cluster keeps no accounts: remove the entry",
        ),
        ("executor: slurm", "executor: slurm\nslurm-array-jobs: all", "slurm-array-jobs: received 'all'"),
    ],
    ids=["an unknown partition", "an account where none are kept", "job arrays"],
)
def test_what_the_cluster_cannot_do_is_said_before_any_job(slurm, make_project, before, after, message):
    one = make_project("smoke")
    one.edit(before, after)
    refused(one, message)


def test_fewer_gpus_than_a_run_takes_are_refused_before_any_job(slurm, make_project):
    one = make_project("limit")
    path = one.folder / "studies" / "limit.yaml"
    path.write_text(f"{path.read_text()}jobs: {{gpus_per_run: 2}}\n")
    refused(one, "train asks for gpu: 1, but the study has gpus_per_run: 2; write gpu: 2, or a multiple of it")


def test_a_node_that_does_not_share_the_folder_says_so(slurm, make_project):
    """The driver's mark is changed before the first job looks: to the job, the folder is another one."""
    one = make_project("smoke")
    mark = one.folder / "results" / "cache" / "driver"
    one.edit("retries: 10", "retries: 0")
    one.start()
    one.wait_for(mark.exists, "the driver's mark")
    one.wait_for(lambda: "has been submitted" in one.words(), "the first job")
    mark.write_text("another folder's")
    assert one.driver.wait(200) != 0
    (log, *_) = (one.folder / ".snakemake" / "slurm_logs").rglob("*.log")  # where the command's own words point to
    assert str(log) in one.words()
    assert "does not share the driver's folder" in log.read_text()
    assert "a filesystem that all nodes see at the same path" in log.read_text()


def test_a_time_limit_that_is_near_or_that_slurm_enforces_costs_only_time(slurm, project, reference):
    """Two studies side by side, since both wait for a clock. One job knows its limit and stops before it. The other's limit is
    cut while it runs, which it does not know of: Slurm kills it, and the driver, a job too, sends it again."""
    near, past = project("limit"), project("limit")
    near.edit("  runtime: 60", "  runtime: 2")
    study = past.folder / "studies" / "limit.yaml"
    study.write_text(study.read_text().replace("benchmarks: {names: [paper-sizes]}", "jobs: {checkpoint_seconds: 1}"))
    slow = {one: one.folder / "slow" for one in (near, past)}
    for file in slow.values():
        file.touch()
    near.start()
    driver = past.start_as_job()

    past.wait_for_training(finished=0, checkpoints=1)
    (killed,) = jobs_of(past, "train")
    assert run("scontrol", "update", f"jobid={killed.id}", "TimeLimit=1").returncode == 0
    near.wait_for(lambda: "time limit is near: writing checkpoints" in near.words(), "a job to stop before its time limit")
    slow[near].unlink()
    past.wait_for(lambda: state(past, killed.id) != "RUNNING", "Slurm to end the job at its limit")
    slow[past].unlink()

    past.wait_for(lambda: state(past, driver) not in ("PENDING", "RUNNING"), "the driver's job to end")
    assert state(past, driver) == "COMPLETED", past.words()
    assert [job.state for job in jobs_of(past, "train")] == ["TIMEOUT", "COMPLETED"]
    near.finish()
    jobs = jobs_of(near, "train")
    assert [job.state for job in jobs] == ["FAILED"] * (len(jobs) - 1) + ["COMPLETED"]
    assert len(jobs) > 1
    for one in (near, past):
        assert one.table().equals(reference("limit").table())
        assert resumed(one) == set(one.finished())
    (measured,) = jobs_of(near, "benchmarks")
    assert (measured.state, measured.cpus) == ("COMPLETED", CPUS)  # a node of its own, though it asked for no core of it
    assert (near.folder / "results" / "limit" / "benchmarks.parquet").exists()


# The cluster keeps accounts from here on: what has to do without them stands above.


def test_an_account_of_others_is_said_before_any_job(accounts, make_project):
    one = make_project("smoke")
    one.edit("# slurm_account: my-project", "slurm_account: my-project")
    refused(one, "slurm_account: received 'my-project', but root has group, root")


def test_images_of_ones_own_are_prepared_by_a_job_whose_state_sacct_tells(accounts, make_project):
    one = make_project("photos")
    for index in range(40):
        path = one.folder / "photos" / f"class{index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28), 6 * index).save(path)
    (one.folder / "studies" / "photos.yaml").write_text(PHOTOS)
    one.edit("# prepare: {cpus_per_task: 16, runtime: 240}", "prepare: {cpus_per_task: 2, mem_mb: 1500}")
    one.edit("# slurm_account: my-project", "slurm_account: group")
    one.edit("slurm-status-command: squeue", "slurm-status-command: sacct")
    one.start(*LITERAL, "--until", "prepare")
    one.finish()
    (prepared,) = one.jobs()
    assert (prepared.rule, prepared.state, prepared.cpus) == ("rule_prepare", "COMPLETED", 2)
    kept = run("sacct", "-X", "--noheader", "--parsable2", f"--jobs={prepared.id}", "--format=Account,State")
    assert kept.stdout.split() == ["group|COMPLETED"]
    (file,) = (one.folder / "results" / "data").glob("*.safetensors")
    assert (len(load(file).train_images), load(file).classes) == (32, ("class0", "class1"))
