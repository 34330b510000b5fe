import pytest
from pydantic import ValidationError

from scaling.models import get_family
from scaling.models.registry import FAMILIES
from scaling.study.brought import SGD_RATES
from scaling.study.family_settings import FamilyName
from scaling.study.recipe import ADDED_FIELDS, Recipe, RecipeChanges, recipe_for
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
    assert recipe.anchors.images == [7]
    assert recipe.anchors.rates == FAMILIES["vit"].recipe["anchors"]["rates"]


def test_a_change_that_makes_no_recipe_is_refused():
    with pytest.raises(ValidationError):
        recipe_for("modern", "vit", {"anchors": {"rates": []}})


def test_the_key_s_part_leaves_out_where_the_rate_was_tuned():
    left_out = set(Recipe.model_fields) - set(recipe_for("modern", "vit").settings())
    assert left_out == {"anchors", "learning_rate", *ADDED_FIELDS}


def test_optimisers_bring_rates_from_which_a_study_departs():
    own = FAMILIES["vit"].recipe["anchors"]["rates"]

    def rates(*changes):
        return recipe_for("modern", "vit", *changes).anchors.rates

    assert rates({"optimizer": "adamw"}) == rates({"optimizer": "muon"}) == own
    assert rates({"optimizer": "sgd-nesterov"}) == rates({"optimizer": "sgd"}) == SGD_RATES
    assert rates({"optimizer": "sgd"}, {"optimizer": "adam"}) == own
    assert rates({"optimizer": "schedule-free-adamw"}) == pytest.approx([2 * rate for rate in own])
    assert rates({"optimizer": "sgd", "anchors": {"rates": [1, 2]}}) == [1, 2]
    assert rates({"anchors": {"rates": [1, 2]}}, {"optimizer": "sgd"}) == [1, 2]
    assert recipe_for("historical", "vgg").anchors.rates == SGD_RATES
    assert recipe_for("historical", "vgg", {"optimizer": "adamw"}).anchors.rates == FAMILIES["vgg"].recipe["anchors"]["rates"]


def test_schedule_free_sets_its_schedule_and_refuses_others():
    recipe = recipe_for("historical", "vgg", {"optimizer": "schedule-free-adamw"})
    assert (recipe.schedule, recipe.average) == ("constant", 0)
    for change in ({"schedule": "linear"}, {"average": 100}):
        with pytest.raises(ValidationError, match="schedule-free-adamw needs"):
            recipe_for("modern", "vit", change, {"optimizer": "schedule-free-adamw"})


def test_a_length_takes_the_place_of_another_way_to_say_it():
    def length(*changes):
        return recipe_for("modern", "vit", *changes).length(1000)

    assert length() == 24_000
    assert length({"epochs": 2.5}) == 2500
    assert length({"images_seen": 7}) == 7
    assert length({"images_seen": 7}, {"epochs": 3}) == 3000
    assert length({"epochs": 3}, {"images_floor": 50_000}) == 50_000
    assert length({"images_floor": 50_000}, {"images_factor": 60}) == 60_000
    assert recipe_for("modern", "vit", {"epochs": 3}).steps(1000) == 47


@pytest.mark.parametrize(
    "said", [{"epochs": 1, "images_seen": 5}, {"images_factor": 3, "epochs": 1}, {"images_floor": 3, "images_seen": 1}]
)
def test_a_length_is_said_once(said):
    with pytest.raises(ValidationError, match=r"the length of training is given twice, by .* and by .*; keep one"):
        RecipeChanges.model_validate(said)


def test_a_warm_up_in_images_takes_the_place_of_a_share_and_the_other_way_round():
    def rises(*changes):
        return recipe_for("modern", "vit", {"batch": 50}, *changes).warmup_steps(1000)

    assert rises() == 100
    assert rises({"warmup": 0.2}, {"warmup_images": 800}) == 16
    assert rises({"warmup_images": 800}, {"warmup": 0.2}) == 200
    with pytest.raises(ValidationError, match="the warm-up is given twice, by warmup and by warmup_images; keep one"):
        RecipeChanges.model_validate({"warmup": 0.1, "warmup_images": 800})


@pytest.mark.parametrize("decay", [0, 1.01])
def test_layer_decay_is_a_share(decay):
    with pytest.raises(ValidationError, match="layer_decay"):
        recipe_for("modern", "vit", {"layer_decay": decay})


def test_keys_at_their_defaults_that_came_later_leave_older_settings_alone():
    plain = recipe_for("modern", "vit")
    assert recipe_for("modern", "vit", {"crop": 1.0, "mixup": 0.0}).settings() == plain.settings()
    assert recipe_for("modern", "vit", {"crop": 0.5}).settings() == plain.settings() | {"crop": 0.5}


def test_momentum_of_0_is_refused_where_it_has_no_meaning():
    assert recipe_for("modern", "vit", {"optimizer": "sgd", "beta1": 0}).beta1 == 0
    for optimizer in ("sgd-nesterov", "schedule-free-adamw"):
        with pytest.raises(ValidationError, match=f"{optimizer} needs a beta1 above 0"):
            recipe_for("modern", "vit", {"beta1": 0}, {"optimizer": optimizer})


def test_a_batch_may_grow_with_d_or_n():
    grows = recipe_for("modern", "vit", {"batch": 64, "batch_power": 0.5, "batch_at": 1000})
    assert [grows.of_run(5000, images).batch for images in (1, 250, 1000, 4000)] == [2, 32, 64, 128]
    by_size = recipe_for("modern", "vit", {"batch_power": 1.0, "batch_of": "params", "batch_at": 10_000})
    assert [by_size.of_run(params, 500).batch for params in (10_000, 40_000)] == [64, 256]
    # A run does not know how its batch was chosen: it is the run of a study that names the batch.
    assert grows.of_run(5000, 4000).settings() == recipe_for("modern", "vit", {"batch": 128}).settings()
    assert grows.of_run(5000, 4000).steps(4000) == -(-grows.length(4000) // 128)
    usual = recipe_for("modern", "vit")
    assert usual.of_run(5000, 4000) is usual


@pytest.mark.parametrize("said", [{"batch_power": 1.5}, {"batch_of": "flop"}, {"batch_at": 0}], ids=str)
def test_a_batch_grows_by_a_rule_that_has_a_meaning(said):
    with pytest.raises(ValidationError):
        recipe_for("modern", "vit", said)
