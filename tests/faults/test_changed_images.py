"""Images that change after they were prepared: what is trained, what is planned, and what stands in the store."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from scaling.data import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUDY = ("--config", "study=studies/faults.yaml")
LONGER = ("seeds: [0, 1, 2, 3, 4]", "seeds: [0, 1, 2, 3, 4, 5]")
CHANGED = "1 image of 'pictures é' is not what was prepared: 'train/two words/Bild 3 ü.png'"


def replace_a_picture(bench, *, same_times: bool = False) -> None:
    """Other pixels in one training image; with ``same_times`` its size and time stay as they are."""
    path = bench.folder / "pictures é" / "train" / "two words" / "Bild 3 ü.png"
    before = path.stat()
    pixels = np.asarray(Image.open(path))
    Image.fromarray(255 - pixels).save(path)
    if same_times:
        path.write_bytes(path.read_bytes().ljust(before.st_size, b"\0")[: before.st_size])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def checksum(bench) -> str:
    """Of the images as they are prepared now."""
    (path,) = (bench.folder / "results" / "data").glob("*.safetensors")
    return load(path).checksum


def trained_on(bench, keys) -> set[str]:
    """The checksums of the images that the records of ``keys`` name."""
    store = bench.folder / "results" / "store"
    return {json.loads((store / key / "record.json").read_text())["settings"]["data"] for key in keys}


def planned(bench) -> tuple[int, int]:
    """Runs that the plan calls new, and stored."""
    ended = bench.run("plan", "studies/faults.yaml", "--json")
    assert ended.code == 0, ended.text
    found = json.loads(ended.text[ended.text.index("{") :])
    stored = sum(part["stored"] for part in found["families"])
    return sum(part["cells"] for part in found["families"]) - stored, stored


def test_files_that_are_touched_and_hold_what_they_held_start_no_job(bench):
    before = bench.stamps()
    for path in (bench.folder / "pictures é").rglob("*.png"):
        path.write_bytes(path.read_bytes())
        path.touch()
    assert planned(bench) == (0, 5)
    assert set(bench.jobs(*STUDY)) == {"complete"}
    run = bench.snakemake(*STUDY)
    assert run.returncode == 0, run.stdout + run.stderr
    prepared = bench.do("prepare", "studies/faults.yaml")
    assert "changed" not in prepared.text
    assert bench.stamps() == before


def test_a_picture_that_changed_retrains_and_the_plan_says_so(bench):
    before, old = bench.stamps(), checksum(bench)
    assert planned(bench) == (0, 5)
    replace_a_picture(bench)
    assert CHANGED in bench.run("plan", "studies/faults.yaml").text
    assert planned(bench) == (5, 0)
    assert {"prepare", "tune", "train"} <= set(bench.jobs(*STUDY))
    run = bench.snakemake(*STUDY)
    assert run.returncode == 0, run.stdout + run.stderr
    new = checksum(bench)
    assert new != old
    after = bench.stamps()
    assert {key: after[key] for key in before} == before
    assert len(after) == 10
    assert trained_on(bench, after.keys() - before.keys()) == {new}
    assert set(bench.table()["key"]) == after.keys() - before.keys()
    assert planned(bench) == (0, 5)
    assert set(bench.jobs(*STUDY)) == {"complete"}


def test_a_picture_replaced_by_one_of_the_same_size_and_time_is_noticed(bench):
    replace_a_picture(bench, same_times=True)
    assert planned(bench) == (5, 0)
    assert "prepare" in bench.jobs(*STUDY)


def test_images_that_changed_after_tuning_do_not_poison_the_store(bench):
    before, old = bench.stamps(), checksum(bench)
    replace_a_picture(bench)
    bench.write_study(LONGER)
    # A job takes what is prepared as it is, and names it; whoever looks at the images says that they changed.
    ended = bench.run("train", "studies/faults.yaml", "mlp")
    assert ended.code == 0, ended.text
    assert checksum(bench) == old
    added = bench.stamps().keys() - before.keys()
    assert len(added) == 1
    assert trained_on(bench, bench.stamps()) == {old}
    assert planned(bench) == (6, 0)
    # Prepared anew by hand: the job finds that its rates are of other images.
    bench.do("prepare", "studies/faults.yaml")
    new = checksum(bench)
    assert new != old
    ended = bench.run("train", "studies/faults.yaml", "mlp")
    assert ended.code == 0, ended.text
    assert "results/faults/tuning/mlp.json: made for other images" in ended.text
    assert len(bench.stamps()) == 12
    assert trained_on(bench, bench.stamps().keys() - before.keys() - added) == {new}
    bench.do("collect", "studies/faults.yaml")
    bench.do("fit", "studies/faults.yaml")
    assert bench.run("complete", "studies/faults.yaml").code == 0


def test_a_change_that_snakemake_does_not_see_is_said_at_the_end_and_trained_by_the_next_run(bench):
    """Its notes are gone: all files are there, and none says what it was made with."""
    before = bench.stamps()
    replace_a_picture(bench)
    shutil.rmtree(bench.folder / ".snakemake")
    run = bench.snakemake(*STUDY)
    assert run.returncode != 0
    assert CHANGED in run.stdout + run.stderr
    run = bench.snakemake(*STUDY)
    assert run.returncode == 0, run.stdout + run.stderr
    assert trained_on(bench, bench.stamps().keys() - before.keys()) == {checksum(bench)}
    assert len(bench.stamps()) == 10


def test_results_that_are_copied_with_their_images_train_nothing(bench):
    copy = bench.folder.parent / "elsewhere"
    shutil.copytree(bench.folder, copy)
    before, bench.folder = bench.stamps(), copy
    assert planned(bench) == (0, 5)
    assert set(bench.jobs(*STUDY)) == {"complete"}
    assert {key: mtime for key, (_, mtime) in bench.stamps().items()} == {key: mtime for key, (_, mtime) in before.items()}


def test_pipes_folders_and_links_with_the_name_of_an_image_are_counted_and_named(fresh):
    folder = fresh.folder / "pictures é" / "train" / "two words"
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "again").symlink_to("..")
    refused = fresh.run("plan", "studies/faults.yaml")
    assert refused.code == 2
    assert "5 of 125 images in 'pictures é' cannot be read: 'train/two words/again' (a link to a folder that holds it), " in (
        refused.text
    )
    for name, reason in (
        ("folder", "a folder"),
        ("gone", "a link to nothing"),
        ("loop", "a link that loops"),
        ("pipe", "a pipe (FIFO)"),
    ):
        assert f"'train/two words/{name}.png' ({reason})" in refused.text
    assert "Traceback" not in refused.text
    run = fresh.snakemake(*STUDY)
    assert run.returncode != 0
    assert "5 of 125 images in 'pictures é' cannot be read" in run.stdout + run.stderr

    fresh.write_study(("validation: 12", "validation: 12, unreadable: skip"))
    skipped = fresh.do("prepare", "studies/faults.yaml")
    assert "5 of 125 images in 'pictures é' cannot be read" in skipped.text
    assert "left out" in skipped.text
    fresh.do("tune", "studies/faults.yaml", "mlp")
    assert fresh.train().code == 0
