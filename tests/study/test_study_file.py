import json
from pathlib import Path

import pytest

from scaling.study.study_file import SCHEMA_PATH, StudyError, parse, read_tree, schema_text

ROOT = Path(__file__).parents[2]
GOOD = "name: a\nfamilies: {vit: }\ngrid: {params: [5000], images: [500]}\n"


def problems(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    study, found = parse(read_tree(path))
    return study, [str(problem) for problem in found]


def test_a_good_study_is_read(tmp_path):
    study, found = problems(tmp_path, GOOD)
    assert found == []
    assert study.sizes("vit") == [5000]
    assert study.family_recipe("vit").anchors.rates


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("families: {vit: {measures: [shift]}}", "families: {vit: {probes: [shift]}}"),
        ("timings: {rounds: 3}", "benchmarks: {rounds: 3}"),
        ("benchmarks: {measures: [paper-sizes]}", "benchmarks: {names: [paper-sizes]}"),
    ],
)
def test_keys_of_an_older_study_file_are_read(tmp_path, old, new):
    rest = "name: a\ngrid: {params: [5000], images: [500]}\n" + "families: {vit: }\n" * (not new.startswith("families"))
    (study, found), now = problems(tmp_path, rest + old + "\n"), problems(tmp_path, rest + new + "\n")
    assert found == []
    assert (study, found) == now
    assert study != problems(tmp_path, GOOD)[0]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("timings: {families: [vti]}\n", "line 4: benchmarks.families[0]: received \"vti\"; did you mean 'vit'?"),
        ("timings: {measures: [speed]}\n", "line 4: benchmarks.names[0]: received \"speed\", allowed: 'families', "),
        ("timings: {}\nbenchmarks: {}\n", "line 4: timings: unknown key"),
    ],
)
def test_an_error_under_an_older_key_has_its_line(tmp_path, block, expected):
    study, found = problems(tmp_path, GOOD + block)
    assert study is None
    assert len(found) == 1
    assert expected in found[0]


def test_scientific_notation_is_a_number(tmp_path):
    study, found = problems(tmp_path, GOOD.replace("[5000]", "[5e3]") + "recipe: {weight_decay: 1e-3}\n")
    assert found == []
    assert study.grid.params == [5000]
    assert study.family_recipe("vit").weight_decay == 1e-3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("familes: {}\n", "line 4: familes: unknown key; did you mean 'families'?"),
        ("data: {source: cifar}\n", "data.source: received \"cifar\", allowed: 'fashion-mnist'"),
        ("data: {side: 12}\n", "data.side: received 12; input should be greater than or equal to 28"),
        ("recipe: {batch: true}\n", "recipe.batch: received true; must be a number"),
        ("recipe: {batch: '64'}\n", 'recipe.batch: received "64"; must be a number'),
        ("recipe: {weight_decay: .nan}\n", "recipe.weight_decay: received NaN; input should be a finite number"),
        ("recipe: {clip: -1}\n", "recipe.clip: received -1; input should be greater than or equal to 0"),
        ("recipe: {learning_rate: tuend}\n", "recipe.learning_rate: received \"tuend\", allowed: 'tuned' or a number"),
        ("recipe: {learning_rate: -1}\n", "recipe.learning_rate: received -1; input should be greater than 0"),
        ("claims: 5\n", "line 4: claims: received 5, allowed: 'all' or a list"),
        ("laws: {bootstrap: -5}\n", "laws.bootstrap: received -5"),
        ("jobs: {pack: familly}\n", "did you mean 'family'?"),
        ("benchmarks: {families: [vti]}\n", "line 4: benchmarks.families[0]: received \"vti\"; did you mean 'vit'?"),
        ("benchmarks: {names: [families, speed]}\n", "benchmarks.names[1]: received \"speed\", allowed: 'families', "),
        ("laws: {families: [vti]}\n", "line 4: laws.families[0]: received \"vti\"; did you mean 'vit'?"),
    ],
)
def test_each_error_names_place_value_and_what_is_allowed(tmp_path, change, expected):
    study, found = problems(tmp_path, GOOD + change)
    assert study is None
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("a-b: ", "families.a-b: received \"a-b\", allowed: 'mlp'"),
        ("a-b: ", "an entry of another name says which family it is by `model`"),
        ("a-b: {model: vgs}", "families.a-b.model: received \"vgs\", allowed: 'mlp', 'alexnet', 'vgg'"),
        ("a-b: {model: swin, options: {shft: false}}", 'families.a-b.options: received {"shft": false}; swin has no option'),
        ("a-b: {model: swin, options: {shift: 2}}", "option shift of swin is 2; allowed: true, false"),
        ("a-b: {model: resnet, options: {norm: layer}}", "option norm of resnet is layer; allowed: batch, none"),
        ("a-b: {model: vgg, depht: 2}", "families.a-b.depht: unknown key; did you mean 'depth'?"),
        ("a_b: {model: vgg}", 'families.a_b: received "a_b"; string should match pattern'),
        ("list: {model: vgs}", "families.list.model: received \"vgs\", allowed: 'mlp'"),
        ("float: {model: vgg, depht: 2}", "families.float.depht: unknown key; did you mean 'depth'?"),
        ("a-b: {model: }", "families.a-b: received \"a-b\", allowed: 'mlp'"),
        ("resnet: {model: vgg}", 'families.resnet.model: received "vgg"; an entry called resnet is that family'),
    ],
)
def test_errors_of_an_arm_name_what_is_allowed(tmp_path, arm, expected):
    _, found = problems(tmp_path, GOOD.replace("vit: ", f"vit: , {arm}"))
    assert len(found) == 1
    assert expected in found[0]


def test_all_errors_are_said_at_once(tmp_path):
    text = "name: A b\nfamilies: {vti: }\ngrid: {params: [-1], images: [500, 500], sedes: [1]}\n"
    _, found = problems(tmp_path, text)
    assert len(found) == 5
    assert any("families.vti" in line and "did you mean 'vit'?" in line for line in found)
    assert any("must not list a value twice: 500" in line for line in found)


def test_duplicate_keys_are_refused_with_both_lines(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: a\ngrid:\n  params: [1]\n  images: [1]\n  params: [2]\n")
    with pytest.raises(StudyError, match=r"params: the key stands twice, in lines 3 and 5"):
        read_tree(path)


def test_all_allowed_values_are_named(tmp_path):
    many = "name: a\nfamilies: {" + ", ".join(f"a{i}: {{model: vit}}" for i in range(40)) + "}\n"
    _, (found,) = problems(tmp_path, many + "grid: {params: [5000], images: [500]}\nlaws: {families: [zzz]}\n")
    assert 'received "zzz"; allowed: a0, a1' in found
    assert found.endswith(", a38, a39")


def test_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "smoke.yaml").write_text(GOOD)
    with pytest.raises(StudyError, match=r"no such file; did you mean .*smoke\.yaml"):
        read_tree(tmp_path / "smok.yaml")


@pytest.mark.parametrize("text", ["- a\n", "a: [1\n", "a: b: c\n", ""])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"study\.yaml"):
        read_tree(path)


def test_schema_file_is_the_one_generated():
    assert (ROOT / SCHEMA_PATH).read_text() == schema_text(), "run: uv run scaling schema > workflow/schemas/study.schema.json"


def test_every_default_that_the_schema_states_is_valid():
    assert json.loads(schema_text())["title"] == "A scaling study"


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))], ids=lambda p: p.name)
def test_the_studies_that_come_with_it_are_valid(path):
    study, found = parse(read_tree(path))
    assert found == []
    assert study.families
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.split("=")[1]).resolve() == (ROOT / SCHEMA_PATH).resolve()
