"""A second study file of the same name is refused by every command before it writes anything."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REFUSED = "studies/copy.yaml: name: received faults, which is the name of studies/faults.yaml too"


def test_no_command_writes_over_the_results_of_another_file(bench):
    text = (bench.folder / "studies" / "faults.yaml").read_text()
    (bench.folder / "studies" / "copy.yaml").write_text(text.replace("[0, 1, 2, 3, 4]", "[0]"))
    held = {path: path.read_bytes() for path in (bench.folder / "results").rglob("*") if path.is_file()}
    for words in (
        ("plan",),
        ("status",),
        ("fit",),
        ("report",),
        ("collect",),
        ("complete",),
        ("train", "mlp"),
        ("tune", "mlp"),
    ):
        ended = bench.run(words[0], "studies/copy.yaml", *words[1:])
        assert (ended.code, ended.text.count("\n")) == (2, 1), (words, ended.text)
        assert REFUSED in ended.text
    run = bench.snakemake("--config", "study=studies/copy.yaml")
    assert run.returncode != 0
    assert REFUSED in run.stdout + run.stderr
    assert "Job stats" not in run.stdout + run.stderr
    assert {path: path.read_bytes() for path in (bench.folder / "results").rglob("*") if path.is_file()} == held


def test_a_study_file_that_was_moved_keeps_its_results(bench):
    (bench.folder / "studies" / "faults.yaml").rename(bench.folder / "studies" / "moved.yaml")
    ended = bench.do("complete", "studies/moved.yaml")
    assert "studies/faults.yaml is gone; its results now belong to studies/moved.yaml" in ended.text
