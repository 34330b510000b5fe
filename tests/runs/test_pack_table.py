"""The table of a pack says what became of each of its runs, and is good for these settings alone."""

import pytest

from scaling.runs.derived import read_table
from scaling.runs.grid import packs
from scaling.runs.pack_table import pack_seal, write_pack_table
from scaling.study.layout import Layout
from scaling.study.schema import Study


def study(**grid) -> Study:
    base = {"params": [13_000], "images": [300, 600], "seeds": [0, 1]}
    return Study.model_validate({"name": "a", "families": {"mlp": None}, "grid": base | grid})


@pytest.fixture
def layout(tmp_path, prepared):
    layout = Layout("a", tmp_path / "results", tmp_path / "reports")
    layout.data.mkdir(parents=True)
    (layout.data / prepared.name).symlink_to(prepared)
    return layout


def test_each_run_has_a_row_before_it_is_trained(layout):
    one = study()
    (pack,) = packs(one).values()
    said = []
    written = write_pack_table(one, layout, pack, said.append)
    assert (len(written), set(written["status"]), said) == (4, {"missing"}, [])
    table, seal = read_table(layout.pack(pack.name), pack_seal(one, pack))
    assert table.equals(written)
    assert seal.settings == pack_seal(one, pack).settings


def test_its_seal_changes_with_the_grid_and_not_with_other_families():
    (pack,) = packs(study()).values()
    (longer,) = packs(study(seeds=[0, 1, 2])).values()
    assert pack_seal(study(), pack) != pack_seal(study(seeds=[0, 1, 2]), longer)
    more = Study.model_validate(study().model_dump(exclude_defaults=True) | {"families": {"mlp": None, "vit": None}})
    assert pack_seal(more, packs(more)[pack.name]) == pack_seal(study(), pack)
