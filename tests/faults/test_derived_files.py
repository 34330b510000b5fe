"""Tables and verdicts that are damaged, edited or another study's: named, set aside and made again by the same command."""

import json

import pytest
from test_damage import damage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

STUDY = ("--config", "study=studies/faults.yaml")
OWN = "results/faults"
NAMES = ("runs.parquet", "probes.parquet", "fits.json", "claims.json", "packs/mlp.parquet")


def contents(bench) -> dict[str, bytes]:
    """What the derived files hold; fits without the seconds that they took."""
    found = {name: (bench.folder / OWN / name).read_bytes() for name in NAMES if name != "fits.json"}
    fits = json.loads((bench.folder / OWN / "fits.json").read_bytes())
    for fit in fits["fits"]:
        fit.pop("seconds")
    return found | {"fits.json": json.dumps(fits).encode()}


def runs_again(bench, *options: str) -> str:
    """What one run of Snakemake says, which must end well."""
    run = bench.snakemake(*options, *STUDY)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    return run.stdout + run.stderr


def test_damaged_files_are_named_and_made_again_in_the_same_run(bench):
    before, stamps = contents(bench), bench.stamps()
    damages = dict(zip(NAMES, ("truncated", "empty", "flipped", "empty", "flipped"), strict=True))
    for name, how in damages.items():
        damage(bench.folder / OWN / name, how)
    text = runs_again(bench)
    for name, how in damages.items():
        what = "empty, which does" if how == "empty" else "its contents do"
        assert f"{OWN}/{name}: {what} not match its checksum; set aside as" in text
    assert contents(bench) == before
    assert bench.stamps() == stamps


@pytest.mark.parametrize("name", NAMES)
def test_each_alone_too(bench, name):
    before = contents(bench)
    damage(bench.folder / OWN / name, "truncated")
    assert f"{OWN}/{name}: its contents do not match its checksum" in runs_again(bench)
    assert contents(bench) == before


def test_an_edited_number_is_not_shown(bench):
    """Not by Snakemake, and not by a report that is asked for by hand."""
    path = bench.folder / OWN / "fits.json"
    edited = json.loads(path.read_bytes())
    edited["summary"] = ["EDITED BY HAND"]
    path.write_text(json.dumps(edited))
    page = bench.folder / "reports" / "faults" / "index.html"
    ended = bench.do("report", "studies/faults.yaml")
    assert f"{OWN}/fits.json: its contents do not match its checksum; set aside as fits.damaged" in ended.text
    assert "EDITED BY HAND" not in page.read_text()
    assert not path.exists()
    runs_again(bench)
    assert path.exists()


def test_files_of_another_study_are_not_believed(bench):
    """Those of a study that differs in its seeds alone, seals included."""
    before = contents(bench)
    text = (bench.folder / "studies" / "faults.yaml").read_text()
    other = text.replace("name: faults", "name: other").replace("[0, 1, 2, 3, 4]", "[0, 1]")
    (bench.folder / "studies" / "other.yaml").write_text(other)
    run = bench.snakemake("--config", "study=studies/other.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    for name in NAMES:
        for ending in ("", ".seal"):
            content = (bench.folder / "results" / "other" / f"{name}{ending}").read_bytes()
            (bench.folder / OWN / f"{name}{ending}").write_bytes(content)
    said = runs_again(bench)
    assert f"{OWN}/fits.json: is the fits of study other, not the fits of study faults; set aside" in said
    assert contents(bench) == before


def test_plan_names_a_damaged_file_and_leaves_it(bench):
    path = bench.folder / OWN / "claims.json"
    damage(path, "truncated")
    damaged = path.read_bytes()
    ended = bench.do("plan", "studies/faults.yaml")
    assert f"{OWN}/claims.json: its contents do not match its checksum; the next run makes it again" in ended.text
    assert path.read_bytes() == damaged


def test_fit_and_complete_by_hand_find_damage_too(bench):
    before = contents(bench)
    damage(bench.folder / OWN / "runs.parquet", "truncated")
    damage(bench.folder / OWN / "claims.json", "empty")
    ended = bench.run("complete", "studies/faults.yaml")
    assert ended.code == 1
    assert f"{OWN}/runs.parquet: its contents do not match its checksum; set aside as runs.damaged" in ended.text
    assert bench.do("fit", "studies/faults.yaml").code == 0
    assert contents(bench) == before
    assert bench.run("complete", "studies/faults.yaml").code == 0


def test_results_without_seals_are_made_again(bench):
    """As those that an older version of the program left."""
    before = contents(bench)
    for path in (bench.folder / OWN).rglob("*.seal"):
        path.unlink()
    assert f"{OWN}/runs.parquet: its checksum, runs.parquet.seal, is missing or damaged" in runs_again(bench)
    assert contents(bench) == before


def test_an_edit_of_how_laws_are_fitted_is_seen_without_snakemakes_notes(bench):
    """Of the study, here: the last look compares what laws were made from with what stands there now."""
    bench.write_study(("laws: {bootstrap: 0}", "laws: {bootstrap: 0, seed: 7}"))
    first = bench.snakemake("--rerun-triggers", "mtime", *STUDY)
    assert first.returncode != 0
    assert "results/faults/fits.json, results/faults/claims.json: not what the study, its store" in first.stdout + first.stderr
    runs_again(bench, "--rerun-triggers", "mtime")
