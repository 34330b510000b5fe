"""Every optimiser: what it trains, that it learns, and that a run goes on from its checkpoint as if nothing had been."""

import pytest
import torch
from torch import nn

from scaling.models.blocks import blocks_of
from scaling.study.recipe import Recipe, recipe_for
from scaling.training.computation import clip_gradients
from scaling.training.loop import Interrupted, Trainer
from scaling.training.memory import TENSORS_PER_PARAMETER
from scaling.training.optimizer import (
    FusedAdam,
    MuonAndAdamW,
    forget_gradients,
    hidden_weights,
    make_optimizer,
    set_rate,
    state_tensors,
    weights_to_evaluate,
)

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIMIZERS = Recipe.model_fields["optimizer"].annotation.__args__
RATES = {"sgd": 0.05, "sgd-nesterov": 0.05}


def run_on(trainer, path, stop=lambda: False):
    trainer.run(path, 1e9, stop, lambda *_: None)
    return trainer


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("family", "target"), [("mlp", 13_000), ("vgg", 5_000)])
def test_resumed_is_bit_identical_to_unbroken(optimizer, family, target, small_cell, images, tmp_path):
    decay = 0.9 if family == "vgg" else 1.0
    cell = small_cell(family, target, rate=RATES.get(optimizer, 0.01), optimizer=optimizer, layer_decay=decay)
    whole = run_on(Trainer(cell, images), tmp_path / "whole")
    broken = Trainer(cell, images)
    stop_at = whole.evaluate_at[1] + 1  # after an evaluation, and before the next
    with pytest.raises(Interrupted):
        run_on(broken, tmp_path / "c", lambda: broken.progress.step >= stop_at)
    resumed = Trainer(cell, images)
    assert resumed.restore(tmp_path / "c")
    assert resumed.progress.step == stop_at
    run_on(resumed, tmp_path / "c")
    assert resumed.progress.curve == whole.progress.curve
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    for name, tensor in whole.best.items():
        assert torch.equal(tensor, resumed.best[name]), name
    losses = [point["train_loss"] for point in whole.progress.curve]
    assert losses[-1] < losses[0] - 0.1  # it learns


def test_optimisers_differ_and_all_are_budgeted_for(small_cell, images):
    found = set()
    for optimizer in OPTIMIZERS:
        trainer = Trainer(small_cell(optimizer=optimizer), images)
        for _ in range(3):
            trainer.train_step()
        found.add(tuple(next(trainer.model.parameters()).flatten()[:50].tolist()))
    assert len(found) == len(OPTIMIZERS)
    assert set(TENSORS_PER_PARAMETER) == set(OPTIMIZERS)


@pytest.mark.parametrize(
    ("family", "target", "others"),
    [
        ("mlp", 13_000, 1),
        ("vgg", 5_000, 1),
        ("googlenet", 5_000, 3),  # two auxiliary classifiers
        ("resnet", 5_000, 1),
        ("vit", 4_000, 2),  # the classifier and the positions
    ],
)
def test_muon_leaves_classifiers_and_positions_to_adamw(family, target, others, small_cell, images):
    model = Trainer(small_cell(family, target, optimizer="muon"), images).model
    hidden = {id(weight) for weight in hidden_weights(model)}
    arrays = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    left = {name: p for name, p in arrays.items() if id(p) not in hidden}
    assert len(left) == others, list(left)
    assert hidden == {id(p) for p in arrays.values()} - {id(p) for p in left.values()}
    assert all(len(p) == 10 or p.ndim == 3 for p in left.values())


def test_muon_takes_steps_of_one_size_along_all_directions():
    """Of a matrix, an orthogonal one times 0.2 x sqrt(its longer side) x the rate (Liu et al. 2025, equation 4)."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(), nn.Linear(16, 7))
    recipe = recipe_for("modern", "vgg", {"optimizer": "muon", "weight_decay": 0.0})
    optimizer = make_optimizer(model, recipe, 0.01)
    assert isinstance(optimizer, MuonAndAdamW)
    before = model[0].weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    sizes = torch.linalg.svdvals((before - model[0].weight.detach()).flatten(1))
    assert len(sizes) == 16
    expected = 0.01 * 0.2 * 27**0.5
    assert expected * 0.5 < sizes.min()
    assert sizes.max() < expected * 1.5
    forget_gradients(model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_of_one_layer_has_nothing_for_muon():
    optimizer = make_optimizer(nn.Linear(3, 2), recipe_for("modern", "mlp", {"optimizer": "muon"}), 0.1)
    assert isinstance(optimizer, FusedAdam)


def test_schedule_free_evaluates_the_average_of_its_steps(small_cell, images):
    trainer = Trainer(small_cell(optimizer="schedule-free-adamw"), images)
    for _ in range(5):
        trainer.train_step()
    trained = [p.detach().clone() for p in trainer.model.parameters()]
    with weights_to_evaluate(trainer.optimizer):
        averaged = [p.detach().clone() for p in trainer.model.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(trained, averaged, strict=True))
    for mine, after in zip(trained, trainer.model.parameters(), strict=True):
        torch.testing.assert_close(mine, after)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_layer_decay_each_block_takes_its_share_of_the_rate(optimizer, small_cell, images):
    trainer = Trainer(small_cell(optimizer=optimizer, layer_decay=0.5), images)
    set_rate(trainer.optimizer, 0.08)
    blocks = blocks_of(trainer.model)
    rates = {}
    hidden = getattr(trainer.optimizer, "_hidden", [])
    weight_of = dict(zip(getattr(trainer.optimizer, "_matrices", []), hidden, strict=True))
    for group in trainer.optimizer.param_groups:
        rates |= {weight_of.get(parameter, parameter): group["lr"] for parameter in group["params"]}
    assert [{rates[parameter] for parameter in block} for block in blocks] == [{0.02}, {0.04}, {0.08}]
    decayed = {p for group in trainer.optimizer.param_groups for p in group["params"] if group["weight_decay"]}
    assert {weight_of.get(p, p) for p in decayed} == {p for p in trainer.model.parameters() if p.ndim > 1}


def test_a_small_decay_leaves_early_blocks_almost_as_they_were(small_cell, images):
    moved = {}
    for decay in (1.0, 0.01):
        trainer = Trainer(small_cell(layer_decay=decay, optimizer="adam", clip=0.5), images)
        before = [block[0].detach().clone() for block in blocks_of(trainer.model)]
        for _ in range(3):
            trainer.train_step()
        after = [block[0].detach() for block in blocks_of(trainer.model)]
        moved[decay] = [float((b - a).abs().mean()) for a, b in zip(before, after, strict=True)]
    assert moved[0.01][-1] == pytest.approx(moved[1.0][-1], rel=0.5)
    assert moved[0.01][0] < 1e-3 * moved[1.0][0]


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adam])
def test_steps_without_searches_are_those_of_torch_to_the_last_bit(kind):
    """Clipping, the fused kernel and forgetting, beside torch's own; in some steps a parameter has no gradient."""
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 3)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    theirs, inner = (
        kind([{"params": list(m.parameters())[::2]}, {"params": list(m.parameters())[1::2], "weight_decay": 0.0}],
             lr=0.01, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
        for m in models
    )  # fmt: skip
    ours, parameters = FusedAdam(inner), list(models[1].parameters())
    for step in range(12):
        inputs = torch.randn(64, 7)
        for model in models:
            model(inputs).square().sum().backward()  # gradients far above a norm of 1
            if step in (0, 6):
                model[0].bias.grad = None
        assert torch.nn.utils.clip_grad_norm_(models[0].parameters(), 1.0) > 1
        set_rate(theirs, 0.01 / (step + 1))
        theirs.step()
        theirs.zero_grad()
        clip_gradients(parameters, 1.0)
        set_rate(ours, 0.01 / (step + 1))
        ours.step()
        forget_gradients(parameters)
        assert all(parameter.grad is None for parameter in parameters)
        for one, other in zip(models[0].parameters(), parameters, strict=True):
            assert torch.equal(one, other), step
    found = state_tensors(ours)
    assert all(torch.equal(tensor, found[name]) for name, tensor in state_tensors(theirs).items())
    assert found["0.step"] == 12
    assert 10 in {int(tensor) for name, tensor in found.items() if name.endswith(".step")}  # the one that had no gradient twice


def test_gradients_below_the_norm_stay_as_they_are_and_norm_0_never_clips():
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    for norm, size in ((10.0, 1.0), (0.0, 100.0)):
        for parameter in parameters[:2]:
            parameter.grad = torch.full_like(parameter, size)
        clip_gradients(parameters, norm)
        assert all((parameter.grad == size).all() for parameter in parameters[:2])
    clip_gradients(parameters[2:], 1.0)  # none has a gradient
    assert parameters[2].grad is None
