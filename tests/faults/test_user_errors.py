"""What a user may get wrong, seen from outside: one clear message, an exit code that is not 0, no job started."""

import pytest

pytestmark = pytest.mark.slow

BAD = """\
name: bad
families: {vti: , mlp: {params: [5]}}
grid: {params: [13000], images: [90000, 90000], sedes: [1], seeds: [-1]}
recipe: {batch: true, clip: "1e-3", optimizer: adamv, dropout: 1.5, weight_decay: .nan}
device: cdua
jobs: {cores: 0}
laws: {families: mlp}
"""


def output(run) -> str:
    return run.stdout + run.stderr


def test_all_errors_of_a_study_before_any_job(checkout):
    (checkout.folder / "studies" / "bad.yaml").write_text(BAD)
    for run in (checkout.snakemake("--config", "study=studies/bad.yaml"), checkout.scaling("plan", "studies/bad.yaml")):
        assert run.returncode != 0
        for part in (
            'studies/bad.yaml: line 2: families.vti: received "vti"',
            "did you mean 'vit'?",
            "families.mlp.params[0]: mlp cannot have 5 parameters",
            "grid.images[0]: received 90000; allowed: at most 18000",
            "grid.sedes: unknown key; did you mean 'seeds'?",
            "line 4: recipe.batch: received true; must be a number",
            'line 4: recipe.clip: received "1e-3"; must be a number',
            "recipe.optimizer: received \"adamv\", allowed: 'adamw', 'adam', 'sgd', 'sgd-nesterov', 'muon' or "
            "'schedule-free-adamw'; did you mean 'adam'?",
            "recipe.dropout: received 1.5; input should be less than 1",
            "recipe.weight_decay: received NaN; input should be a finite number",
            "grid.images: received [90000, 90000]; must not list a value twice: 90000",
            "grid.seeds[0]: received -1; input should be greater than or equal to 0",
            "line 5: device: received \"cdua\", allowed: 'auto', 'cpu', 'cuda' or 'mps'; did you mean 'cuda'?",
            "line 6: jobs.cores: received 0; input should be greater than 0",
            'line 7: laws.families: received "mlp"; input should be a valid list',
        ):
            assert part in output(run)
        assert "Traceback" not in output(run)
    assert not (checkout.folder / "results" / "bad").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "name: the key stands twice, in lines 1 and 2; keep one"),
        ("name: [a\n", "line 2: not YAML: expected ',' or ']'"),
        ("name: a\nfamilies: {mlp: }\n", "grid: this key is missing"),
        ("- a\n", "must be a mapping of keys"),
        ("name: a\nfamilies: !!python/object/apply:os.mkdir [executed]\n", "studies/broken.yaml: "),
    ],
)
def test_files_that_are_no_study(bench, text, message):
    (bench.folder / "studies" / "broken.yaml").write_text(text)
    ended = bench.run("plan", "studies/broken.yaml")
    assert ended.code == 2
    assert message in ended.text
    assert "Traceback" not in ended.text
    assert not (bench.folder / "executed").exists()


def test_configfile_is_refused_with_the_hint(checkout):
    run = checkout.snakemake("-n", "--configfile", "studies/smoke.yaml")
    assert run.returncode != 0
    assert "a study is a file, chosen by --config study=FILE" in output(run)


def test_a_study_that_is_not_there(checkout):
    run = checkout.snakemake("-n", "--config", "study=studies/smok.yaml")
    assert run.returncode != 0
    assert "studies/smok.yaml: no such file; did you mean studies/smoke.yaml?" in output(run)


def test_training_before_tuning_says_what_to_do(checkout):
    run = checkout.scaling("train", "studies/smoke.yaml", "mlp")
    assert run.returncode == 2
    assert "run `scaling tune studies/smoke.yaml mlp` first" in output(run)
    run = checkout.scaling("train", "studies/smoke.yaml", "mpl")
    assert run.returncode == 2
    assert "did you mean mlp?" in output(run)
