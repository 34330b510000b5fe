"""The text of a first study is read back as it was meant, whatever the names in it."""

from pathlib import Path

import pytest

from scaling.study.schema import Study
from scaling.study.starter_grids import Shape, Spacing
from scaling.study.starter_text import Starter, entry_of, name_from, scalar
from scaling.study.study_file import parse, read_tree


def read(tmp_path: Path, **changes) -> Study:
    said = {
        "name": "my",
        "data": {"source": "image-folder", "folder": "photos", "side": 64, "validation": 100},
        "families": {"mlp": None, "convnext": "timm/convnext"},
        "shape": Shape(Spacing(5000, 40_000, 3), Spacing(100, 400, 3)),
        "data_sizes": (100, 200, 400),
        "anchor_images": 400,
        "device": "auto",
        "budget": "60 minutes",
    }
    path = tmp_path / "my.yaml"
    path.write_text(Starter(**(said | changes)).text(path), encoding="utf-8")
    study, problems = parse(read_tree(path))
    assert problems == []
    return study


def test_it_says_what_was_meant(tmp_path):
    study = read(tmp_path)
    assert (study.name, list(study.families), study.data.side) == ("my", ["mlp", "convnext"], 64)
    assert study.architecture("convnext").family == "timm/convnext"
    assert study.grid.params == [5000, 14_000, 40_000]
    assert study.grid.images == [100, 200, 400]
    assert [(repeat.images, repeat.seeds) for repeat in study.grid.repeats] == [([100], [1, 2]), ([200], [1])]
    assert study.family_recipe("mlp").anchors.images == [400]


@pytest.mark.parametrize("folder", ["two words", "a: b", "{Größe}", "1e5", "true", "#1", 'it\'s "q"'])
def test_folders_have_any_name(tmp_path, folder):
    study = read(tmp_path, data={"source": "image-folder", "folder": folder, "side": 64, "validation": 100})
    assert study.data.folder == Path(folder)


def test_words_that_yaml_reads_otherwise_are_quoted():
    assert [scalar(word) for word in ("photos", "a/b.csv", "No", "1e5", 64)] == ["photos", "a/b.csv", '"No"', '"1e5"', "64"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("my.yaml", "my"), ("Zwei Worte.yml", "zwei-worte"), ("store.yaml", "store-study"), ("é.yaml", "study"), ("_a.yaml", "a")],
)
def test_the_study_is_named_as_its_file(file, name):
    assert name_from(Path("somewhere") / file) == name


def test_entries_of_models_from_outside_have_their_names():
    assert entry_of("vit") == ("vit", None)
    assert entry_of("timm/efficientnet_b0") == ("efficientnet-b0", "timm/efficientnet_b0")
    assert entry_of("models/my_nets.py:Tiny_Net") == ("tiny-net", "models/my_nets.py:Tiny_Net")
