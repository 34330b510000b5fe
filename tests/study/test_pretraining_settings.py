import pytest

from scaling.jobs.opening import open_study
from scaling.models.family import ImageSpec
from scaling.runs.grid import cells, packs
from scaling.runs.job_hashes import pack_hash, tuning_hash
from scaling.runs.resolve import RateRule, Tuning, resolve
from scaling.study.schema import Study
from scaling.study.study_file import StudyError

GRID = {"params": [5000, 11000], "images": [500, 1000], "seeds": [0, 1]}


def study(**pretrain) -> Study:
    arm = {"model": "vit", "pretrain": {"objective": "mae"} | pretrain}
    return Study.model_validate({"name": "a", "families": {"vit": None, "vit-mae": arm}, "grid": GRID})


def keys(one: Study, ladders, arm: str = "vit-mae"):
    tuning = Tuning(arm, RateRule(1.0, 0.01, 0.0), "cpu", "fp32", "x", ())
    return [resolve(one, cell, tuning, ladders, ImageSpec(28, 1, 10)) for cell in cells(one, arm)]


def test_one_backbone_a_size_and_seed_for_all_data_sizes(ladders):
    found = keys(study(), ladders)
    assert len(found) == 8
    assert len({cell.backbone.key for cell in found}) == 4
    assert all(cell.backbone.seed == cell.seed for cell in found)
    assert all(cell.backbone is None for cell in keys(study(), ladders, "vit"))


@pytest.mark.parametrize(
    "change",
    [{"mask": 0.5}, {"images": 5000}, {"recipe": {"images_floor": 1000}}, {"recipe": {"learning_rate": 0.1}}],
)
def test_a_change_of_pretraining_touches_its_entry_alone(change, ladders):
    before, after = study(), study(**change)
    hashes = [{name: pack_hash(one, pack) for name, pack in packs(one).items()} for one in (before, after)]
    assert hashes[0]["vit"] == hashes[1]["vit"]
    assert hashes[0]["vit-mae"] != hashes[1]["vit-mae"]
    assert tuning_hash(before, "vit-mae") != tuning_hash(after, "vit-mae")
    assert not {c.key for c in keys(before, ladders)} & {c.key for c in keys(after, ladders)}
    assert [c.key for c in keys(before, ladders, "vit")] == [c.key for c in keys(after, ladders, "vit")]


def test_what_is_said_by_default_or_by_name_is_the_same(ladders):
    assert [c.key for c in keys(study(), ladders)] == [c.key for c in keys(study(mask=0.75, images=10_000), ladders)]


def test_the_rate_falls_with_the_width():
    mae = study().entry("vit-mae").pretrain
    assert mae.rate(64) == pytest.approx(mae.rate(16) / 2, rel=0.01)
    assert study(recipe={"learning_rate": 0.1}).entry("vit-mae").pretrain.rate(64) == 0.1


@pytest.mark.parametrize(
    ("model", "pretrain", "probes", "message"),
    [
        (
            "vit",
            "{objective: mea}",
            "[]",
            "pretrain.objective: received \"mea\", allowed: 'mae' or 'dino'; did you",
        ),
        ("vit", "{objective: mae, mask: 1}", "[]", "pretrain.mask: received 1; input should be less than 1"),
        ("vit", "{objective: dino, mask: 0.5}", "[]", "mask: dino hides no patches"),
        ("vit", "{objective: mae, images: 99999}", "[]", "pretrain.images: received 99999; allowed: at most 18000"),
        ("vit", "{objective: mae, recipe: {learning_rate: tuned}}", "[]", "the rate of pre-training is not tuned"),
        ("vit", "{objective: mae, masc: 0.5}", "[]", "masc: unknown key; did you mean 'mask'?"),
        ("vit", "{objective: mae, recipe: {cutmix: 1}}", "[]", "recipe.cutmix: pre-training has no labels to mix"),
        ("vit", "{objective: mae, recipe: {layer_decay: 0.5}}", "[]", "recipe.layer_decay: pre-training starts from random"),
        ("vit", "{objective: dino, recipe: {optimizer: schedule-free-adamw}}", "[]", "schedule-free-adamw does not pre-train"),
        ("swin", "{objective: mae}", "[]", "swin cannot be pre-trained; allowed: vit"),
        ("vit", "{objective: dino}", "[reconstruction]", "reconstruction is read off what mae pre-trained"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(tmp_path, ladders, model, pretrain, probes, message):
    path = tmp_path / "study.yaml"
    path.write_text(
        f"name: a\nfamilies:\n  arm: {{model: {model}, pretrain: {pretrain}, probes: {probes}}}\n"
        "grid: {params: [13000], images: [500]}\n"
    )
    with pytest.raises(StudyError) as found:
        open_study(path, ladders)
    assert message in str(found.value)
    assert "line 3" in str(found.value)
