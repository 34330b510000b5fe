import multiprocessing
import os

import pytest
import torch

from scaling.training import device
from scaling.training.device import DeviceError, Gpu, detect, see_gpu, see_only, seed_the_cpu_alone


def seen(gpu: int, visible: str | None) -> tuple[str, bool]:
    """What a child that was given ``gpu`` sees, where the job sees ``visible``, and whether convolutions may use TF32."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run():
        import torch

        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
        see_only(gpu)
        queue.put((os.environ["CUDA_VISIBLE_DEVICES"], torch.backends.cudnn.allow_tf32))

    child = context.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode == 0
    return queue.get()


@pytest.mark.parametrize(
    ("gpu", "visible", "expected"),
    [(0, None, "0"), (1, None, "1"), (1, "3,5", "5"), (0, "GPU-12ab", "GPU-12ab"), (1, "", "1")],
)
def test_a_child_sees_its_gpu_and_no_other(gpu, visible, expected):
    assert seen(gpu, visible) == (expected, False)


@pytest.mark.parametrize(("handle", "expected"), [("GPU-aa", "GPU-aa"), ("", "5")])
def test_a_child_sees_its_gpu_by_its_own_name_and_computes_in_32_bits(handle, expected):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run():
        os.environ["CUDA_VISIBLE_DEVICES"] = "3,5"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        see_gpu(Gpu("aa", 0, 0, handle=handle), 1)
        flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        queue.put((os.environ["CUDA_VISIBLE_DEVICES"], *flags))

    child = context.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert queue.get() == (expected, False, False)


def test_a_cpu_has_no_gpus():
    found = detect("cpu")
    assert (found.kind, found.precision, found.count, found.gpus) == ("cpu", "fp32", 0, ())


def test_a_device_that_is_not_here_is_named(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    if detect("auto").kind == "cuda":
        pytest.skip("a GPU is here")
    with pytest.raises(DeviceError, match="device: cuda asked for, but only"):
        detect("cuda")


def test_bf16_on_a_processor_without_it_is_refused(monkeypatch):
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: False)
    with pytest.raises(DeviceError, match=r"precision: bf16 asked for, but .* has no bf16 units"):
        detect("cpu", "bf16")
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: True)
    assert detect("cpu", "bf16").precision == "bf16"
    assert detect("cpu").precision == "fp32"


def test_random_numbers_are_the_same_where_the_cpu_alone_is_seeded(monkeypatch):
    torch.manual_seed(5)
    expected, drop = torch.rand(7), torch.nn.Dropout(0.5)(torch.ones(50))
    calls = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", calls.append)
    monkeypatch.setattr(torch, "manual_seed", torch.manual_seed)  # put back when the test ends
    seed_the_cpu_alone()
    torch.manual_seed(5)
    assert torch.equal(torch.rand(7), expected)
    assert torch.equal(torch.nn.Dropout(0.5)(torch.ones(50)), drop)
    assert torch.initial_seed() == 5
    assert calls == []
