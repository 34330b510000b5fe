import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from scaling.files import digest
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.runs.grid import cells, packs
from scaling.runs.job_hashes import benchmarks_hash, pack_hash, tuning_hash
from scaling.runs.resolve import RateRule, Tuning, resolve
from scaling.study.schema import Study


def study(**changes) -> Study:
    base = {
        "name": "a",
        "families": {"vit": None, "mlp": {"params": [13000]}},
        "grid": {"params": [5000, 11000], "images": [500, 1000], "seeds": [0]},
    }
    return Study.model_validate(base | changes)


def test_cells_are_the_product_with_repeats():
    one = study(grid={"params": [1, 2], "images": [3, 4], "seeds": [0], "repeats": [{"images": [3], "seeds": [1, 0]}]})
    assert [(c.target, c.images, c.seed) for c in cells(one, "vit")] == [
        (1, 3, 0),
        (1, 3, 1),
        (1, 4, 0),
        (2, 3, 0),
        (2, 3, 1),
        (2, 4, 0),
    ]


def test_runs_beside_the_grid_are_cells_of_their_family_alone():
    added = [
        {"family": "vit", "params": 7, "images": 3, "seeds": [5]},
        {"family": "vit", "params": 1, "images": 3, "seeds": [0, 2]},
    ]
    grid = {"params": [1], "images": [3], "seeds": [0]}
    plain, more = study(grid=grid), study(grid=grid | {"added": added})
    assert [(c.target, c.images, c.seed) for c in cells(more, "vit")] == [(1, 3, 0), (1, 3, 2), (7, 3, 5)]
    assert cells(more, "mlp") == cells(plain, "mlp")
    assert (more.sizes("vit"), more.all_sizes("vit"), more.with_laws()) == ([1], [1, 7], ["vit", "mlp"])


@given(st.sampled_from(["family", "size", "cell"]))
def test_packs_partition_the_cells(kind):
    one = study(jobs={"pack": kind})
    members = [cell for pack in packs(one).values() for cell in pack.cells]
    expected = [cell for family in one.families for cell in cells(one, family)]
    assert sorted(members, key=str) == sorted(expected, key=str)
    assert len(packs(one)) == {"family": 2, "size": 3, "cell": 6}[kind]


def hashes(one: Study) -> dict[str, str]:
    return {name: pack_hash(one, pack) for name, pack in packs(one).items()}


def test_an_edit_touches_just_the_packs_that_it_concerns():
    before = hashes(study())
    assert hashes(study(description="another", laws={"bootstrap": 7})) == before
    more = hashes(study(grid={"params": [5000, 11000, 24000], "images": [500, 1000], "seeds": [0]}))
    assert more["mlp"] == before["mlp"]
    assert more["vit"] != before["vit"]
    recipe = hashes(study(recipe={"batch": 32}))
    assert all(recipe[name] != before[name] for name in before)


def test_a_new_size_never_moves_the_anchors():
    more = study(grid={"params": [5000, 24000], "images": [500, 4000], "seeds": [0, 1]})
    assert tuning_hash(study(), "vit") == tuning_hash(more, "vit")
    assert tuning_hash(study(), "vit") != tuning_hash(study(recipe={"anchors": {"images": 700}}), "vit")


def test_key_depends_on_every_setting_and_on_nothing_else(small_cell):
    cell = small_cell()
    assert cell.key == small_cell().key
    changed = {
        "width": 17.0,
        "images": 201,
        "seed": 1,
        "learning_rate": 0.02,
        "device": "cuda",
        "precision": "bf16",
        "checksum": "x",
        "options": (("norm", "none"),),
        "recipe": small_cell(weight_decay=0.1).recipe,
    }
    keys = {dataclasses.replace(cell, **{name: value}).key for name, value in changed.items()}
    assert len(keys | {cell.key}) == len(changed) + 1
    anchored = small_cell(anchors={"images": 777})
    assert anchored.key == cell.key  # where a rate was tuned is no part of what it trained


@given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_digest_ignores_the_order_of_keys(values):
    assert digest(values) == digest(dict(reversed(list(values.items()))))


ARMS = {
    "vit": None,
    "resnet-bare": {"model": "resnet", "options": {"norm": "none"}, "depth": 3, "images": [700], "seeds": [4, 5]},
    "resnet-usual": {"model": "resnet", "options": {"norm": "batch"}, "recipe_name": "historical"},
    "vgg-flop": {"model": "vgg", "depth": 1, "match": "flop", "params": [7000]},
}


def test_an_arm_has_its_own_architecture_cells_and_recipe():
    one = study(families=ARMS)
    assert str(one.architecture("resnet-bare")) == "resnet norm=none depth=3"
    assert one.architecture("resnet-bare").variant == "norm=none depth=3"
    assert one.architecture("resnet-usual") == Architecture("resnet")
    assert one.architecture("vgg-flop").match == "flop"
    assert one.kind("vgg-flop") == "convolutional"
    assert {(c.images, c.seed) for c in cells(one, "resnet-bare")} == {(700, 4), (700, 5)}
    assert one.family_recipe("resnet-usual").optimizer == "sgd"
    assert one.family_recipe("resnet-bare").optimizer == "adamw"


def test_laws_are_for_what_trains_on_the_whole_grid_unless_the_study_says_otherwise():
    assert study(families=ARMS).with_laws() == ["vit", "resnet-usual", "vgg-flop"]
    assert study(families=ARMS, laws={"families": ["resnet-bare"]}).with_laws() == ["resnet-bare"]


def test_an_arm_equal_to_a_family_shares_its_cells_and_another_does_not(ladders):
    arms = {
        "resnet": None,
        "same": {"model": "resnet", "options": {"downsample": "stride"}},
        "fixed": {"model": "resnet", "depth": 1},  # the depth of the family's own rule at this size
        "pooled": {"model": "resnet", "options": {"downsample": "pool"}},
    }
    one = study(families=arms, grid={"params": [5000], "images": [500]})

    def key(name: str) -> str:
        tuning = Tuning(name, RateRule(1.0, 0.01, 0.0), "cpu", "fp32", "x", ())
        return resolve(one, cells(one, name)[0], tuning, ladders, ImageSpec(28, 1, 10)).key

    assert key("resnet") == key("same") == key("fixed")
    assert key("pooled") != key("resnet")


def test_a_batch_that_grows_is_that_of_a_run_which_names_it(ladders):
    tuning = Tuning("mlp", RateRule(1.0, 0.01, 0.0), "cpu", "fp32", "x", ())

    def keys(recipe: dict) -> list[str]:
        one = study(families={"mlp": None}, grid={"params": [13_002], "images": [1000, 4000]}, recipe=recipe)
        return [resolve(one, cell, tuning, ladders, ImageSpec(28, 1, 10)).key for cell in cells(one, "mlp")]

    small, large = keys({"batch_power": 0.5, "batch_at": 1000})
    assert small == keys({})[0]
    assert large == keys({"batch": 128})[1]
    assert large != keys({})[1]


def test_an_arm_that_changes_touches_its_own_pack_alone():
    before = hashes(study(families=ARMS))
    changed = ARMS | {"resnet-bare": ARMS["resnet-bare"] | {"depth": 4}}
    after = hashes(study(families=changed))
    assert {name for name in before if before[name] != after[name]} == {"resnet-bare"}
    assert tuning_hash(study(families=changed), "resnet-bare") != tuning_hash(study(families=ARMS), "resnet-bare")


def test_a_probe_reruns_its_pack_and_tunes_nothing():
    unread, read = study(families={"vit": None}), study(families={"vit": {"probes": ["shift"]}})
    assert hashes(unread).keys() == hashes(read).keys()
    assert not set(hashes(unread).values()) & set(hashes(read).values())
    assert tuning_hash(unread, "vit") == tuning_hash(read, "vit")
    assert benchmarks_hash(unread) == benchmarks_hash(read)


def test_what_is_timed_depends_on_its_own_settings():
    grid = {"params": [5000, 11000], "images": [500, 1000]}
    usual = benchmarks_hash(study(benchmarks={}))
    assert usual == benchmarks_hash(study(benchmarks={}, grid=grid | {"images": [700]}))
    assert usual != benchmarks_hash(study(benchmarks={"rounds": 3}))
    assert usual != benchmarks_hash(study(benchmarks={}, recipe={"batch": 32}))
    assert usual != benchmarks_hash(
        study(benchmarks={}, families={"vit": {"recipe": {"batch": 32}}, "mlp": {"params": [13000]}})
    )
    assert usual == benchmarks_hash(study(benchmarks={}, families={"mlp": {"params": [13000]}, "vit": None}))
    assert usual != benchmarks_hash(study(benchmarks={}, grid=grid | {"params": [5000]}))
