"""A tiny study of each layout of images, from its files to its report."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

STUDY = """\
name: {name}
data: {{validation: 12, {data}}}
families: {{mlp: {{params: [{size}]}}}}
grid: {{params: [{size}], images: [40]}}
recipe: {{images_floor: 640, images_factor: 1, evaluations: 2, learning_rate: 0.01}}
laws: {{bootstrap: 0}}
"""
LAYOUTS = {
    "imagenet": ("side: 28, source: image-folder, folder: imagenet", 38_000),
    "table": ("side: 28, source: image-folder, folder: flat, labels: labels.csv, channels: 1", 13_000),
    "parquet": ("side: 28, source: parquet, files: 'hub/data/*.parquet'", 38_000),
    "webdataset": ("side: 28, source: webdataset, shards: 'shards/*.tar'", 38_000),
    "cifar": ("source: cifar10, folder: cifar-10-batches-bin", 50_000),
}
"""Of each layout the lines of its study, and a size that an mlp can have on such images."""

COMMANDS = (
    "import json, sys; from scaling.cli import app; [app(line, standalone_mode=False) for line in json.loads(sys.argv[1])]"
)


def pictures(split: str, count: int) -> Iterator[tuple[str, int, bytes]]:
    """Images of two classes that differ in brightness: (name, label, PNG)."""
    random = np.random.default_rng(len(split))
    for i in range(count):
        label = i % 2
        file = io.BytesIO()
        darkest = 80 * label + random.integers(100)  # some of either class look like the other one
        Image.fromarray(random.integers(darkest, darkest + 70, (30, 36, 3), np.uint8)).save(file, "png")
        yield f"{split}-{i}", label, file.getvalue()


def write_layouts(folder: Path) -> None:
    """The same images in every layout: 60 for training and 20 for testing."""
    rows = {"id": [], "label": [], "split": []}
    for split, count in (("train", 60), ("val", 20)):
        found = list(pictures(split, count))
        for name, label, content in found:
            for path in (folder / "imagenet" / split / f"n0{label}" / f"{name}.png", folder / "flat" / f"{name}.png"):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            rows = {key: [*values, value] for (key, values), value in zip(rows.items(), (name, label, split), strict=True)}
        (folder / "hub" / "data").mkdir(parents=True, exist_ok=True)
        images = [{"bytes": content, "path": name} for name, _, content in found]
        table = pa.table({"image": images, "label": [label for _, label, _ in found]})
        parquet.write_table(table, folder / "hub" / "data" / f"{split}-00000-of-00001.parquet", row_group_size=25)
        (folder / "shards").mkdir(exist_ok=True)
        with tarfile.open(folder / "shards" / f"{split}-000.tar", "w") as shard:
            for name, label, content in found:
                for ending, body in (("png", content), ("cls", str(label).encode())):
                    info = tarfile.TarInfo(f"{name}.{ending}")
                    info.size = len(body)
                    shard.addfile(info, io.BytesIO(body))
    pl.DataFrame(rows).write_csv(folder / "labels.csv")
    cifar = folder / "cifar-10-batches-bin"
    cifar.mkdir()
    random = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        darkest = [80 * (i % 2) + random.integers(100) for i in range(12)]
        records = (bytes([i % 2]) + random.integers(low, low + 70, 3072, np.uint8).tobytes() for i, low in enumerate(darkest))
        (cifar / name).write_bytes(b"".join(records))
    (cifar / "batches.meta.txt").write_text("dark\nbright\n")


def test_each_layout_trains_to_its_report(checkout):
    write_layouts(checkout.folder)
    lines = []
    for name, (data, size) in LAYOUTS.items():
        study = f"studies/{name}.yaml"
        (checkout.folder / study).write_text(STUDY.format(name=name, data=data, size=size))
        lines += [["prepare", study], *([command, study, "mlp"] for command in ("tune", "train"))]
        lines += [[command, study] for command in ("collect", "fit", "report", "complete")]
    # One process for all commands, in the order of the rules: to import torch for each of them would take minutes.
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(lines)], cwd=checkout.folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    losses = {}
    for name in LAYOUTS:
        assert (checkout.folder / "reports" / name / "index.html").stat().st_size > 10_000
        runs = pl.read_parquet(checkout.folder / "results" / name / "runs.parquet")
        assert runs["status"].to_list() == ["done"]
        losses[name] = runs["loss"].item()
        assert 0 < losses[name] < 0.69  # two classes by guessing: 0.693
    # The same pixels and labels in the same order are the same run.
    assert losses["parquet"] == losses["webdataset"]

    study = checkout.folder / "studies" / "table.yaml"
    study.write_text(study.read_text().replace("source: image-folder", "source: parquet"))
    checked = checkout.scaling("plan", "studies/table.yaml")
    assert checked.returncode == 2
    assert "line 2: data: folder 'flat' is for source" in checked.stdout + checked.stderr
