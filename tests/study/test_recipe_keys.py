"""The table of docs/recipe.md is whole, and says the defaults that the program has."""

from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic_core import PydanticUndefined

from scaling.study.recipe import Anchors, Recipe, RecipeChanges

TEXT = (Path(__file__).parents[2] / "docs" / "recipe.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| `")]
TABLE = {key.strip("`"): (default, allowed) for key, default, allowed, _ in (row for row in ROWS if len(row) == 4)}
FIELDS = {name: Recipe.model_fields[name] for name in RecipeChanges.model_fields if name != "anchors"}
FIELDS |= {f"anchors.{name}": info for name, info in Anchors.model_fields.items()}


def test_the_table_has_every_key_and_no_other():
    assert list(TABLE) == list(dict.fromkeys(TABLE))
    assert set(TABLE) == set(FIELDS)


@pytest.mark.parametrize("name", [name for name, info in FIELDS.items() if info.default is not PydanticUndefined])
def test_the_table_says_the_default(name):
    default = FIELDS[name].default
    assert TABLE[name][0] == str(default).lower()


@pytest.mark.parametrize("name", [name for name, info in FIELDS.items() if get_origin(info.annotation) is Literal])
def test_the_table_says_the_allowed_words(name):
    assert set(TABLE[name][1].split(", ")) == set(get_args(FIELDS[name].annotation))
