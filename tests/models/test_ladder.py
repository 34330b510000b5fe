import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaling.models import ImageSpec, Ladders, SizeError, build, get_family, ladder
from scaling.models.architecture import Architecture
from scaling.models.counting import count_params, forward_flop
from scaling.models.registry import FAMILIES

GREY = ImageSpec(28, 1, 10)
COLOUR = ImageSpec(64, 3, 100)
SMALLEST = {
    "mlp": 13_100,
    "alexnet": 8_200,
    "vgg": 5_000,
    "googlenet": 4_000,
    "plain": 5_000,
    "resnet": 5_000,
    "vit": 3_300,
    "swin": 6_300,
    "mixer": 5_000,
    "convnext": 5_000,
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "ladders.json"


@pytest.mark.parametrize("name", FAMILIES)
def test_ranges_span_three_decades(ladders: Ladders, name: str):
    smallest, largest = ladders.range(name, GREY)
    assert smallest <= SMALLEST[name]
    assert largest >= 20_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(list(FAMILIES)), image=st.sampled_from([GREY, COLOUR]), share=st.floats(0, 1))
def test_any_target_within_the_range_is_met_or_explained(ladders: Ladders, name: str, image: ImageSpec, share: float):
    smallest, largest = ladders.range(name, image)
    target = round(smallest * (largest / smallest) ** share)
    rung = ladders.rung(name, target, image)
    assert rung.within == (abs(rung.params - target) <= 0.05 * target)
    assert rung.within == (not rung.note)
    assert abs(rung.params - target) <= 0.1 * target
    low, high, _ = get_family(name).widths
    assert low <= rung.width <= high


@pytest.mark.parametrize("name", FAMILIES)
def test_n_and_width_rise_with_the_target(ladders: Ladders, name: str):
    smallest, largest = ladders.range(name, GREY)
    targets = [math.ceil(smallest * (largest / smallest) ** (step / 8)) for step in range(8)]
    rungs = [ladders.rung(name, target, GREY) for target in targets]
    for lower, upper in pairwise(rungs):
        assert lower.params < upper.params
        assert lower.depth <= upper.depth


@pytest.mark.parametrize("name", FAMILIES)
def test_a_rung_describes_the_model_that_it_builds(ladders: Ladders, name: str):
    rung = ladders.rung(name, 50_000, GREY)
    model = build(name, rung.width, rung.depth, GREY)
    assert (rung.family, rung.target) == (name, 50_000)
    assert rung.params == count_params(model)
    assert rung.flop_forward == forward_flop(model, GREY)


def test_depth_is_the_deepest_whose_narrowest_net_fits(ladders: Ladders):
    vit = get_family("vit")
    starts = {depth: count_params(build("vit", width, depth, GREY)) for width, depth in vit.depths[:2]}
    assert ladders.rung("vit", starts[6] - 1, GREY).depth == 3
    assert ladders.rung("vit", starts[6], GREY).depth == 6


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_a_fixed_depth_meets_the_target_by_its_width(ladders: Ladders, depth: int):
    rung = ladders.rung(Architecture("vgg", depth=depth), 24_000, GREY)
    assert (rung.depth, rung.within) == (depth, True)
    assert rung.params == count_params(build("vgg", rung.width, depth, GREY))


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_a_net_that_matches_flop_has_those_of_its_family(ladders: Ladders, depth: int):
    usual = ladders.rung("vgg", 24_000, GREY)
    rung = ladders.rung(Architecture("vgg", depth=depth, match="flop"), 24_000, GREY)
    assert rung.flop_forward == pytest.approx(usual.flop_forward, rel=0.1)
    assert rung.within == (abs(rung.flop_forward / usual.flop_forward - 1) <= 0.05) == (not rung.note)
    assert (rung.params == usual.params) == (depth == usual.depth)


def test_options_count_in_the_size(ladders: Ladders):
    bare = ladders.rung(Architecture("resnet", (("norm", "none"),)), 24_000, GREY)
    assert bare.params == count_params(build("resnet", bare.width, bare.depth, GREY, options=[("norm", "none")]))
    assert bare.params != count_params(build("resnet", bare.width, bare.depth, GREY))


@pytest.mark.parametrize("made", [Architecture("googlenet", depth=5), Architecture("vgg", depth=60, match="flop")])
def test_depths_that_cannot_be_are_refused(ladders: Ladders, made: Architecture):
    with pytest.raises(SizeError, match=r"depth of googlenet is 5|cannot have the .* FLOP of vgg"):
        ladders.rung(made, 24_000, GREY)


def test_a_target_outside_is_refused_with_the_range(ladders: Ladders):
    smallest, largest = ladders.range("vgg", GREY)
    message = f"vgg cannot have 100 parameters; for {GREY} allowed are {smallest:,} to {largest:,}, nearest is {smallest:,}"
    with pytest.raises(SizeError) as refusal:
        ladders.rung("vgg", 100, GREY)
    assert str(refusal.value) == message
    with pytest.raises(SizeError, match="vgg cannot have 1,000,000,000 parameters"):
        ladders.rung("vgg", 10**9, GREY)


def test_a_target_just_outside_is_met_by_the_end_of_the_range(ladders: Ladders):
    smallest, largest = ladders.range("mlp", GREY)
    assert ladders.rung("mlp", smallest - 2, GREY).params == smallest
    assert ladders.rung("mlp", largest + 2, GREY).params == largest


def test_where_widths_are_too_coarse_the_note_says_what_was_reached(cache: Path, monkeypatch: pytest.MonkeyPatch):
    coarse = replace(get_family("vgg"), widths=(4, 44, 10), depths=((4, 2),))
    monkeypatch.setattr(ladder, "_family", lambda made: coarse)
    reached = count_params(build("vgg", 14, 2, GREY))
    rung = Ladders(cache).rung("vgg", 45_000, GREY)
    assert (rung.params, rung.within) == (reached, False)
    assert f"{reached:,}" in rung.note


def test_what_is_cached_is_served_without_torch(cache: Path):
    rung = Ladders(cache).rung("mlp", 20_000, GREY)
    code = (
        "import sys; from pathlib import Path; from scaling.models import ImageSpec, Ladders\n"
        f"ladders = Ladders(Path({str(cache)!r})); image = ImageSpec(28, 1, 10)\n"
        "rung = ladders.rung('mlp', 20_000, image); ladders.range('mlp', image)\n"
        "print(rung.params, rung.flop_forward); assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(rung.params), str(rung.flop_forward)]


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "other sources", "not a table"])
def test_a_damaged_or_outdated_cache_is_made_anew(cache: Path, damage: str):
    rung = Ladders(cache).rung("mlp", 20_000, GREY)
    text = cache.read_text()
    body = json.loads(text)
    altered = text.replace(f'"params": {rung.params}', f'"params": {rung.params + 1}')
    assert altered != text
    other = json.dumps({**body, "sources": "0" * 64})
    cache.write_text(
        {"truncated": text[:-20], "altered": altered, "empty": "", "other sources": other, "not a table": "[1]"}[damage]
    )
    assert Ladders(cache).rung("mlp", 20_000, GREY) == rung
    assert json.loads(cache.read_text()) == body


def test_processes_that_share_a_cache_keep_each_others_entries(cache: Path):
    first, second = Ladders(cache), Ladders(cache)
    first.range("mlp", GREY)
    second.range("mlp", COLOUR)
    first.rung("mlp", 20_000, GREY)
    second.rung("mlp", 2_000_000, COLOUR)
    entries = json.loads(cache.read_text())["entries"]
    assert sum(key.startswith("rung") for key in entries) == 2
    assert not list(cache.parent.glob(".*"))  # no partial file is left behind
