"""Exit codes from outside: 0 all is there, 1 work is missing or failed, 2 bad input (75: see the deadlines); no traceback."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUDY = "studies/faults.yaml"
OF_RUNS = (
    ("collect", STUDY),
    ("fit", STUDY),
    ("report", STUDY),
    ("status", STUDY),
    ("status", STUDY, "--once"),
    ("status", STUDY, "--json"),
    ("complete", STUDY),
    ("train", STUDY, "mlp"),
)


def codes(bench, *commands: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for words in commands:
        ended = bench.run(*words)
        assert "Traceback" not in ended.text, ended.text
        found[" ".join(words)] = ended.code
    return found


def test_0_where_all_is_there(bench):
    found = codes(bench, *OF_RUNS, ("tune", STUDY, "mlp"), ("plan", STUDY), ("prepare", STUDY), ("schema",))
    assert set(found.values()) == {0}, found


def test_1_where_runs_are_missing_and_0_in_a_rule(fresh):
    found = codes(fresh, *OF_RUNS[:-1])
    assert set(found.values()) == {1}, found
    rules = codes(fresh, *((*words, "--keep-going") for words in OF_RUNS[:3]))
    assert set(rules.values()) == {0}, rules
    assert codes(fresh, ("plan", STUDY)) == {f"plan {STUDY}": 0}


def test_1_for_a_fit_of_a_study_that_has_not_run(bench):
    bench.write_study(("name: faults", "name: never-run"))
    ended = bench.run("fit", STUDY)
    assert ended.code == 1
    assert ended.text.splitlines() == [
        f"no run of {STUDY} has a result yet: run `snakemake --cores all --config study={STUDY}` first"
    ]


def test_1_for_a_pack_with_a_run_that_fails(fresh):
    plugin = fresh.plant("breaks", "from scaling.training import loop\n\nloop.build = None\n")
    assert fresh.run("train", STUDY, "mlp", PLUGINS=plugin).code == 1
    assert fresh.run("train", STUDY, "mlp", "--keep-going", PLUGINS=plugin).code == 0


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nothing",),
        ("plan", "studies/nothing.yaml"),
        ("plan", "studies"),
        ("plan", "a" * 5000),
        ("plan", STUDY, "--jsn"),
        ("status", "studies/nothing.yaml"),
        ("complete", "studies/nothing.yaml"),
        ("report", "studies/nothing.yaml"),
        ("collect", "studies/nothing.yaml"),
        ("prepare", "studies/nothing.yaml"),
        ("calibrate", "studies/nothing.yaml"),
        ("benchmark", STUDY),
        ("train", STUDY),
        ("train", STUDY, "nothing"),
        ("train", STUDY, "mlp", "--cores", "0"),
        ("tune", STUDY, "nothing"),
        ("tune", STUDY, "mlp", "--cores", "-1"),
        ("fit", "studies/nothing.yaml"),
        ("fit", STUDY, "--law", "kaplan"),
        ("fit", "nothing.csv"),
        ("extrapolate", STUDY),
        ("compare", STUDY),
        ("forecast", STUDY),
        ("schema", "more"),
    ],
)
def test_2_for_what_a_user_got_wrong(bench, words):
    ended = bench.run(*words)
    assert ended.code == 2, ended.text
    assert ended.text.strip()
    assert "Traceback" not in ended.text


def test_the_codes_stand_in_the_help(bench):
    for words in (("--help",), ("train", "--help"), ("forecast", "--help")):
        assert "75 stopped, to be continued" in " ".join(bench.do(*words).text.split())
