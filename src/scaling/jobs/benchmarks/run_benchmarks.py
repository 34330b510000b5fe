"""The table of times, memory and counts of a study: every benchmark that it asks for, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

import torch

from scaling.jobs.benchmarks.settings import Benchmark, Request, Row
from scaling.study.declared import BENCHMARKS, module_of


def load_benchmark(name: str) -> Benchmark:
    """The benchmark ``name``.

    Raises:
        ValueError: there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"no benchmark is called {name!r}; there are {', '.join(BENCHMARKS)}")
    return import_module(f"scaling.jobs.benchmarks.{module_of(name)}").benchmark


def run_benchmarks(names: Iterable[str], asked: Request, say: Callable[[str], None]) -> list[Row]:
    """Rows of each benchmark of ``names``; ``say`` is told which comes next.

    Raises:
        ValueError: there is no such benchmark.
    """
    torch.set_num_threads(1)
    rows: list[Row] = []
    for name in names:
        benchmark = load_benchmark(name)
        say(f"measuring {name}")
        rows += benchmark.rows(asked)
    machine = asked.machine
    here = {"device": machine.device, "precision": machine.precision, "machine": machine.name}
    return [here | {"torch_version": torch.__version__} | row for row in rows]
