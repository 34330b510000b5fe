"""Slots on GPUs, simulated: two of 10 GB, cells of so many GB, two jobs of one machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scaling.jobs.slots import Cores, GpuShares, Ledger
from scaling.training.device import Gpu
from scaling.training.nvidia import SmiGpu

GB = 10**9
GPUS = (Gpu("a", 10 * GB, 10 * GB), Gpu("b", 10 * GB, 10 * GB))


class Memory:
    """Estimates that say what the test wants."""

    def __init__(self) -> None:
        self.needs, self.learnt = {}, []

    def need(self, cell):
        return self.needs[cell.key]

    def learn(self, cell, peak):
        self.learnt.append(peak)


@pytest.fixture
def cells(small_cell):
    return [small_cell(seed=seed) for seed in range(12)]


@pytest.fixture
def job(tmp_path, cells):
    """A function that makes the slots of a job, with cells of ``gigabytes``."""

    def make(gigabytes=4.0, cores=100, gpus=GPUS, per_run=1):
        memory = Memory()
        memory.needs = {cell.key: int(gigabytes * GB) for cell in cells}
        return GpuShares(gpus, memory, cores, per_run, ledger=Ledger(tmp_path / "ledger" / "ledger.json"))

    return make


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("scaling.jobs.slots.RETRY_SECONDS", 0.0)


def taken(slots, cells, alone=False):
    found = [slots.take(cell, alone) for cell in cells]
    return [None if slot is None else slot.gpus[0] for slot in found], [slot for slot in found if slot]


def test_a_core_a_cell(cells):
    cores = Cores(2)
    slots = [cores.take(cell, False) for cell in cells[:3]]
    assert [slot is not None for slot in slots] == [True, True, False]
    assert slots[0].alone
    cores.free(slots[0])
    assert cores.take(cells[2], False) is not None


def test_gpus_are_filled_by_memory(job, cells):
    gpus, slots = taken(job(), cells[:6])
    assert gpus == [0, 1, 0, 1, None, None]
    assert not any(slot.alone for slot in slots)


def test_two_jobs_share_the_gpus(job, cells):
    one, two = job(), job()
    assert taken(one, cells[:3])[0] == [0, 1, 0]
    gpus, slots = taken(two, cells[3:6])
    assert gpus == [1, None, None]
    two.free(slots[0])
    assert one.take(cells[6], False).gpus == (1,)


def test_all_jobs_together_keep_to_the_cores(job, cells):
    one, two = job(1.0, cores=3), job(1.0, cores=3)
    assert taken(one, cells[:2])[0] == [0, 1]
    assert taken(two, cells[2:5])[0] == [0, None, None]


def test_jobs_on_other_gpus_do_not_count(job, cells):
    """Two jobs of a cluster on one machine, each with a GPU and cores of its own."""
    one, two = job(1.0, cores=2, gpus=GPUS[:1]), job(1.0, cores=2, gpus=GPUS[1:])
    assert taken(one, cells[:3])[0] == [0, 0, None]
    assert taken(two, cells[3:6])[0] == [0, 0, None]


def test_what_other_programs_hold_is_left_to_them(job, cells):
    used = (Gpu("a", 10 * GB, 5 * GB), Gpu("b", 10 * GB, 10 * GB))
    assert taken(job(gpus=used), cells[:5])[0] == [1, 1, 0, None, None]


def test_room_is_measured_under_the_ledgers_lock_and_again_once_a_gpu_is_idle(job, cells, monkeypatch):
    """What the job saw when it began may be long past: another program has ended or begun since."""
    free = {"a": 5 * GB, "b": 10 * GB}
    monkeypatch.setattr("scaling.jobs.slots.MEASURE_SECONDS", -1.0)
    monkeypatch.setattr(
        "scaling.jobs.slots.smi_gpus",
        lambda: [SmiGpu(f"GPU-{uuid}", "", "Default", 10 * GB, size, "8.0") for uuid, size in free.items()],
    )
    one = job()
    gpus, slots = taken(one, cells[:4])
    assert gpus == [1, 1, 0, None]
    free["a"] = 10 * GB  # the other program has ended, and so has our run there
    one.free(slots[2])
    assert taken(one, cells[4:7])[0] == [0, 0, None]


def test_a_gpu_that_takes_one_process_at_a_time_is_given_whole(job, cells):
    one = job(1.0, gpus=(replace(GPUS[0], exclusive=True),))
    gpus, slots = taken(one, cells[:2])
    assert gpus == [0, None]
    assert slots[0].alone
    one.free(slots[0])
    assert one.take(cells[1], False).alone


def test_what_our_own_cells_hold_is_not_counted_twice(job, cells):
    assert taken(job(), cells[:2])[0] == [0, 1]
    later = (Gpu("a", 10 * GB, 6 * GB), Gpu("b", 10 * GB, 6 * GB))
    assert taken(job(gpus=later), cells[2:5])[0] == [0, 1, None]


def test_alone_waits_for_the_others_and_keeps_new_ones_out(job, cells):
    one, two = job(gpus=GPUS[:1]), job(gpus=GPUS[:1])
    _, (small,) = taken(one, cells[:1])
    assert two.take(cells[1], True) is None
    assert one.take(cells[2], False) is None  # there were room for it, but for the claim
    one.free(small)
    whole = two.take(cells[1], True)
    assert whole.alone
    assert one.take(cells[2], False) is None
    two.free(whole)
    assert one.take(cells[2], False).gpus == (0,)


def test_of_two_that_want_to_be_alone_the_first_goes_first(job, cells):
    one, two = job(gpus=GPUS[:1]), job(gpus=GPUS[:1])
    first = one.take(cells[0], True)
    assert two.take(cells[1], True) is None
    one.free(first)
    assert one.take(cells[2], True) is None
    assert two.take(cells[1], True) is not None


def test_a_run_of_several_gpus_claims_them_at_once_and_waits_for_all(job, cells):
    small, one, two = job(), job(per_run=2), job(per_run=2)
    _, held = taken(small, cells[:1])  # on GPU 0
    assert one.take(cells[1], False) is None  # GPU 1 is its own already
    assert two.take(cells[2], False) is None
    assert small.take(cells[3], False) is None
    small.free(held[0])
    assert two.take(cells[2], False) is None  # its claims lie after the first one's, on both
    first = one.take(cells[1], False)
    assert (sorted(first.gpus), first.alone) == ([0, 1], True)
    one.free(first)
    assert sorted(two.take(cells[2], False).gpus) == [0, 1]


def test_a_backbone_gets_one_gpu(job, cells):
    one, backbone = job(per_run=2), SimpleNamespace(key="backbone", objective="mae")
    one.memory.needs["backbone"] = GB
    assert one.take(backbone, False).gpus == (0,)


def test_a_cell_larger_than_any_gpu_gets_one_alone(job, cells):
    slot = job(40.0).take(cells[0], False)
    assert slot.alone


def test_what_processes_that_are_gone_had_is_free(job, cells, tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from scaling.training.device import Gpu\n"
        "from scaling.jobs.slots import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "with ledger.open() as reservations: reservations.append(ledger.reservation('one', Gpu('a', 1, 1), 9 * 10**9))\n"
    )
    slots = job(gpus=GPUS[:1])
    subprocess.run([sys.executable, "-c", code, str(slots.ledger.path)], check=True)
    assert len(json.loads(slots.ledger.path.read_text())) == 1
    assert taken(slots, cells[:2])[0] == [0, 0]


def test_a_damaged_ledger_is_begun_anew(job, cells):
    slots = job()
    slots.ledger.path.write_text("{half")
    assert slots.take(cells[0], False).gpus == (0,)
    assert len(json.loads(slots.ledger.path.read_text())) == 1


def test_a_ledger_in_anothers_folder_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "gpus"
    Ledger(folder / "ledger.json")
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(PermissionError, match="gpus belongs to another user; remove it, or set TMPDIR to a folder of your own"):
        Ledger(folder / "ledger.json")


def planted(tmp_path, kind):
    """What another user may have put where the ledger's folder belongs."""
    folder, elsewhere = tmp_path / "gpus", tmp_path / "elsewhere"
    if kind == "symbolic link":
        elsewhere.mkdir(mode=0o700)
        folder.symlink_to(elsewhere)
    elif kind == "link to nothing":
        folder.symlink_to(elsewhere)
    elif kind == "no folder":
        folder.write_text("a file")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    return folder


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("symbolic link", "is a symbolic link"),
        ("link to nothing", "is a symbolic link"),
        ("no folder", "is no folder"),
        ("open to all", "can be written by other users"),
    ],
)
def test_a_planted_folder_of_the_ledger_is_refused_and_not_written_to(tmp_path, kind, said):
    folder = planted(tmp_path, kind)
    with pytest.raises(PermissionError, match=f"gpus {said}; remove it, or set TMPDIR"):
        Ledger(folder / "ledger.json")
    assert not (tmp_path / "elsewhere").exists() or not list((tmp_path / "elsewhere").iterdir())


def test_the_refusal_is_one_line_of_the_command(tmp_path, monkeypatch, capsys):
    from scaling.cli import commands as cli

    folder = planted(tmp_path, "symbolic link")
    monkeypatch.setattr(cli, "app", lambda **_: Ledger(folder / "ledger.json"))
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{folder} is a symbolic link; remove it, or set TMPDIR to a folder of your own" in said


def test_the_folder_of_the_ledger_is_for_its_user_alone(tmp_path):
    before = os.umask(0)
    try:
        Ledger(tmp_path / "gpus" / "ledger.json")
    finally:
        os.umask(before)
    assert (tmp_path / "gpus").stat().st_mode & 0o777 == 0o700


def test_hosts_that_share_a_folder_for_temporary_files_keep_ledgers_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    for host in ("node-1.domain", "node-2.domain"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        ledger = Ledger()
        with ledger.open() as entries:
            assert entries == []  # no trace of the other host's
            entries += [ledger.reservation("one", Gpu(host, 1, 1), 1)]
    monkeypatch.setattr("socket.gethostname", lambda: "node-1.domain")
    with Ledger().open() as entries:
        assert [entry["gpu"] for entry in entries] == ["node-1.domain"]


def test_no_room_is_not_asked_for_again_at_once(job, cells, monkeypatch):
    monkeypatch.setattr("scaling.jobs.slots.RETRY_SECONDS", 60.0)
    slots = job()
    _, found = taken(slots, cells[:5])
    asked = []
    monkeypatch.setattr(slots.ledger, "open", lambda: asked.append(1))
    assert slots.take(cells[5], False) is None
    assert not asked
    monkeypatch.undo()
    slots.free(found[0])  # but at once when a cell of our own ends
    assert slots.take(cells[5], False) is not None
