"""The step that a GPU captures, run on a CPU: the same numbers bit for bit, and nothing in it that a graph cannot hold."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from scaling.training.average import WeightAverage
from scaling.training.captured_step import CapturedStep
from scaling.training.computation import clip_gradients
from scaling.training.host_waits import HostWaits
from scaling.training.loop import RATE_TYPES, Trainer
from scaling.training.optimizer import CAPTURABLE, make_optimizer, set_rate
from scaling.training.static_inputs import StaticInputs

pytestmark = pytest.mark.usefixtures("one_thread")


def on_static_inputs(trainer):
    trainer.captured = CapturedStep(trainer._update, "cpu")
    return trainer


def trained(trainer, tmp_path):
    trainer.run(tmp_path / "checkpoint", 1e9, lambda: False, lambda *_: None)
    return trainer


@pytest.mark.parametrize(
    ("family", "target", "changes"),
    [
        ("mlp", 13_000, {}),
        ("alexnet", 8_500, {"dropout": 0.2}),
        ("resnet", 5_000, {"optimizer": "adam", "vertical_flip": True}),
        ("vit", 4_000, {"stochastic_depth": 0.2, "average": 0}),
        ("mlp", 13_000, {"optimizer": "sgd", "clip": 0.0}),
        ("mlp", 13_000, {"mixup": 0.2, "crop": 0.5}),
    ],
)
def test_a_step_on_static_inputs_is_the_usual_one_bit_for_bit(family, target, changes, small_cell, images, tmp_path):
    cell = small_cell(family, target, **changes)
    usual, static = trained(Trainer(cell, images), tmp_path), trained(on_static_inputs(Trainer(cell, images)), tmp_path)
    assert static.captured is not None
    assert static.captured._inputs is not None
    assert static.progress.curve == usual.progress.curve
    for name, tensor in usual.model.state_dict().items():
        assert torch.equal(tensor, static.model.state_dict()[name]), name


@pytest.mark.parametrize(
    "family", ["mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin", "mixer", "convnext"]
)
def test_nothing_in_a_step_waits_for_the_device(family, small_cell, images):
    trainer = on_static_inputs(Trainer(small_cell(family, 30_000, dropout=0.1), images))
    trainer.model.train()
    inputs = trainer.inputs(0) | {
        "rate": torch.tensor(0.01, dtype=RATE_TYPES["cpu"]),
        "weight": torch.tensor(0.5),
    }
    with HostWaits() as seen:
        trainer._update(inputs)
    assert seen.names == []
    assert seen.launches > 20


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("aten::_local_scalar_dense", lambda x: x.sum().item()),
        ("aten::_local_scalar_dense", lambda x: bool(x.max() > 1)),
        ("aten::nonzero", lambda x: x.nonzero()),
        ("aten::index", lambda x: x[x > 0]),
    ],
)
def test_what_waits_for_the_device_is_named(name, look):
    with HostWaits() as seen:
        look(torch.arange(4.0))
    assert name in seen.names


def test_what_is_written_to_static_inputs_stays_where_it_was():
    first = {"positions": torch.arange(5), "mirrored": torch.tensor([[True], [False], [True]]), "rate": torch.tensor(0.5)}
    static = StaticInputs(first, "cpu")
    places = {name: tensor.data_ptr() for name, tensor in static.tensors.items()}
    for factor in (1, 3):
        given = {"positions": factor * first["positions"], "mirrored": ~first["mirrored"], "rate": factor * first["rate"]}
        found = static.fill(given)
        assert all(torch.equal(found[name], tensor) for name, tensor in given.items())
        assert {name: tensor.data_ptr() for name, tensor in found.items()} == places
    assert all(place % 16 == min(places.values()) % 16 for place in places.values())
    with pytest.raises(ValueError, match="changed their names or shapes"):
        static.fill(first | {"positions": torch.arange(6)})


def fake(tensor):
    """A tensor without values that says it is on the first GPU; operations on it raise where they mix devices or look."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda:0")


@pytest.mark.parametrize(
    "family", ["mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin", "mixer", "convnext"]
)
def test_the_forward_pass_of_a_step_stays_on_the_gpu(family, small_cell, images):
    """The backward pass of such tensors needs a GPU to be there."""
    trainer = Trainer(small_cell(family, 30_000, dropout=0.1), images)
    given, model, train = trainer.inputs(0), trainer.model.train(), trainer.images.train
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    pixels, labels = train.at(torch.arange(200))
    normalise = trainer.computation._normalise
    with FakeTensorMode():
        state = {name: fake(tensor) for name, tensor in state.items()}
        trainer.model = lambda batch: functional_call(model, state, (batch,))
        train._tensor, train.labels = fake(pixels), fake(labels)
        normalise._factor, normalise._offset = fake(normalise._factor), fake(normalise._offset)
        with HostWaits() as seen:
            pixels, labels = trainer.batches.make({name: fake(tensor) for name, tensor in given.items()})
            loss = trainer._loss(trainer.prepare(pixels), labels, {})
        assert loss.device == torch.device("cuda:0")
    assert seen.names == []


@pytest.mark.parametrize("optimizer", CAPTURABLE)
def test_nothing_in_the_rest_of_a_step_waits_for_the_device(optimizer, small_cell):
    """On a CPU, since torch's fused optimisers cannot be run on tensors without values."""
    recipe = small_cell(optimizer=optimizer).recipe
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    average, step = WeightAverage(model, 100), make_optimizer(model, recipe, 0.1, captured=True)
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        with HostWaits() as seen:
            set_rate(step, torch.tensor(0.1, dtype=RATE_TYPES["cpu"]))
            clip_gradients(list(model.parameters()), 1.0)
            step.step()
            average.move(torch.tensor(0.5))
        assert seen.names == []
        assert seen.launches > 3
