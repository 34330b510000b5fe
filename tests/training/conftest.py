"""Fixtures of the tests of training."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """One thread, as cells are trained, so that results can be compared bit for bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
