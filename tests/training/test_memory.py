import pytest
import torch

from scaling.models import build
from scaling.models.family import ImageSpec, Regularisation
from scaling.training.memory import CONTEXT_BYTES, WORKSPACE_BYTES, MemoryEstimate, count_activations, peak_memory

SPEC = ImageSpec(28, 1, 10)
FAMILIES = [
    ("mlp", 16.0),
    ("alexnet", 4.0),
    ("vgg", 8.0),
    ("googlenet", 8.0),
    ("resnet", 8.0),
    ("vit", 16.0),
    ("swin", 12.0),
    ("mixer", 16.0),
    ("convnext", 6.0),
]


def model(family, width, device):
    from scaling.models import get_family

    with torch.device(device):
        return build(family, width, get_family(family).depth(width), SPEC, Regularisation())


@pytest.mark.parametrize(("family", "width"), FAMILIES)
def test_counting_without_values_is_counting_with_them(family, width):
    """Attention apart: a fused kernel, if there is one, keeps less than the `meta` device's."""
    counted = count_activations(model(family, width, "meta"), SPEC, 2, 0.3)
    real = count_activations(model(family, width, "cpu"), SPEC, 2, 0.3)
    assert real.saved <= 1.02 * counted.saved
    slack = 2.0 if family in ("vit", "swin") else 1.1
    assert counted.saved <= slack * real.saved
    assert counted.largest <= counted.saved


def test_a_known_net():
    """Of x -> relu(W x) -> V h the backward pass needs x, h and the softmax; each is counted once."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
    found = count_activations(net, SPEC, 4, 0.0)
    assert found.largest == 784 * 4
    numbers = 784 + 100 + 10  # image, hidden, log-probabilities
    assert 4 * numbers <= found.saved <= 4 * numbers + 16  # and a label of 8 bytes


def test_an_estimate_grows_with_what_needs_memory(small_cell, images):
    memory = MemoryEstimate(images)
    cell = small_cell("vgg", 5_000)
    base = memory.tensors(cell) - WORKSPACE_BYTES
    assert memory.tensors(small_cell("vgg", 30_000)) > base
    assert memory.tensors(small_cell("vgg", 5_000, batch=1024)) - WORKSPACE_BYTES > 2 * base
    more = small_cell("vgg", 5_000, images_=5200)
    assert memory.tensors(more) - memory.tensors(cell) == 5000 * 784
    assert memory.need(cell) > CONTEXT_BYTES + memory.tensors(cell)


def test_measured_peaks_correct_the_estimates_of_a_family(small_cell, images):
    from dataclasses import replace

    memory = MemoryEstimate(images)
    on_gpu = [replace(small_cell(*of), device="cuda") for of in (("vgg", 5_000), ("vgg", 30_000), ("mlp", 13_000))]
    cell, larger, other = on_gpu
    before = {c.key: memory.need(c) for c in on_gpu}
    memory.learn(cell, 3 * memory.tensors(cell))
    assert memory.need(cell) - CONTEXT_BYTES == pytest.approx(3 * (before[cell.key] - CONTEXT_BYTES), rel=1e-6)
    assert memory.need(larger) - CONTEXT_BYTES == pytest.approx(3 * (before[larger.key] - CONTEXT_BYTES), rel=1e-6)
    assert memory.need(other) == before[other.key]
    memory.learn(larger, 2 * memory.tensors(larger))
    again = memory.need(cell) - CONTEXT_BYTES
    assert again == pytest.approx(3 * (before[cell.key] - CONTEXT_BYTES), rel=1e-6)  # the largest correction seen stands
    memory.learn(small_cell("mlp", 13_000), 10**12)  # a CPU's resident memory says nothing of a GPU's tensors
    memory.learn(other, None)
    assert memory.need(other) == before[other.key]


def test_peak_memory_of_a_process_is_what_it_holds():
    assert 50e6 < peak_memory("cpu") < 100e9
