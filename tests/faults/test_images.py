"""Images that cannot be read, and names that are awkward: in folders, studies and paths."""

import html
import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \"' $(touch executed) `touch executed` ; touch executed"
AWKWARD = "a; touch executed $(touch executed) {family} 'é \" ü.yaml"


def spoil(bench, names) -> list[str]:
    found = []
    for cls, index in names:
        path = bench.folder / "pictures é" / "train" / cls / f"Bild {index} ü.png"
        path.write_bytes(path.read_bytes()[:60])
        found.append(path.name)
    return found


def test_unreadable_images_are_refused_named_and_counted_or_left_out(fresh):
    spoil(fresh, [("Größe ß", 3), ("two words", 4)])
    refused = fresh.run("prepare", "studies/faults.yaml")
    assert refused.code == 2
    assert "2 of 120 images in 'pictures é' cannot be read: 'train/Größe ß/Bild 3 ü.png' (" in refused.text
    assert "'train/two words/Bild 4 ü.png' (" in refused.text
    assert "unreadable: skip leaves them out" in refused.text
    assert "Traceback" not in refused.text

    fresh.write_study(("validation: 12", "validation: 12, unreadable: skip"))
    skipped = fresh.do("prepare", "studies/faults.yaml")
    assert "2 of 120 images in 'pictures é' cannot be read" in skipped.text
    assert "left out" in skipped.text
    fresh.do("tune", "studies/faults.yaml", "mlp")
    ended = fresh.train()
    assert ended.code == 0, ended.text
    assert set(fresh.table()["status"]) == {"done"}


def test_a_hostile_description_and_names_of_files_stay_text_on_the_page(bench):
    quoted = HOSTILE.replace("'", "''")
    bench.write_study(("name: faults\n", f"name: faults\ndescription: '{quoted}'\n"))
    bench.do("report", "studies/faults.yaml")
    page = (bench.folder / "reports/faults/index.html").read_text()
    assert html.escape("<script>alert(1)</script><img src=x onerror=alert(1)>") in page
    assert len(re.findall("<script", page)) == 1  # the page's own
    assert "<img" not in page
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", page)


def test_names_that_are_no_names_are_refused(bench):
    for change in (("name: faults", "name: '../outside; touch executed'"), ("  mlp:\n", f"  '{HOSTILE[:20]}':\n")):
        bench.write_study(change)
        ended = bench.run("plan", "studies/faults.yaml")
        assert ended.code == 2
        assert "Traceback" not in ended.text
        assert "studies/faults.yaml: line " in ended.text
    assert not list(bench.folder.parent.rglob("executed"))


def test_a_study_whose_path_a_shell_would_run_goes_through_snakemake_as_it_is(bench):
    before = bench.stamps()
    path = bench.folder / "studies" / AWKWARD
    (bench.folder / "studies" / "faults.yaml").rename(path)
    run = bench.snakemake("--forceall", "--config", f"study=studies/{AWKWARD}")  # every rule sees the path
    assert run.returncode == 0, run.stdout + run.stderr
    assert bench.stamps() == before
    assert not list(bench.folder.rglob("executed"))
    page = (bench.folder / "reports/faults/index.html").read_text()
    assert AWKWARD in html.unescape(page)
