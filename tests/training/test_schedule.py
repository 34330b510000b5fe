import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scaling.study.recipe import Recipe, recipe_for
from scaling.training.schedule import Order, evaluation_steps, rate_factor


@given(st.integers(1, 50), st.integers(1, 70), st.integers(0, 3))
def test_an_epoch_shows_every_image_once(images, batch, seed):
    order = Order(images, batch, seed)
    epochs = 3
    seen = torch.cat([order.indices(step) for step in range(-(-epochs * images // batch))])[: epochs * images]
    for epoch in seen.split(images):
        assert sorted(epoch.tolist()) == list(range(images))


@given(st.integers(1, 50), st.integers(1, 70), st.integers(1, 20))
def test_order_depends_on_the_step_alone(images, batch, step):
    walked = Order(images, batch, 7)
    for earlier in range(step):
        walked.indices(earlier)
    assert torch.equal(walked.indices(step), Order(images, batch, 7).indices(step))


@given(st.integers(1, 5000), st.integers(1, 20))
def test_evaluations_are_ascending_and_end_with_the_last_step(steps, evaluations):
    found = evaluation_steps(recipe_for("modern", "mlp", {"evaluations": evaluations}), steps)
    assert found[-1] == steps
    assert found == sorted(set(found))
    assert found[0] >= 1
    assert len(found) <= evaluations


def test_evaluations_are_even_in_log_steps():
    found = evaluation_steps(recipe_for("modern", "mlp", {"evaluations": 4, "first_evaluation": 0.125}), 800)
    assert found == [100, 200, 400, 800]


def test_the_rate_rises_and_falls():
    recipe = recipe_for("modern", "mlp", {"warmup": 0.1})
    factors = [rate_factor(recipe, step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(1 / 11)
    assert max(factors) == pytest.approx(1.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[55] == pytest.approx(0.5)
    assert factors[-1] < 0.001


def test_historical_steps_divide_the_rate_by_ten_twice():
    recipe = recipe_for("historical", "vgg")
    factors = [rate_factor(recipe, step, 100) for step in range(100)]
    assert (factors[0], factors[49], factors[50], factors[74], factors[75]) == (1.0, 1.0, 0.1, 0.1, 0.01)


def test_images_seen_grow_with_the_data_above_a_floor():
    recipe = recipe_for("modern", "mlp", {"images_floor": 1000, "images_factor": 10, "batch": 64})
    assert [recipe.length(d) for d in (10, 100, 101)] == [1000, 1000, 1010]
    assert recipe.steps(101) == 16


def test_a_line_falls_evenly_to_0():
    recipe = recipe_for("modern", "mlp", {"warmup": 0.2, "schedule": "linear"})
    factors = [rate_factor(recipe, step, 100) for step in range(100)]
    assert factors[20:] == pytest.approx([1 - (step - 20) / 80 for step in range(20, 100)])
    assert factors[-1] == pytest.approx(1 / 80)


def test_warmup_stable_decay_stays_at_the_peak_until_its_cooldown():
    recipe = recipe_for("modern", "mlp", {"schedule": "warmup-stable-decay", "cooldown": 0.25})
    factors = [rate_factor(recipe, step, 100) for step in range(100)]
    assert set(factors[10:76]) == {1.0}
    assert factors[75:] == pytest.approx([1 - math.sqrt((step - 75) / 25) for step in range(75, 100)])
    late = recipe_for("modern", "mlp", {"schedule": "warmup-stable-decay", "cooldown": 1.0, "warmup": 0.5})
    assert max(rate_factor(late, step, 100) for step in range(50, 100)) == 1.0


@pytest.mark.parametrize("schedule", Recipe.model_fields["schedule"].annotation.__args__)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_every_schedule_has_rates_between_0_and_the_peak(schedule, warmup, steps):
    recipe = recipe_for("modern", "mlp", {"schedule": schedule, "warmup": warmup})
    assert all(0 < rate_factor(recipe, step, steps) <= 1 for step in range(steps))
