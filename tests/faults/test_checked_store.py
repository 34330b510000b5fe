"""`scaling store check`: records that are not those of their keys, and a store in which a run is writing."""

import json
import shutil
import subprocess
import sys

import pytest

from scaling.files import json_sha256

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IN_ORDER = "results/store: checked 5 records (checksum, version, key and row against settings), "


def test_nothing_is_wrong_with_a_store_in_order(bench):
    before = bench.stamps()
    ended = bench.run("store", "check")
    assert ended.code == 0, ended.text
    assert IN_ORDER in ended.text
    assert "no files set aside" in ended.text
    assert bench.stamps() == before


def test_a_record_in_the_place_of_another_is_not_believed(bench, trained):
    good, bad = bench.cell(0), bench.cell(1)
    shutil.copy(good / "record.json", bad / "record.json")
    bench.do("collect", "studies/faults.yaml")
    seeds = bench.table().filter(seed=1)
    assert seeds["status"].item() == "missing", seeds
    assert bench.train().code == 0
    assert bench.table().equals(trained.table())


def test_a_record_of_other_images_is_set_aside_and_the_next_run_trains_it(bench, trained):
    record = bench.cell(1) / "record.json"
    body = json.loads(record.read_bytes())
    del body["checksum"]
    body["settings"]["data"] = "0" * 64
    body["checksum"] = json_sha256(body)
    record.write_text(json.dumps(body))
    before = bench.stamps()
    ended = bench.run("store", "check")
    assert ended.code == 1
    assert f"{record.relative_to(bench.folder)}: its settings are not those of its key: they are those of " in ended.text
    assert "; set aside as record.damaged" in ended.text
    assert "2 files set aside" in ended.text  # and what the run said of single images
    assert record.with_suffix(".damaged").exists()
    after = bench.stamps()
    assert len(after) == 4
    assert after.items() <= before.items()
    assert bench.run("store", "check").code == 0
    assert bench.run("complete", "studies/faults.yaml").code == 1
    assert bench.train().code == 0
    assert bench.table().equals(trained.table())


def test_a_run_that_writes_is_not_disturbed(fresh, trained):
    command = [sys.executable, "-m", "scaling", "train", "studies/faults.yaml", "mlp"]
    texts = []
    with subprocess.Popen(command, cwd=fresh.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as training:
        while training.poll() is None:
            ended = fresh.run("store", "check")
            assert ended.code == 0, ended.text
            texts.append(ended.text)
        said = training.stdout.read()
    assert training.returncode == 0, said
    assert "5/5 done, 0 running, 0 failed" in said
    assert any("in training now, left alone" in text for text in texts)
    fresh.do("collect", "studies/faults.yaml")
    assert fresh.table().equals(trained.table())
