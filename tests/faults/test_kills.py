"""A trainer killed at any step, or while it writes a checkpoint: the next run goes on and ends with the same results."""

import json
import random

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILL = """
import json, os, signal
from scaling.training.loop import Trainer

steps, in_write = json.loads(os.environ["KILL_AT"])
step, save = Trainer.train_step, Trainer.save

def step_and_die(trainer):
    step(trainer)
    if steps.get(str(trainer.cell.seed)) == trainer.progress.step:
        os.kill(os.getpid(), signal.SIGKILL)

def save_and_die(trainer, path):
    if in_write.get(str(trainer.cell.seed)) == trainer.progress.step:
        def fsync(descriptor):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        os.fsync = fsync
    save(trainer, path)

Trainer.train_step, Trainer.save = step_and_die, save_and_die
"""
"""SIGKILL to itself after a step, or with half of a checkpoint written."""


def test_trainers_killed_at_random_steps_and_during_a_checkpoints_write(fresh, trained):
    seed = random.SystemRandom().randrange(10**6)
    steps = dict(zip("012", random.Random(seed).sample(range(2, 50), 3), strict=True))
    print(f"killed at {steps}, drawn with {seed}")  # shown when the test fails
    fresh.plant("kill", KILL)
    ended = fresh.train(PLUGINS="kill", KILL_AT=json.dumps([steps, {"3": 20}]))
    assert ended.code == 1
    assert "4 of 5 runs have no result" in ended.text
    for cell in range(4):
        assert f"mlp N=38000 D=60 seed={cell}: killed by SIGKILL" in ended.text
    before = fresh.stamps()
    assert len(before) == 1
    half = fresh.cell(3)
    assert list(half.glob(".checkpoint.safetensors.*.tmp"))  # the half that was written, beside the whole one before it
    assert (half / "checkpoint.safetensors").exists()

    again = fresh.train()
    assert again.code == 0, again.text
    assert before.items() <= fresh.stamps().items()
    for cell, step in (steps | {"3": 20}).items():
        # the checkpoint of the step before was the last whole one
        assert f"goes on from step {step - 1}\n" in (fresh.cell(int(cell)) / "log.txt").read_text()
    assert sorted(path.name for path in fresh.cell(3).iterdir()) == ["log.txt", "record.json", "test-answers.json"]
    assert fresh.table().equals(trained.table())


def test_a_candidate_killed_while_a_rate_is_tuned_does_not_change_the_rate(fresh):
    """A rate chosen among the candidates that are left would stay for good, and differ from an undisturbed run's."""
    fresh.write_study(("learning_rate: 0.01", "anchors: {images: 60, rates: [0.005, 0.01], params: [38000], widen: 0}"))
    fresh.plant("kill", KILL.replace("trainer.cell.seed", "trainer.cell.learning_rate"))
    tuned = fresh.folder / "results" / "faults" / "tuning" / "mlp.json"
    killed = fresh.do("tune", "studies/faults.yaml", "mlp", PLUGINS="kill", KILL_AT=json.dumps([{"0.005": 30}, {}]))
    assert "tuning failed: the rate 0.005 at N = 38000, D = 60 has no result (killed by SIGKILL)" in killed.text
    before = fresh.stamps()
    assert len(before) == 1
    complete = fresh.train()
    assert complete.code == 1
    assert "mlp N=38000 D=60 seed=0: tuning failed: the rate 0.005" in complete.text
    assert not tuned.exists()  # so that Snakemake tunes again

    fresh.do("tune", "studies/faults.yaml", "mlp")
    assert json.loads(tuned.read_text())["failure"] == ""
    assert before.items() <= fresh.stamps().items()
    assert fresh.train().code == 0
