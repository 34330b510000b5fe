"""The commands that a study's jobs run: ``scaling tune | train | collect | benchmark | complete``, in the order of the DAG."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from scaling.cli.options import DEFAULT_STUDY, Cores, KeepGoing, MachineCores, MemoryMb, Minutes, StudyPath
from scaling.cli.table_commands import end, has_holes, say
from scaling.jobs.owner import open_own
from scaling.study.layout import Layout
from scaling.study.schema import Study

if TYPE_CHECKING:
    from scaling.runs.resolve import Tuning


def tune(
    study_path: StudyPath,
    family: str,
    cores: Cores = None,
    machine_cores: MachineCores = None,
    memory_mb: MemoryMb = None,
    minutes: Minutes = None,
    keep_going: KeepGoing = False,
) -> None:
    """Tune the learning rate of one family of a study."""
    study, layout = open_own(study_path, say)
    if family not in study.families:
        say(f"{study_path} has no family {family}; it has {', '.join(study.families)}")
        raise typer.Exit(2)
    found = _tune(study, layout, family, cores, machine_cores, memory_mb, minutes)
    if found.rule is None:
        say(f"{family}: {found.failure}")
        end(missing=True, keep_going=keep_going)  # its packs say so for each of their cells, and the others' report is made
        return
    edges = [str(anchor["params"]) for anchor in found.anchors if anchor["edge"]]
    say(f"{family}: learning rate {found.rule}" + (f"; at the candidates' edge for N = {', '.join(edges)}" * bool(edges)))


def train(
    study_path: StudyPath,
    pack: str,
    cores: Cores = None,
    machine_cores: MachineCores = None,
    memory_mb: MemoryMb = None,
    minutes: Minutes = None,
    keep_going: KeepGoing = False,
) -> None:
    """Train the cells of one pack of a study; writes its table whatever became of each cell."""
    from scaling.jobs.made_from import Origins
    from scaling.jobs.packing import packs_of
    from scaling.models.ladder import Ladders
    from scaling.runs.derived import write_table
    from scaling.runs.resolve import gather, resolve
    from scaling.study.study_images import image_spec
    from scaling.training.device import detect

    study, layout = open_own(study_path, say)
    jobs = packs_of(study, layout)
    if pack not in jobs:
        near = difflib.get_close_matches(pack, jobs, n=1)
        say(f"{study_path} has no pack {pack}" + (f"; did you mean {near[0]}?" if near else f"; it has {', '.join(jobs)}"))
        raise typer.Exit(2)
    members = jobs[pack]
    tuning = _tuning_of(study, study_path, layout, members.family, cores, machine_cores, memory_mb, minutes)
    if tuning.rule is not None:
        ladders, image = Ladders(layout.ladders), image_spec(study)
        cells = [resolve(study, cell, tuning, ladders, image) for cell in members.cells]
        with _attempt(layout, "train", pack, members.family, cores, memory_mb, minutes) as job:
            device = detect(tuning.device, tuning.precision)
            probes = study.entry(members.family).probes
            runner = _runner(study, layout, device, pack, cores, machine_cores, probes=probes, look=job.look)
            _settle(runner.run(cells), job, runner.store)
    runs = gather(study, layout, [members], say)
    write_table(runs, layout.pack(pack), Origins(study, layout, jobs).pack(pack))
    end(missing=has_holes(runs), keep_going=keep_going)


def collect(study_path: StudyPath = DEFAULT_STUDY, keep_going: KeepGoing = False) -> None:
    """Put the cells of a study, as the store holds them now, into one runs table."""
    from scaling.jobs.collected import Collected

    collected = Collected(*open_own(study_path, say), say)
    collected.write()
    end(missing=has_holes(collected.runs), keep_going=keep_going)


def benchmark(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Time and count what a study's block `benchmarks` asks for; wants the machine to itself."""
    from scaling.jobs.benchmarks.run_benchmarks import run_benchmarks
    from scaling.jobs.benchmarks.settings import Machine, Request
    from scaling.jobs.made_from import Origins
    from scaling.jobs.packing import packs_of
    from scaling.models.ladder import Ladders
    from scaling.runs.derived import write_table
    from scaling.runs.resolve import measurements_table
    from scaling.study.study_images import image_spec
    from scaling.training.device import detect

    study, layout = open_own(study_path, say)
    if study.benchmarks is None:
        say(f"{study_path} asks for no benchmarks: give it a block `benchmarks:`")
        raise typer.Exit(2)
    device = detect(study.device, study.precision)
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"other programs are running (load {load:.1f}): the benchmarks will be noisy")
    rows = run_benchmarks(
        study.benchmarks.names,
        Request(
            ladders=Ladders(layout.ladders),
            image=image_spec(study),
            entries={
                name: (study.architecture(name), study.family_recipe(name).batch, study.benchmarked_sizes(name))
                for name in study.benchmarked()
            },
            transformer_size=study.benchmarks.transformer_params,
            rounds=study.benchmarks.rounds,
            machine=Machine(device.kind, device.precision, device.machine),
        ),
        say,
    )
    write_table(measurements_table(rows), layout.benchmarks, Origins(study, layout, packs_of(study, layout)).benchmarks)


def complete(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Say whether every cell of a study has ended; packs with holes are opened for the next run, and named.

    It asks the study and the store: a table that was made before an edit of the study does not know of it.
    """
    import polars as pl

    from scaling.data import prepared_path
    from scaling.jobs.collected import Collected
    from scaling.runs.derived import seal_path
    from scaling.runs.records import FAILED, MISSING
    from scaling.runs.resolve import read_tuning
    from scaling.study.study_images import data_settings, look_at_images

    study, layout = open_own(study_path, say)
    images = look_at_images(study, layout)
    collected = Collected(study, layout, say)
    runs, unread = collected.runs, collected.unread
    if images.changed:
        # Also where Snakemake was told to mind the times of files alone, or its notes are lost.
        prepared_path(data_settings(study), layout.data).unlink(missing_ok=True)
        say(f"{images.changed}; run again to prepare and train them")
    holes = runs.filter(pl.col("status").is_in([FAILED, MISSING]))
    holes = pl.concat([holes, pl.DataFrame(unread, schema=runs.schema)])
    say(f"report: {layout.report}")
    if not holes.is_empty():
        say(f"{len(holes)} of {len(runs)} cells have no result:")
        for row in holes.iter_rows(named=True):
            say(f"  {row['family']} N={row['target_params']} D={row['images']} seed={row['seed']}: {row['reason']}")
        for pack, family in holes.select("pack", "family").unique().iter_rows():
            layout.pack(pack).unlink(missing_ok=True)
            tuning = read_tuning(study, layout, family, images)
            if tuning is None or tuning.rule is None:  # of another recipe or other images, or failed
                layout.tuning(family).unlink(missing_ok=True)
        say(f"run again to train just these: packs {', '.join(sorted(holes['pack'].unique()))}")
        raise typer.Exit(1)
    if stale := collected.stale():
        for path in stale:
            path.unlink(missing_ok=True)
            seal_path(path).unlink(missing_ok=True)
        say(f"{', '.join(map(str, stale))}: not what the study, its store and the code give now; run again to make it anew")
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Make these functions commands of ``app``."""
    for command in (tune, train, collect, benchmark, complete):
        app.command()(command)
    app.command("measure", hidden=True)(benchmark)  # its older name


def _tuning_of(study: Study, study_path: Path, layout: Layout, family: str, *machine: Any) -> Tuning:
    """What tuning found for ``family``.

    A file that is damaged, or of other settings, is named, set aside and made again: its candidates are in the store.
    """
    from scaling.data import Look
    from scaling.runs.resolve import DamagedTuning, read_tuning
    from scaling.study.study_images import look_at_images

    path = layout.tuning(family)
    images = look_at_images(study, layout)
    try:
        found = read_tuning(study, layout, family, images)
        if found is not None:
            return found
        trouble = f"{path}: made for another family or study, or with other settings than {study_path} has now"
        if read_tuning(study, layout, family, Look()) is not None:
            trouble = f"{path}: made for other images than there are now"
    except DamagedTuning as error:
        trouble = str(error)
    aside = path.with_suffix(".damaged")
    try:
        shutil.copyfile(path, aside)  # the file itself stays until another takes its place: other jobs look for it
    except FileNotFoundError as error:
        say(f"{path} is missing: run `scaling tune {study_path} {family}` first")
        raise typer.Exit(2) from error
    say(f"{trouble}; set aside as {aside.name}, the rate is read anew off the candidates in the store")
    return _tune(study, layout, family, *machine)


def _tune(
    study: Study,
    layout: Layout,
    family: str,
    cores: int | None,
    machine_cores: int | None,
    memory_mb: int | None,
    minutes: float | None,
) -> Tuning:
    """Tune ``family`` and write what was found; of candidates that are in the store none is trained."""
    from scaling.data import load
    from scaling.files import write_atomic
    from scaling.models.ladder import Ladders
    from scaling.runs.grid import tuning_hash
    from scaling.runs.store import Store
    from scaling.study.study_images import image_spec
    from scaling.training.device import detect
    from scaling.training.tuning import tune as tune_family

    with _attempt(layout, "tune", family, family, cores, memory_mb, minutes) as job:
        device = detect(study.device, study.precision)

        @cache
        def runner():  # made where there is something to train: a rate that the study fixes needs no trainer
            return _runner(study, layout, device, f"tune {family}", cores, machine_cores, look=job.look)

        found = tune_family(
            study,
            family,
            device=device,
            checksum=load(_data_path(study, layout), verify=False).checksum,
            image=image_spec(study),
            ladders=Ladders(layout.ladders),
            store=Store(layout.store),
            train=lambda cells: _settle(runner().run(cells), job, runner().store),
        )
    found = replace(found, settings=tuning_hash(study, family))
    write_atomic(layout.tuning(family), found.text().encode())
    return found


def _data_path(study: Study, layout: Layout) -> Path:
    """The prepared images, checked; a damaged file is named and rebuilt."""
    from scaling.data import prepare
    from scaling.study.study_images import data_settings

    return prepare(data_settings(study), layout.data, progress=False)


def _runner(
    study: Study,
    layout: Layout,
    device,
    label: str,
    cores: int | None,
    machine_cores: int | None,
    *,
    probes: Sequence[str] = (),
    look: Callable[[], None],
):
    from scaling.jobs.deadline import stop_time
    from scaling.jobs.runner import PackRunner
    from scaling.runs.store import Store
    from scaling.training.device import cores_here

    return PackRunner(
        Store(layout.store),
        _data_path(study, layout),
        device,
        label=label,
        cores=cores or cores_here(),
        checkpoint_seconds=study.jobs.checkpoint_seconds,
        probes=probes,
        machine_cores=min(machine_cores or cores_here(), cores_here()),
        stop_at=stop_time(),
        look=look,
    )


def _attempt(layout: Layout, rule, name: str, family: str, cores: int | None, memory_mb: int | None, minutes: float | None):
    """The note of this job's attempt."""
    from scaling.jobs.job_notes import EXIT_RESUMABLE, attempt
    from scaling.training.device import cores_here

    at_a_time = cores or cores_here()
    asked = {"asked_memory_mb": memory_mb, "asked_minutes": minutes, "asked_cpus": at_a_time}
    return attempt(layout.jobs, rule, name, family, asked, at_a_time, EXIT_RESUMABLE)


def _settle(outcome, job, store) -> None:
    """Note what a job did; leave where it was stopped, or where another attempt with more memory may do better."""
    from scaling.jobs.job_notes import EXIT_RESUMABLE, MEMORY_RETRIES, OUT_OF_MEMORY

    job.count(entry.row for entry in map(store.read, outcome.trained) if entry is not None)
    if job.lost_to_memory(len(outcome.killed)):
        job.close(OUT_OF_MEMORY, f"{len(outcome.killed)} runs killed at {job.note.peak_memory_mb:.0f} MB")
        if job.note.slurm_job is not None and job.tried_for_memory < MEMORY_RETRIES:
            say("memory ran out; the next attempt asks for half as much again")
            raise typer.Exit(EXIT_RESUMABLE)
    if outcome.interrupted:
        say("stopped; checkpoints are written, the next run goes on from them")
        raise typer.Exit(EXIT_RESUMABLE)
