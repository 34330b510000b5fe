"""Many tiny runs in one job: all are trained, and the runner's memory stays bounded.

By hand, for more of them: SOAK_CELLS=10000 pytest -m slow tests/faults/test_soak.py -s
"""

import os
import time

import psutil
import pytest

CELLS = int(os.environ.get("SOAK_CELLS", "120"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + CELLS)]


def test_memory_is_bounded(fresh):
    fresh.write_study(
        ("seeds: [0, 1, 2, 3, 4]", f"seeds: [{', '.join(map(str, range(CELLS)))}]"),
        ("images_floor: 3200", "images_floor: 64"),
        ("evaluations: 2, first_evaluation: 0.1", "evaluations: 1"),
        ("checkpoint_seconds: 0", "checkpoint_seconds: 60"),
    )
    fresh.do("tune", "studies/faults.yaml", "mlp")
    began = time.monotonic()
    command = fresh.start("train", "studies/faults.yaml", "mlp", "--cores", "2")
    runner, samples = psutil.Process(command.pid), []
    while runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE:
        done = sum(1 for _ in fresh.folder.glob("results/store/*/record.json"))
        used = runner.cpu_times()
        samples.append((used.user + used.system, done, runner.memory_info().rss / 2**20))
        if done >= CELLS:
            break
        if len(samples) % 15 == 1:
            print("{:.0f} s of CPU, {} runs, runner {:.0f} MB".format(*samples[-1]), flush=True)
        time.sleep(max(0.5, CELLS / 1000))
    ended = command.end()
    seconds = time.monotonic() - began
    assert ended.code == 0, ended.text
    assert f"{CELLS}/{CELLS} done" in ended.text
    collect = time.monotonic()
    fresh.do("collect", "studies/faults.yaml")
    print(
        f"{CELLS} runs in {seconds:.0f} s, {1000 * seconds / CELLS:.0f} ms per run; "
        f"collected in {time.monotonic() - collect:.1f} s"
    )
    fresh.do("fit", "studies/faults.yaml")
    assert fresh.run("complete", "studies/faults.yaml").code == 0

    early, late = (next(sample for sample in samples if sample[1] >= share * CELLS) for share in (0.2, 0.8))
    assert late[2] - early[2] < 50  # MB
