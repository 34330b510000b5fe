"""Study files that ask for more than there is: one line, within five seconds and 500 MB, from `plan` and from Snakemake."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SECONDS = 5.0
MEGABYTES = 500

START = "name: hostile\nfamilies: {mlp: }\n"
GRID = "grid: {params: [13000], images: [500]}\n"
LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
HOSTILE = {
    "a count that is infinite": (f"{START}grid: {{params: [1e400], images: [500]}}\n", "grid.params[0]: received 1e400"),
    "an integer of 5,000 digits": (f"{START}grid: {{params: [{'9' * 5000}], images: [500]}}\n", "(5000 characters)"),
    "3,000 brackets": (f"{START}grid: {'[' * 3000}{']' * 3000}\n", "more levels of brackets or indentation than the 32"),
    "a billion laughs": (START + GRID + LAUGHS, "more values than the 10000 that a study may have"),
    "a million sizes": (
        f"{START}grid: {{params: {list(range(1, 1_000_001))}, images: [500]}}\n",
        "a study file has at most 1 MB",
    ),
    "50 MB": (f"{START}{GRID}#{'x' * 50_000_000}\n", "is 50 MB long; a study file has at most 1 MB"),
    "NUL": (f'{START}{GRID}description: "a\\0b"\n', "description: holds the character U+0000"),
}


MEASURED = """
import os, subprocess, sys
with open("output.txt", "wb") as sink:
    process = subprocess.Popen(sys.argv[1:], stdout=sink, stderr=sink)
    _, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)
"""
"""Runs a command from a small process: a child of this one would be charged with the memory of the tests it was forked from."""


def ended(command: list[str], folder) -> tuple[int, str, float, float]:
    """Exit code, text, seconds and peak memory in MB of ``command``: its own, whatever else the machine does."""
    measured = [sys.executable, "-S", "-c", MEASURED, *command]
    code, seconds, megabytes = subprocess.run(measured, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    return int(code), (folder / "output.txt").read_text(), float(seconds), float(megabytes)


@pytest.mark.parametrize("kind", HOSTILE)
def test_one_line_in_little_time_and_memory(checkout, kind):
    text, message = HOSTILE[kind]
    path = checkout.folder / "studies" / "hostile.yaml"
    path.write_text(text)
    results = checkout.folder / "results"
    before = sorted(results.rglob("*"))  # caches that checkouts share may stand there
    plan = [sys.executable, "-m", "scaling", "plan", "studies/hostile.yaml"]
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--config", "study=studies/hostile.yaml"]
    # Snakemake opens the study as `plan` does: two kinds show that it says so as well.
    for command, code in ((plan, 2), *([(snakemake, 1)] if kind in ("a billion laughs", "50 MB") else [])):
        found, said, seconds, megabytes = ended(command, checkout.folder)
        lines = [line for line in said.splitlines() if "studies/hostile.yaml: " in line]
        assert found == code, said
        assert message in lines[-1]
        assert len(lines) == 1
        assert "Traceback" not in said
        assert megabytes < MEGABYTES
        assert seconds < SECONDS
    assert sorted(results.rglob("*")) == before
