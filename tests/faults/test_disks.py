"""A disk that is full or read-only under a part of the results: the message names the path, what was there stays whole."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def mounted(folder: Path, *options: str):
    """``folder`` on a small disk of its own, with what it held before."""
    before = folder.with_name(folder.name + "-before")
    folder.rename(before)
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True, text=True)
    if mount.returncode:
        folder.rmdir()
        before.rename(folder)
        pytest.skip(f"no disk can be mounted here: {mount.stderr.strip()}")
    try:
        shutil.copytree(before, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=False)
        shutil.rmtree(before)
        shutil.copytree(folder, before)
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()
        before.rename(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("record.json")}


def fill(folder: Path) -> Path:
    """Write a file until the disk has no room left; return it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            return filler


def grow(bench) -> None:
    bench.write_study(("seeds: [0, 1, 2, 3, 4]", "seeds: [0, 1, 2, 3, 4, 5, 6]"))


def test_a_full_disk_under_the_store(bench):
    store = bench.folder / "results" / "store"
    grow(bench)
    with mounted(store, "-o", "size=4m"):
        before, stamps = contents(store), bench.stamps()
        filler = fill(store)
        ended = bench.train()
        assert ended.code == 1
        assert "2 of 7 runs have no result" in ended.text
        assert ended.text.count("No space left on device") >= 2
        assert "results/store/" in next(line for line in ended.text.splitlines() if "No space left" in line)
        assert "Traceback" not in ended.text
        assert contents(store) == before
        assert bench.stamps() == stamps

        filler.unlink()
        again = bench.train()
        assert again.code == 0, again.text
        assert stamps.items() <= bench.stamps().items()
        assert len(bench.stamps()) == 7
        assert not list(store.rglob(".*.tmp"))


def test_a_disk_that_fills_up_while_a_checkpoint_is_written(bench):
    store = bench.folder / "results" / "store"
    grow(bench)
    # records and logs fit, a checkpoint (about 700 kB) does not
    with mounted(store, "-o", "size=400k"):
        before = contents(store)
        ended = bench.train()
        assert ended.code == 1
        line = next(line for line in ended.text.splitlines() if "No space left" in line)
        assert "No space left on device while writing results/store/" in line
        assert "checkpoint.safetensors" in line
        assert contents(store) == before
    again = bench.train()
    assert again.code == 0, again.text
    assert before == {key: value for key, value in contents(store).items() if key in before}


def test_a_full_disk_under_the_tables(bench):
    folder = bench.folder / "results" / "faults"
    grow(bench)  # or the tables hold already what would be written
    with mounted(folder, "-o", "size=200k"):
        filler = fill(folder)
        before = (folder / "runs.parquet").read_bytes()
        ended = bench.run("collect", "studies/faults.yaml")
        assert ended.code == 1
        assert "No space left on device while writing results/faults/" in ended.text
        assert "Traceback" not in ended.text
        assert (folder / "runs.parquet").read_bytes() == before
        filler.unlink()
        assert bench.train().code == 0


def test_a_read_only_results_folder(bench):
    results, stamps = bench.folder / "results", bench.stamps()
    grow(bench)
    with mounted(results, "-o", "size=20m"):
        subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
        assert os.statvfs(results).f_flag & os.ST_RDONLY
        before = contents(results / "store")
        train = bench.run("train", "studies/faults.yaml", "mlp")
        assert train.code == 1
        assert "Read-only file system" in train.text
        assert "results/faults/packs/mlp.parquet" in train.text
        assert "results/store/" in train.text
        assert "Traceback" not in train.text
        collect = bench.run("collect", "studies/faults.yaml")
        assert collect.code == 1
        assert "Read-only file system while writing results/faults/probes.parquet" in collect.text
        status = bench.run("status", "studies/faults.yaml", "--once")  # looking needs no writing
        assert "7" in status.text
        assert contents(results / "store") == before
    again = bench.train()
    assert again.code == 0, again.text
    assert len(bench.stamps()) == len(stamps) + 2
