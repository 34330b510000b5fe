import torch
from torch import nn

from scaling.training.average import WeightAverage


def test_the_average_of_constant_weights_is_the_weights():
    model = nn.Linear(3, 2)
    average = WeightAverage(model, 100)
    for step in range(1, 20):
        average.update(step)
    assert torch.allclose(average.model.weight, model.weight)


def test_the_horizon_grows_and_is_capped():
    model = nn.Linear(1, 1)
    average = WeightAverage(model, 10)
    with torch.no_grad():
        model.weight.fill_(1.0)
        average.model.weight.fill_(0.0)
    average.update(1)
    assert torch.isclose(average.model.weight, torch.tensor(1 - 2 / 11)).all()
    with torch.no_grad():
        average.model.weight.fill_(0.0)
    average.update(10_000)
    assert torch.isclose(average.model.weight, torch.tensor(0.1)).all()


def test_buffers_are_averaged_and_counters_copied():
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 100)
    model(torch.randn(50, 2) + 5)
    average.update(1)
    assert (average.model.running_mean > 0).all()
    assert (average.model.running_mean < model.running_mean).all()
    assert average.model.num_batches_tracked == 1


def test_no_average_is_the_model_itself():
    model = nn.Linear(2, 2)
    average = WeightAverage(model, 0)
    average.update(1)
    assert average.model is model
    assert all(parameter.requires_grad for parameter in model.parameters())
