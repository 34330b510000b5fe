import json
import os
import time
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scaling.cli import app
from scaling.files import write_atomic
from scaling.jobs.status import RUNNING, STOPPED, UNTUNED, WAITING, Watcher
from scaling.report.live_status import as_data, render
from scaling.runs.progress import ProgressFile, ProgressReport, read_progress, write_progress
from scaling.runs.records import DIVERGED, DONE, FAILED
from scaling.runs.resolve import RateRule, Tuning, read_tuning
from scaling.runs.store import Record, Store
from scaling.study.layout import Layout
from scaling.study.schema import Study

STUDY = Study.model_validate(
    {
        "name": "s",
        "families": {"mlp": None},
        "grid": {"params": [13000, 28000], "images": [500, 1000], "seeds": [0, 1]},
        "jobs": {"pack": "size"},
    }
)
PROGRESS = ProgressReport(25, 100, 1.234, 5000.0, 75.0, 1e9)


class Watched:
    """A study with tuned rates and an empty store, and the means to put its cells into any state."""

    def __init__(self, layout: Layout) -> None:
        from scaling.runs.job_hashes import tuning_hash

        self.layout, self.store = layout, Store(layout.store)
        rule = RateRule(16.0, 0.01, 0.0)
        tuning = Tuning("mlp", rule, "cpu", "fp32", "c" * 64, (), settings=tuning_hash(STUDY, "mlp"))
        write_atomic(layout.tuning("mlp"), tuning.text().encode())
        self.watcher = Watcher(STUDY, layout)
        self.keys = [cell.key for pack in self.watcher.look().packs for cell in pack.cells]

    def cell(self, key: str):
        (found,) = [cell for pack in self.watcher.look().packs for cell in pack.cells if cell.key == key]
        return found

    def log(self, key: str, text: str) -> None:
        self.store.folder(key).mkdir(parents=True, exist_ok=True)
        self.store.log_path(key).write_text(text)


@pytest.fixture
def watched(tmp_path, ladders) -> Watched:
    layout = Layout("s", tmp_path / "results", tmp_path / "reports")
    for target in (13000, 28000):
        ladders.rung("mlp", target, Watcher(STUDY, layout)._image)
    write_atomic(layout.ladders, ladders.cache.read_bytes())
    return Watched(layout)


def shown(status, rows=None) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(render(status, rows))
    return capture.get()


def test_nothing_begun_is_waiting(watched):
    status = watched.watcher.look()
    assert status.counts == {WAITING: 8}
    assert [pack.name for pack in status.packs] == ["mlp-n13000", "mlp-n28000"]
    assert len(set(watched.keys)) == 8
    assert not status.ended


def test_before_tuning_cells_wait_for_it_and_are_found_once_it_is_done(tmp_path, watched):
    text = watched.layout.tuning("mlp").read_bytes()
    watched.layout.tuning("mlp").unlink()
    (cell, *_) = watched.watcher.look().packs[0].cells
    assert (cell.key, cell.state, cell.reason) == ("", WAITING, UNTUNED)
    write_atomic(watched.layout.tuning("mlp"), text)
    assert watched.cell(watched.keys[0]).reason == ""


def test_a_damaged_tuning_file_is_named(watched):
    write_atomic(watched.layout.tuning("mlp"), b"{half")
    (cell, *_) = watched.watcher.look().packs[0].cells
    assert cell.state == WAITING
    assert "mlp.json" in cell.reason


def test_failed_tuning_fails_its_cells(watched):
    found = replace(read_tuning(STUDY, watched.layout, "mlp"), rule=None, failure="all diverged")
    write_atomic(watched.layout.tuning("mlp"), found.text().encode())
    status = watched.watcher.look()
    assert status.counts == {FAILED: 8}
    assert status.packs[0].cells[0].reason == "all diverged"


def test_running_with_and_without_progress(watched):
    key, other = watched.keys[:2]
    for each in (key, other):
        watched.store.lease(each).acquire()
    write_progress(watched.store.progress_path(key), PROGRESS)
    cell = watched.cell(key)
    assert (cell.state, cell.progress) == (RUNNING, PROGRESS)
    assert cell.machine
    assert (watched.cell(other).state, watched.cell(other).progress) == (RUNNING, None)
    text = shown(watched.watcher.look())
    assert "25/100" in text
    assert "1.234" in text
    assert "5,000" in text
    assert "1:15" in text
    assert "starting" in text


def test_a_lease_without_heartbeat_is_stopped(watched):
    key = watched.keys[0]
    lease = watched.store.lease(key)
    lease.owner = lease.owner | {"host": "node[1]"}  # what looks like markup is shown as it is
    lease.acquire()
    assert watched.cell(key).state == RUNNING
    past = time.time() - 3600
    os.utime(lease.path, (past, past))
    cell = watched.cell(key)
    assert cell.state == STOPPED
    assert "node[1] is gone" in cell.reason
    assert "node[1] is gone" in shown(watched.watcher.look())
    assert lease.path.exists()  # looking takes nothing over


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_trainer_on_a_host_whose_clock_is_minutes_off_is_running(watched, minutes):
    lease = watched.store.lease(watched.keys[0])
    lease.owner = lease.owner | {"host": "node"}
    lease.acquire()
    there = time.time() + 60 * minutes
    os.utime(lease.path, (there, there))
    assert watched.cell(watched.keys[0]).state == RUNNING


def test_a_lease_of_a_dead_process_here_is_stopped(watched):
    lease = watched.store.lease(watched.keys[0])
    lease.owner = lease.owner | {"pid": 2**22 + 12345}
    lease.acquire()
    assert watched.cell(watched.keys[0]).state == STOPPED


def test_asked_to_stop_is_stopped(watched):
    key = watched.keys[0]
    watched.log(key, "stopped at step 25 of 100\n")
    ProgressFile(watched.store.progress_path(key), 10.0).write(25, 100, 64, None, 25.0, stopped=True, now=True)
    cell = watched.cell(key)
    assert cell.state == STOPPED
    assert cell.progress.step == 25
    assert cell.progress.seconds_left == 75.0


def test_a_log_without_record_or_lease_is_failed_with_its_last_line(watched):
    key = watched.keys[0]
    watched.log(key, "Traceback\n\nRuntimeError: boom [red]\n\n")
    cell = watched.cell(key)
    assert (cell.state, cell.reason) == (FAILED, "RuntimeError: boom [red]")
    assert "boom [red]" in shown(watched.watcher.look())


@pytest.mark.parametrize("state", [DONE, DIVERGED])
def test_a_record_says_done_or_diverged_and_is_read_once(watched, state):
    key = watched.keys[0]
    watched.store.write(key, Record({"status": state, "reason": "at step 3" * (state == DIVERGED)}, {}, []))
    assert watched.cell(key).state == state
    watched.store.record_path(key).unlink()
    assert watched.cell(key).state == state


def test_a_running_run_is_forecast_from_the_finished_runs_of_its_family(watched):
    """From the fifth finished run on; every finished run ended at half the loss that it had at its first evaluation."""
    *done, key = watched.keys
    lease = watched.store.lease(key)
    lease.acquire()
    file = ProgressFile(watched.store.progress_path(key), 10.0)
    file.write(25, 100, 64, 1.2, 25.0, now=True, curve=[{"step": 25, "validation_loss": 1.0, "train_loss": 1.2}])
    assert watched.cell(key).forecast is None
    steps = STUDY.family_recipe("mlp").steps(1000)
    for number, other in enumerate(done):
        loss = 1.0 + 0.1 * number
        curve = [{"step": steps // 8, "validation_loss": 2 * loss}, {"step": steps, "validation_loss": loss}]
        watched.store.write(other, Record({"status": DONE, "reason": "", "loss": loss}, {}, curve))
    found = watched.cell(key).forecast
    assert found.low <= found.loss <= found.high
    assert f"{found.loss:.3f} ({found.low:.3f} to {found.high:.3f})" in shown(watched.watcher.look())
    assert json.dumps(as_data(watched.watcher.look()))


def test_a_damaged_record_waits_for_its_training(watched):
    key = watched.keys[0]
    watched.store.folder(key).mkdir(parents=True)
    watched.store.record_path(key).write_text("{")
    cell = watched.cell(key)
    assert cell.state == WAITING
    assert "record.json" in cell.reason
    assert watched.store.record_path(key).exists()  # looking mends nothing


def test_all_done_has_ended(watched):
    for key in watched.keys:
        watched.store.write(key, Record({"status": DONE, "reason": ""}, {}, []))
    status = watched.watcher.look()
    assert status.ended
    assert as_data(status)["counts"][DONE] == 8


def test_tuning_shows_what_it_has_begun(watched, prepared, images):
    from scaling.data import prepared_path
    from scaling.models.ladder import Ladders
    from scaling.study.study_images import data_settings, image_spec
    from scaling.training.tuning import candidate

    watched.layout.tuning("mlp").unlink()
    path = prepared_path(data_settings(STUDY), watched.layout.data)
    path.parent.mkdir(parents=True)
    path.symlink_to(prepared)
    assert watched.watcher.look().tuning == ()
    cell = candidate(
        STUDY, "mlp", (13_000, 800), 5e-3, "cuda", "bf16", images.checksum, Ladders(watched.layout.ladders), image_spec(STUDY)
    )
    watched.store.lease(cell.key).acquire()
    (job,) = watched.watcher.look().tuning
    assert job.name == "tune mlp"
    assert [(c.key, c.rate, c.state) for c in job.cells] == [(cell.key, 5e-3, RUNNING)]
    assert "rate=0.005" in shown(watched.watcher.look())


def test_a_fixed_rate_has_no_candidates_whose_sizes_the_family_might_not_have(tmp_path, prepared):
    """The anchors of timm's models start at 5,000 parameters, which no regnet of colour images has."""
    from scaling.data import prepared_path
    from scaling.study.study_images import data_settings

    recipe = {"learning_rate": 0.01}
    study = Study.model_validate(
        {
            "name": "s",
            "families": {"own": {"model": "timm/regnet", "params": [100_000], "recipe": recipe}},
            "grid": {"params": [100_000], "images": [300]},
        }
    )
    layout = Layout("s", tmp_path / "results", tmp_path / "reports")
    path = prepared_path(data_settings(study), layout.data)
    path.parent.mkdir(parents=True)
    path.symlink_to(prepared)
    status = Watcher(study, layout).look()
    assert (status.tuning, [cell.reason for pack in status.packs for cell in pack.cells]) == ((), [UNTUNED])


def test_a_small_terminal_shows_less_and_says_so(watched):
    for key in watched.keys:
        watched.store.lease(key).acquire()
    text = shown(watched.watcher.look(), rows=12)
    assert "and 6 more running" in text
    assert "more running" not in shown(watched.watcher.look())


def test_progress_is_written_soon_then_seldom(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    file = ProgressFile(tmp_path / "progress.json", 10.0)
    stamps = []
    for second in range(40):
        now[0] = 1000.0 + second
        file.write(second * 10, 1000, 64, 0.5, float(second))
        stamps.append(read_progress(file.path).at - 1000)
    assert sorted(set(stamps)) == [0, 2, 6, 14, 24, 34]
    found = read_progress(file.path)
    assert found.images_per_second == pytest.approx(640)
    assert found.seconds_left == pytest.approx((1000 - 340) / 10)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_an_unreadable_progress_is_none(tmp_path):
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    for text in ("", "[]", '{"step": 1}'):
        path.write_text(text)
        assert read_progress(path) is None


def test_the_command_prints_once_and_as_json(watched, tmp_path, monkeypatch):
    study = tmp_path / "s.yaml"
    study.write_text("name: s\nfamilies: {mlp: }\ngrid: {params: [13000, 28000], images: [500]}\n")
    monkeypatch.chdir(tmp_path)
    plain = CliRunner().invoke(app, ["status", str(study)])
    assert plain.exit_code == 1  # work is missing
    assert plain.stdout.startswith("s: 2 runs: 2 waiting\n")
    found = json.loads(CliRunner().invoke(app, ["status", str(study), "--json"]).stdout)
    assert found["counts"][WAITING] == 2
    assert found["packs"][0]["cells"][0]["target"] == 13000


def test_progress_that_cannot_be_written_disturbs_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    write_progress(tmp_path / "file" / "progress.json", PROGRESS)
    assert (tmp_path / "file").read_text() == "in the way"
