import multiprocessing
import os

import pytest

from scaling.training import device
from scaling.training.device import DeviceError, cores_here, detect, see_only


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


def test_cores_are_those_of_the_affinity_and_of_the_slurm_job(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    here = cores_here()
    assert 1 <= here <= (os.cpu_count() or 1)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert cores_here() == 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4096")
    assert cores_here() == here


def test_a_cpu_has_no_gpus():
    found = detect("cpu")
    assert (found.kind, found.precision, found.count, found.gpus) == ("cpu", "fp32", 0, ())


def test_a_device_that_is_not_here_is_named(monkeypatch):
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
