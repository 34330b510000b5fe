"""Damaged, poisoned and foreign files: named, never believed, never executed, rebuilt; what is whole stays as it is."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import polars as pl
import pytest

from scaling.files import json_sha256
from scaling.runs.records import MEASURED, RECORD_VERSION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAMAGES = ("truncated", "empty", "flipped", "poisoned")


class Poison:
    """When it is unpickled a folder appears."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    elif how == "flipped":
        content[len(content) * 2 // 3] ^= 1
    else:
        content[:] = pickle.dumps(Poison(path.parent / "executed"))
    path.write_bytes(bytes(content))


def nothing_was_executed(folder: Path) -> bool:
    poison = folder / "executed"
    pickle.loads(pickle.dumps(Poison(poison)))  # the poison works, or nothing is shown
    works = poison.exists()
    poison.rmdir()
    return works and not list(folder.rglob("executed"))


def test_damaged_records_are_named_and_trained_again(bench, trained):
    before = bench.stamps()
    records = [bench.cell(seed) / "record.json" for seed in range(4)]
    for path, how in zip(records, DAMAGES, strict=True):
        damage(path, how)
    # A run's table is not read again until it is asked for: `collect` finds the damage, `complete` says what is missing.
    ended = bench.do("collect", "studies/faults.yaml")
    for path in records:
        assert f"{path.relative_to(bench.folder)}: " in ended.text
        assert "set aside as record.damaged, the run is trained again" in ended.text
        assert path.with_suffix(".damaged").exists()
    complete = bench.run("complete", "studies/faults.yaml")
    assert complete.code == 1
    assert "4 of 5 runs have no result" in complete.text

    again = bench.train()
    assert again.code == 0, again.text
    after = bench.stamps()
    whole = bench.cell(4).name
    assert after[whole] == before[whole]
    assert all(after[key] != before[key] for key in before if key != whole)
    assert bench.table().equals(trained.table())
    assert nothing_was_executed(bench.folder)


def test_damaged_checkpoints_and_one_of_other_settings_are_refused(fresh, trained):
    fresh.plant("stop", STOP)
    assert fresh.train(PLUGINS="stop").code == 1
    checkpoints = [fresh.cell(seed) / "checkpoint.safetensors" for seed in range(5)]
    foreign = checkpoints[0].read_bytes()
    for path, how in zip(checkpoints, DAMAGES, strict=False):
        damage(path, how)
    checkpoints[4].write_bytes(foreign)
    again = fresh.train()
    assert again.code == 0, again.text
    for path, how in zip(checkpoints, DAMAGES, strict=False):
        why = "its checksum does not match its contents" if how == "flipped" else "not a whole checkpoint"
        assert f"{path.relative_to(fresh.folder)}: {why}" in again.text
    other = f"{checkpoints[4].relative_to(fresh.folder)}: made with other settings: seed; the run is trained from its start"
    assert other in again.text
    for path in checkpoints:
        assert "trained from its start" in (path.parent / "log.txt").read_text()
        assert not path.exists()
    assert fresh.table().equals(trained.table())
    assert nothing_was_executed(fresh.folder)


STOP = """
import os, signal
from scaling.training.loop import Trainer

step = Trainer.train_step

def step_and_stop(trainer):
    step(trainer)
    if trainer.progress.step == 30:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.train_step = step_and_stop
"""


def test_a_checkpoint_names_the_fields_of_the_recipe_that_differ(fresh):
    fresh.plant("stop", STOP)
    assert fresh.train(PLUGINS="stop").code == 1
    ours = fresh.cell(0) / "checkpoint.safetensors"
    fresh.write_study(("patience: 0,", "patience: 0, weight_decay: 0.1, dropout: 0.1,"))
    fresh.do("tune", "studies/faults.yaml", "mlp")
    fresh.do("collect", "studies/faults.yaml")
    theirs = fresh.cell(0)
    theirs.mkdir()
    (theirs / "checkpoint.safetensors").write_bytes(ours.read_bytes())
    again = fresh.train()
    assert again.code == 0, again.text
    assert "made with other settings: recipe.dropout, recipe.weight_decay; the run is trained from its start" in again.text


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_prepared_images_are_named_and_rebuilt(bench, trained, how):
    (path,) = (bench.folder / "results" / "data").glob("*.safetensors")
    whole = path.read_bytes()
    damage(path, how)
    ended = bench.do("train", "studies/faults.yaml", "mlp")
    assert f"{path.relative_to(bench.folder)}: " in ended.text
    assert "prepare builds it anew" in ended.text
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(whole).digest()
    assert bench.stamps().keys() == trained.stamps().keys()
    assert nothing_was_executed(bench.folder)


def test_damaged_weights_are_named_and_their_cells_trained_again_for_them(bench):
    bench.write_study(("  mlp:\n", "  mlp: {probes: [shift]}\n"))
    assert bench.train().code == 0
    before = bench.stamps()
    probes = pl.read_parquet(bench.folder / "results/faults/probes.parquet")
    assert len(probes)
    for seed, how in enumerate(DAMAGES):
        damage(bench.cell(seed) / "weights.safetensors", how)
        (bench.cell(seed) / "shift.json").unlink()
    again = bench.train()
    assert again.code == 0, again.text
    for seed in range(4):
        assert f"{(bench.cell(seed) / 'weights.safetensors').relative_to(bench.folder)}: " in again.text
    assert again.text.count("the run is trained again for them") == 4
    assert bench.stamps() == before  # records are never rewritten
    assert pl.read_parquet(bench.folder / "results/faults/probes.parquet").equals(probes)
    assert nothing_was_executed(bench.folder)


def edit_digit(path: Path) -> None:
    """One digit of the rate that was found, and nothing else."""
    text = path.read_text()
    assert '"rate_at_reference": 0.01' in text
    path.write_text(text.replace('"rate_at_reference": 0.01', '"rate_at_reference": 0.02'))


def drop_checksum(path: Path) -> None:
    """The file as it was before it had a checksum."""
    body = json.loads(path.read_bytes())
    del body["sha256"]
    path.write_text(json.dumps(body, indent=1) + "\n")


@pytest.mark.parametrize("how", [*DAMAGES, "edited", "made before"])
def test_a_damaged_tuning_file_is_named_and_made_again(bench, how):
    before = bench.stamps()
    path = bench.folder / "results" / "faults" / "tuning" / "mlp.json"
    whole = path.read_bytes()
    if how == "edited":
        edit_digit(path)
    elif how == "made before":
        drop_checksum(path)
    else:
        damage(path, how)
    damaged = path.read_bytes()
    ended = bench.do("train", "studies/faults.yaml", "mlp")
    wrong = "its checksum does not match its contents" if how == "edited" else "not a whole tuning file"
    assert f"results/faults/tuning/mlp.json: {wrong}" in ended.text
    assert "set aside as mlp.damaged" in ended.text
    assert path.read_bytes() == whole
    assert path.with_suffix(".damaged").read_bytes() == damaged
    assert bench.train().code == 0
    assert bench.stamps() == before
    assert nothing_was_executed(bench.folder)


def test_the_tuning_file_of_another_study_is_named_and_made_again(bench):
    """Also in one run of Snakemake, which sees a file that is there as up to date."""
    before = bench.stamps()
    path = bench.folder / "results" / "faults" / "tuning" / "mlp.json"
    whole = path.read_bytes()
    text = (bench.folder / "studies" / "faults.yaml").read_text()
    other = text.replace("name: faults", "name: other").replace("learning_rate: 0.01", "learning_rate: 0.02")
    (bench.folder / "studies" / "other.yaml").write_text(other)
    bench.do("tune", "studies/other.yaml", "mlp")
    path.write_bytes((bench.folder / "results" / "other" / "tuning" / "mlp.json").read_bytes())
    run = bench.snakemake("--config", "study=studies/faults.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results/faults/tuning/mlp.json: made for another family or study" in run.stdout + run.stderr
    assert path.read_bytes() == whole
    assert bench.stamps() == before


def test_a_tuning_file_that_is_not_there_is_asked_for(fresh):
    (fresh.folder / "results" / "faults" / "tuning" / "mlp.json").unlink()
    ended = fresh.run("train", "studies/faults.yaml", "mlp")
    assert ended.code == 2
    assert "results/faults/tuning/mlp.json is missing: run `scaling tune studies/faults.yaml mlp` first" in ended.text


def rewrite(path: Path, change) -> None:
    """Change a record as another version of the program would have written it."""
    body = json.loads(path.read_bytes())
    del body["checksum"]
    change(body)
    body["checksum"] = json_sha256(body)
    path.write_bytes(json.dumps(body).encode())


def test_records_of_other_versions_are_migrated_or_refused_by_name(bench, trained):
    older, newer = bench.cell(0) / "record.json", bench.cell(1) / "record.json"

    def to_version_1(body):
        body["version"] = 1
        for column in ("micro_batch", "ghost_batch_norm", "peak_memory", "timm_version"):
            del body["row"][column]
        # Training losses were divided by too many steps: those since the last multiple of 25, at each reading.
        before = 0
        for point in body["curve"]:
            step = point["step"]
            point["train_loss"] *= (step - before) / (25 * (step // 25 - before // 25) + step % 25)
            before = step
            if step == body["row"]["best_step"]:
                body["row"]["train_loss"] = point["train_loss"]

    rewrite(older, to_version_1)
    rewrite(newer, lambda body: body.update(version=RECORD_VERSION + 7))
    before = bench.stamps()
    ended = bench.train()
    assert ended.code == 1
    message = f"{newer.relative_to(bench.folder)}: a record of version {RECORD_VERSION + 7}, this program reads up to"
    assert message in ended.text
    assert "1 of 5 runs have no result" in ended.text
    assert "Traceback" not in ended.text
    assert bench.stamps() == before  # neither is rewritten
    runs = pl.read_parquet(bench.folder / "results/faults/runs.parquet").drop(MEASURED)
    others, expected = (table.filter(pl.col("seed") != 1) for table in (runs, trained.table()))
    assert others.drop("train_loss", "timm_version").equals(expected.drop("train_loss", "timm_version"))
    assert others.filter(pl.col("seed") == 0)["timm_version"].to_list() == [None]
    assert others["train_loss"].to_list() == pytest.approx(expected["train_loss"].to_list(), rel=1e-12)

    newer.unlink()
    assert bench.train().code == 0
    assert bench.table().drop("timm_version").equals(trained.table().drop("timm_version"))
