"""The commands that a study's jobs run: ``scaling tune | train | collect | benchmark | complete``, in the order of the DAG."""

from __future__ import annotations

import typer

from scaling.cli.endings import MISSING_WORK, end, say
from scaling.cli.option_groups import with_option_groups
from scaling.cli.options import DEFAULT_STUDY, FamilyName, KeepGoing, PackName, StudyPath
from scaling.jobs.given import Given
from scaling.study.layout import Layout

NOTHING_SAID = Given()


def tune(study_path: StudyPath, family: FamilyName, given: Given = NOTHING_SAID, keep_going: KeepGoing = False) -> None:
    """Tune the learning rate of one family of a study."""
    from scaling.data import trust_prepared_files
    from scaling.jobs.training_job import TrainingJob
    from scaling.jobs.tune_job import tune_family

    trust_prepared_files(Layout("").data)
    job = TrainingJob.open(study_path, given, say)
    found = tune_family(job, family)
    if found.rule is None:
        say(f"{family}: {found.failure}")
        end(missing=True, keep_going=keep_going)  # its packs say so for each of their runs, and the others' report is made
        return
    edges = [f"{anchor['params']} and D = {anchor['images']}" for anchor in found.anchors if anchor["edge"]]
    say(f"{family}: learning rate {found.rule}" + (f"; at the candidates' edge for N = {', '.join(edges)}" * bool(edges)))


def train(study_path: StudyPath, pack: PackName, given: Given = NOTHING_SAID, keep_going: KeepGoing = False) -> None:
    """Train the runs of one job of a study, and write their table even if some of them fail."""
    from scaling.data import trust_prepared_files
    from scaling.jobs.train_job import train_pack
    from scaling.jobs.training_job import TrainingJob
    from scaling.runs.records import without_result

    trust_prepared_files(Layout("").data)
    job = TrainingJob.open(study_path, given, say)
    runs = train_pack(job, pack)
    end(missing=not without_result(runs).is_empty(), keep_going=keep_going)


def collect(study_path: StudyPath = DEFAULT_STUDY, keep_going: KeepGoing = False) -> None:
    """Put the runs of a study, as the store holds them now, into one table."""
    from scaling.jobs.collected import Collected
    from scaling.jobs.owner import open_own
    from scaling.runs.records import without_result

    collected = Collected(*open_own(study_path, say), say)
    collected.write()
    end(missing=not without_result(collected.runs).is_empty(), keep_going=keep_going)


def benchmark(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Time and count what a study's block `benchmarks` asks for, on a machine that does nothing else."""
    from scaling.jobs.benchmark_job import benchmark_study

    benchmark_study(study_path, say)


def complete(study_path: StudyPath = DEFAULT_STUDY) -> None:
    """Say whether every run of a study has a result, and which jobs have missing runs: the next call trains those."""
    from scaling.jobs.completion import complete_study

    if not complete_study(study_path, say):
        raise typer.Exit(MISSING_WORK)


def add_to(app: typer.Typer) -> None:
    """Make these functions commands of ``app``."""
    for command in (tune, train, collect, benchmark, complete):
        app.command(rich_help_panel="Jobs of a study, which Snakemake starts")(with_option_groups(command))
    app.command("measure", hidden=True)(benchmark)  # its older name
