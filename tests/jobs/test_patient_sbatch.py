"""An sbatch that waits while Slurm is busy, in front of one that the test makes."""

import os
import subprocess

import pytest

from scaling.jobs.patient_sbatch import PATIENCE_SECONDS, be_patient, submit


@pytest.fixture
def sbatch(tmp_path):
    """A function that makes an sbatch which says ``refusal`` so many times before it takes a job."""

    def make(refusal: str, times: int) -> str:
        program, count = tmp_path / "sbatch", tmp_path / "count"
        program.write_text(
            f"#!/bin/sh\necho x >> {count}\n"
            f"if [ $(wc -l < {count}) -le {times} ]; then echo '{refusal}' >&2; exit 1; fi\n"
            'echo "17 $*"; cat\n'
        )
        program.chmod(0o755)
        return str(program)

    return make


@pytest.mark.parametrize(
    "refusal",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "sbatch: error: QOSMaxSubmitJobPerUserLimit",
        "sbatch: error: AssocMaxSubmitJobLimit",
    ],
)
def test_a_refusal_that_passes_is_waited_for(sbatch, capfd, refusal):
    pauses = []
    assert submit([sbatch(refusal, 3), "--parsable", "a b"], b"script\n", pauses.append) == 0
    assert pauses == [5.0, 10.0, 20.0]
    assert capfd.readouterr().out == "17 --parsable a b\nscript\n"


def test_a_refusal_that_stays_is_said_at_once(sbatch, capfd):
    pauses = []
    assert submit([sbatch("sbatch: error: invalid partition specified: gpus", 99)], None, pauses.append) == 1
    assert pauses == []
    assert "invalid partition" in capfd.readouterr().err


def test_patience_ends(sbatch):
    pauses = []
    assert submit([sbatch("Socket timed out", 9999)], None, pauses.append) == 1
    assert PATIENCE_SECONDS - 60 <= sum(pauses) <= PATIENCE_SECONDS


def test_the_driver_puts_it_before_the_real_one(sbatch, tmp_path, monkeypatch):
    sbatch("", 0)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    for _ in range(2):  # a second call does not put it before itself
        be_patient(tmp_path / "results é")
    sent = subprocess.run("sbatch --x 'a b'", shell=True, capture_output=True, text=True)
    assert sent.stdout == "17 --x a b\n", sent.stderr
    assert (tmp_path / "results é" / "cache" / "bin" / "sbatch").read_text().count(str(tmp_path / "sbatch")) == 1


def test_without_slurm_nothing_is_put_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    be_patient(tmp_path / "results")
    assert os.environ["PATH"] == str(tmp_path)
