"""What a machine says of its GPUs: by a fake nvidia-smi, and by the environment."""

import os

import pytest
from nvidia_smi import A100, fake_smi

from scaling.training import nvidia
from scaling.training.device import DeviceError, detect


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without a driver or device files; a function adds a fake nvidia-smi."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(nvidia, "device_files", list)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return lambda *gpus, listing="": fake_smi(tmp_path / "bin", *gpus, listing=listing)


def test_the_gpus_are_read_with_their_memory_and_mode(machine):
    machine(A100, A100 | {"uuid": "GPU-b", "compute_mode": "Exclusive_Process", "compute_cap": "7.0"})
    one, two = nvidia.smi_gpus()
    assert (one.name, one.mode, one.total, one.free, one.capability) == (
        "NVIDIA A100",
        "Default",
        40960 * 2**20,
        40000 * 2**20,
        "8.0",
    )
    assert (two.uuid, two.mode, two.capability) == ("GPU-b", "Exclusive_Process", "7.0")


def test_a_gpu_that_does_not_tell_its_memory_is_left_out(machine):
    machine(A100 | {"memory.free": "[N/A]"})
    assert nvidia.smi_gpus() == []


def test_without_nvidia_smi_nothing_is_seen(machine, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert (nvidia.smi_gpus(), nvidia.mig_parts()) == ([], ())


def test_the_parts_of_divided_gpus_are_listed(machine):
    listing = (
        "GPU 0: NVIDIA A100 (UUID: GPU-1)\n  MIG 3g.20gb  Device 0: (UUID: MIG-aa)\n  MIG 3g.20gb  Device 1: (UUID: MIG-bb)"
    )
    machine(A100, listing=listing)
    assert nvidia.mig_parts() == ("MIG-aa", "MIG-bb")


@pytest.mark.parametrize(
    ("said", "seen", "signs"),
    [
        (None, None, ""),
        ("", (), ""),
        ("-1", (), ""),
        ("NoDevFiles", (), ""),
        ("0", ("0",), "CUDA_VISIBLE_DEVICES=0"),
        ("GPU-a, GPU-b", ("GPU-a", "GPU-b"), "CUDA_VISIBLE_DEVICES=GPU-a,GPU-b"),
    ],
)
def test_the_environment_promises_a_gpu_or_hides_it(machine, monkeypatch, said, seen, signs):
    if said is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    monkeypatch.setattr(nvidia, "driver_version", str)
    assert (nvidia.visible(), nvidia.promised()) == (seen, signs)


def test_a_driver_or_a_device_file_promises_a_gpu_unless_it_is_hidden(machine, monkeypatch):
    machine(A100)
    monkeypatch.setattr(nvidia, "device_files", lambda: ["/dev/nvidia0", "/dev/nvidia1"])
    assert nvidia.promised() == "driver 580.65.06, /dev/nvidia0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert nvidia.promised() == ""


def test_the_pipe_of_mps_is_looked_for(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "mps"))
    assert not nvidia.mps_is_on()
    (tmp_path / "mps").mkdir()
    (tmp_path / "mps" / "control").touch()
    assert nvidia.mps_is_on()


def test_torch_is_asked_for_gpus_wherever_a_driver_may_be(monkeypatch):
    for library, door, expected in (
        ("libc.so.6", "/nowhere", True),
        ("libno-such.so.1", os.devnull, True),
        ("libno-such.so.1", "/nowhere", False),
    ):
        monkeypatch.setattr(nvidia, "DRIVERS", (library, door))
        assert nvidia.has_driver() is expected
    monkeypatch.setattr(nvidia.sys, "platform", "darwin")  # whose GPUs have neither
    assert nvidia.has_driver()


def test_gpus_that_slurm_gives_on_a_node_without_a_driver_are_simulated(machine, monkeypatch, capsys):
    monkeypatch.setattr(nvidia, "driver_version", str)
    monkeypatch.setattr(nvidia, "has_driver", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert nvidia.promised() == "CUDA_VISIBLE_DEVICES=0"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert (nvidia.promised(), detect().kind) == ("", "cpu")
    assert "Slurm gave this job a GPU, but its node has no driver: training is on the CPU" in capsys.readouterr().err
    with pytest.raises(DeviceError, match="device: cuda asked for, but only cpu is here"):
        detect("cuda")
    monkeypatch.setattr(nvidia, "has_driver", lambda: True)
    assert nvidia.promised() == "CUDA_VISIBLE_DEVICES=0"
