"""What a user may get wrong, seen from outside: one clear message, an exit code that is not 0, no job started."""

import pytest

pytestmark = pytest.mark.slow

BAD = """\
name: bad
families: {vti: , mlp: {params: [5]}}
grid: {params: [13000], images: [90000], sedes: [1]}
recipe: {batch: true}
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
            "recipe.batch: received true; must be a number",
        ):
            assert part in output(run)
        assert "Traceback" not in output(run)
    assert not (checkout.folder / "results" / "bad").exists()


def test_configfile_is_refused_with_the_hint(checkout):
    run = checkout.snakemake("-n", "--configfile", "studies/smoke.yaml")
    assert run.returncode != 0
    assert "--config study=studies/NAME.yaml" in output(run)


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
