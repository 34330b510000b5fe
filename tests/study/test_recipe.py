import pytest
from pydantic import ValidationError

from scaling.models import get_family
from scaling.models.registry import FAMILIES
from scaling.study.recipe import Recipe, recipe_for
from scaling.study.schema import FamilyName
from scaling.training.loop import Trainer


def test_every_family_has_a_recipe_and_can_be_named_in_a_study():
    assert set(FAMILIES) == set(FamilyName.__args__)
    assert all(get_family(name).name == name for name in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_historical_recipe_trains_every_family(family, small_cell, images):
    import dataclasses

    cell = dataclasses.replace(small_cell(family, 14_000), recipe=recipe_for("historical", family), learning_rate=0.001)
    trainer = Trainer(cell, images)
    trainer.model.train()
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train_step()
    assert all(bool(p.isfinite().all()) for p in trainer.model.parameters())
    assert any(not (a == b).all() for a, b in zip(before, trainer.model.parameters(), strict=True))


def test_alexnet_as_in_2012():
    recipe = recipe_for("historical", "alexnet")
    assert (recipe.optimizer, recipe.beta1, recipe.batch, recipe.dropout) == ("sgd", 0.9, 128, 0.5)


def test_later_changes_win_and_anchors_are_merged():
    recipe = recipe_for("modern", "vit", {"batch": 32, "anchors": {"images": 7}}, {"batch": 16})
    assert recipe.batch == 16
    assert recipe.anchors.images == 7
    assert recipe.anchors.rates == FAMILIES["vit"].recipe["anchors"]["rates"]


def test_a_change_that_makes_no_recipe_is_refused():
    with pytest.raises(ValidationError):
        recipe_for("modern", "vit", {"anchors": {"rates": []}})


def test_the_key_s_part_leaves_out_where_the_rate_was_tuned():
    assert set(Recipe.model_fields) - set(recipe_for("modern", "vit").settings()) == {"anchors", "learning_rate"}
