import pickle

import pytest
import torch

from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint, save_checkpoint

SETTINGS = {"family": "vit", "seed": 0}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3), "none": torch.zeros(0)}
    save_checkpoint(path, tensors, {"step": 5, "loss": 0.1 + 0.2}, SETTINGS)
    return path


def test_round_trip_is_exact(path):
    tensors, state = load_checkpoint(path, SETTINGS)
    assert torch.equal(tensors["a"].view(2, 3), torch.arange(6.0).reshape(2, 3))
    assert tensors["count"].item() == 3
    assert state == {"step": 5, "loss": 0.1 + 0.2}


def test_channels_last_keeps_its_values(tmp_path):
    tensor = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "c", {"w": tensor}, {}, SETTINGS)
    tensors, _ = load_checkpoint(tmp_path / "c", SETTINGS)
    assert torch.equal(tensors["w"].view(tensor.shape), tensor)


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "none", SETTINGS) is None


@pytest.mark.parametrize("position", [0.3, 0.6, 0.99])
def test_a_flipped_bit_is_found(path, position):
    content = bytearray(path.read_bytes())
    content[int(len(content) * position)] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UnusableCheckpoint, match=r"checkpoint\.safetensors"):
        load_checkpoint(path, SETTINGS)


@pytest.mark.parametrize("keep", [0, 1, 50, 0.9])
def test_a_truncated_file_is_refused(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(UnusableCheckpoint, match="not a whole checkpoint"):
        load_checkpoint(path, SETTINGS)


def test_other_settings_are_named(path):
    with pytest.raises(UnusableCheckpoint, match="made with other settings: seed"):
        load_checkpoint(path, SETTINGS | {"seed": 1})


def test_a_pickle_is_refused_and_not_executed(tmp_path):
    witness = tmp_path / "witness"

    class Poison:
        def __reduce__(self):
            return (open, (str(witness), "w"))

    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(pickle.dumps(Poison()))
    with pytest.raises(UnusableCheckpoint):
        load_checkpoint(path, SETTINGS)
    assert not witness.exists()
