"""What jobs ask for, as Snakemake sees it, and how a calibration and earlier attempts change it."""

import json
import re
from pathlib import Path

import pytest

from scaling.jobs.calibration import Calibration, Line, Speed, write_calibration
from scaling.jobs.dag import Dag
from scaling.jobs.job_notes import OUT_OF_MEMORY, JobNote

pytestmark = pytest.mark.slow

SMOKE = ("--config", "study=studies/smoke.yaml")
SPEEDS = {name: Speed(Line(1e-4, 0.0), Line(50e6, 0.0)) for name in ("mlp 28x28x1 batch 64", "vit 28x28x1 batch 64")}


def asked(checkout, *arguments: str) -> dict[str, tuple[int, int | None]]:
    """Memory in MB and minutes by job, of a dry run."""
    found = checkout.snakemake("-n", "-p", *SMOKE, *arguments)
    assert found.returncode == 0, found.stdout + found.stderr
    said = found.stdout + found.stderr
    commands = re.findall(r"scaling (tune|train) \S+ (\S+) .*?--memory-mb (\d+)(?: --minutes (\d+))?", said)
    return {f"{rule} {name}": (int(memory), int(minutes) if minutes else None) for rule, name, memory, minutes in commands}


@pytest.fixture
def file(checkout):
    path = checkout.folder / "calibration.json"
    yield path
    path.unlink(missing_ok=True)


def test_memory_is_always_asked_for_and_time_with_a_calibration(checkout, file):
    assert asked(checkout) == dict.fromkeys(("tune mlp", "tune vit", "train mlp", "train vit"), (4000, None))
    write_calibration(Calibration("cpu", "fp32", "a machine", SPEEDS), file)
    assert asked(checkout) == dict.fromkeys(("tune mlp", "tune vit", "train mlp", "train vit"), (2500, 10))
    # a family that is not in it leaves all jobs to the profile's default
    write_calibration(Calibration("cpu", "fp32", "a machine", dict([next(iter(SPEEDS.items()))])), file)
    assert {minutes for _, minutes in asked(checkout).values()} == {None}


def test_memory_that_ran_out_is_asked_for_half_as_much_again(checkout):
    folder = checkout.folder / "results" / "smoke" / "jobs" / "train-vit"
    folder.mkdir(parents=True)
    note = JobNote("train", "vit", "vit", 1, 1000.0, "a", asked_memory_mb=4000, outcome=OUT_OF_MEMORY)
    (folder / "0001-a-1.json").write_text(json.dumps(vars(note)))
    assert asked(checkout)["train vit"] == (6000, None)
    assert asked(checkout)["train mlp"] == (4000, None)
    (folder / "0001-a-1.json").unlink()


def test_a_profile_has_the_last_word(checkout, file):
    write_calibration(Calibration("cpu", "fp32", "a machine", SPEEDS), file)
    found = asked(checkout, "--default-resources", "runtime=77", "--set-resources", "train:runtime=33", "train:mem_mb=9000")
    assert found["train vit"] == (9000, 33)
    assert found["tune vit"] == (2500, 10)


def test_without_an_estimate_nothing_is_named_so_that_the_default_of_a_profile_holds(checkout, file, monkeypatch):
    monkeypatch.chdir(checkout.folder)
    study = Path("studies/cores.yaml")
    study.write_text(Path("studies/smoke.yaml").read_text())
    untimed = Dag({"study": str(study)})
    assert set(untimed.training_demand()) == set(untimed.tuning_demand()) == {"mem_mb"}
    write_calibration(Calibration("cpu", "fp32", "a machine", SPEEDS), file)
    study.write_text(study.read_text() + "jobs: {cores: 3}\n")
    found = Dag({"study": str(study)}).training_demand()
    assert set(found) == {"mem_mb", "cpus_per_task", "runtime"}
    assert found["cpus_per_task"] == 3
