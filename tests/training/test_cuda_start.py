"""CUDA that does not start: it is said in one line with its mend, and nothing trains on a CPU in silence."""

import pytest
import torch
from nvidia_smi import A100, fake_smi

from scaling.training import cuda_start, device, nvidia
from scaling.training.cuda_start import is_busy, is_cuda_error, mend
from scaling.training.device import DeviceError, detect


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(nvidia, "driver_version", str)
    monkeypatch.setattr(cuda_start, "driver_version", str)
    monkeypatch.setattr(nvidia, "device_files", list)


@pytest.mark.parametrize("sign", ["driver", "file", "environment"])
def test_a_promised_gpu_without_cuda_is_refused_in_one_line(monkeypatch, sign):
    if sign == "driver":
        for module in (nvidia, cuda_start):
            monkeypatch.setattr(module, "driver_version", lambda: "535.104.05")
        expected = r"\(driver 535.104.05\).*update the driver to \d+ or later, or install a torch for an older CUDA"
    elif sign == "file":
        monkeypatch.setattr(nvidia, "device_files", lambda: ["/dev/nvidia0"])
        expected = r"\(/dev/nvidia0\).*no driver is seen"
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        expected = r"\(CUDA_VISIBLE_DEVICES=0\).*apptainer --nv"
    if torch.version.cuda is None:
        expected = r"built without CUDA.*install a torch with CUDA"
    with pytest.raises(DeviceError, match=rf"^a GPU is promised here {expected}.*`device: cpu`") as error:
        detect()
    assert "\n" not in str(error.value)
    assert f"torch {torch.__version__}" in str(error.value)
    assert detect("cpu").kind == "cpu"


def test_hidden_gpus_promise_nothing(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(nvidia, "device_files", lambda: ["/dev/nvidia0"])
    assert detect().kind == "cpu"


def test_the_mend_names_what_is_old(monkeypatch):
    monkeypatch.setattr(cuda_start, "driver_version", lambda: "535.104.05")
    assert mend("13.2", "x").startswith("update the driver to 580 or later, or install a torch for an older CUDA")
    assert mend("12.6", "no kernel image is available for execution").startswith("install a torch that has kernels")
    assert mend("12.6", "all CUDA-capable devices are busy or unavailable").startswith("another process holds the GPU")
    assert mend(None, "x").startswith("install a torch with CUDA")


class Facts:
    """What torch says of a GPU."""

    def __init__(self, name, major, uuid):
        self.name, self.major, self.uuid = name, major, uuid


@pytest.fixture
def faked(monkeypatch):
    """A function that lets torch see GPUs of ``facts``, on which steps do what ``steps`` does."""

    def make(*facts, steps=lambda index: None):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(facts))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=0: facts[index].name)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: facts[index])
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (30 * 2**30, 40 * 2**30))
        monkeypatch.setattr(device, "try_steps", steps)

    return make


def test_every_gpu_is_asked_and_named_by_its_uuid(faked, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    faked(Facts("A100", 8, "aaa"), Facts("V100", 7, "bbb"))
    found = detect()
    assert (found.kind, found.precision, found.machine) == ("cuda", "fp32", "A100, V100")
    assert [(gpu.handle, gpu.name, gpu.bf16, gpu.exclusive) for gpu in found.gpus] == [
        ("GPU-aaa", "A100", True, False),
        ("GPU-bbb", "V100", False, False),
    ]
    with pytest.raises(DeviceError, match="precision: bf16 asked for, but V100 has no bf16 units"):
        detect("auto", "bf16")


def test_a_gpu_that_does_not_compute_is_refused(faked):
    def steps(index):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")

    faked(Facts("V100", 7, "bbb"), steps=steps)
    with pytest.raises(DeviceError, match=r"V100.*no kernel image is available") as error:
        detect()
    assert "\n" not in str(error.value)


def test_a_gpu_that_another_process_holds_is_known_by_nvidia_smi(faked, monkeypatch, tmp_path):
    def steps(index):
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")

    program = fake_smi(tmp_path / "bin", A100 | {"compute_mode": "Exclusive_Process"})
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    faked(Facts("A100", 8, "aaa"), steps=steps)
    (gpu,) = detect().gpus
    assert (gpu.handle, gpu.exclusive, gpu.bf16, gpu.total) == (A100["uuid"], True, True, 40960 * 2**20)


def test_the_mode_of_a_gpu_counts_unless_mps_shares_it(faked, monkeypatch, tmp_path):
    program = fake_smi(tmp_path / "bin", A100 | {"compute_mode": "Exclusive_Process"})
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    faked(Facts("A100", 8, A100["uuid"].removeprefix("GPU-")))
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert detect().gpus[0].exclusive
    (tmp_path / "control").touch()
    assert not detect().gpus[0].exclusive


def test_each_part_of_a_divided_gpu_is_one_gpu(faked, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    faked(Facts("A100 MIG 3g.20gb", 8, "parent"))
    assert [(gpu.uuid, gpu.handle) for gpu in detect().gpus] == [("MIG-a", "MIG-a"), ("MIG-b", "MIG-b")]


@pytest.mark.parametrize(
    ("text", "cuda"),
    [
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_errors_of_cuda_are_told_apart(text, cuda):
    assert is_cuda_error(RuntimeError(text)) == cuda
    assert not is_cuda_error(ValueError(text))
    assert is_busy(text) == ("busy" in text)
