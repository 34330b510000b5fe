"""When a job stops before its runs have ended."""

from __future__ import annotations

import os
import signal
import time

import pytest

from scaling.jobs.stopping import SIGNALS, StopRequest


def test_the_clock_asks_once_and_says_why():
    said: list[str] = []
    stop = StopRequest(time.monotonic() - 1.0, said.append)
    assert not stop.is_made()
    stop.look_at_clock()
    stop.look_at_clock()
    assert stop.is_made()
    assert said == ["the job's time limit is near: writing checkpoints"]


@pytest.mark.parametrize("stop_at", [None, float("inf")])
def test_without_a_limit_the_clock_never_asks(stop_at):
    stop = StopRequest(stop_at, pytest.fail)
    stop.look_at_clock()
    assert not stop.is_made()


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_asks_within_the_block_and_its_old_handler_comes_back(name):
    before = signal.getsignal(name)
    stop = StopRequest(None, pytest.fail)
    with stop.on_signals():
        os.kill(os.getpid(), name)
        assert stop.is_made()
    assert signal.getsignal(name) == before
