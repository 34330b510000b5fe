"""One private Slurm for all tests of this folder, and checkouts that run the literal command on it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster_project import SNAKEMAKE, Project
from filelock import FileLock
from private_slurm import PrivateSlurm, why_not


@pytest.fixture(scope="session")
def slurm() -> Iterator[PrivateSlurm]:
    with FileLock(Path(tempfile.gettempdir()) / "scaling-tests-slurm.lock", timeout=1800):
        reason = why_not()
        if reason and os.environ.get("SLURM_TESTS") == "required":
            pytest.fail(f"tests/slurm must run here (SLURM_TESTS=required), but {reason}")
        if reason:
            pytest.skip(reason)
        one = PrivateSlurm()
        try:
            yield one
        finally:
            one.stop()


@pytest.fixture(scope="session")
def accounts(slurm) -> None:
    """The cluster keeps accounts; root, who runs the tests, is of the account ``group``."""
    slurm.keep_accounts()


@pytest.fixture(scope="session")
def make_project(make_checkout, tmp_path_factory) -> Callable[[str], Project]:
    return lambda study: Project(make_checkout(tmp_path_factory.mktemp("project é")), study)


@pytest.fixture(scope="session")
def reference(make_project) -> Iterator[Callable[[str], Project]]:
    """A function that gives a study's project, run here without Slurm; all run beside the tests until they are asked for."""
    projects = {name: make_project(name) for name in ("smoke", "faults", "limit")}
    for project in projects.values():
        # As far as the tables: no test looks at their laws and pages.
        project.start(SNAKEMAKE, "--cores", "1", f"results/{project.name}/runs.parquet")

    def finished(study: str) -> Project:
        projects[study].finish()
        return projects[study]

    yield finished
    for project in projects.values():
        project.end()


@pytest.fixture
def project(make_project, reference) -> Iterator[Callable[[str], Project]]:
    """A function that makes a project of a study, its images prepared and its rates tuned already; ends its driver."""
    made = []

    def make(study: str) -> Project:
        one = make_project(study)
        for part in ("data", f"{study}/tuning"):
            shutil.copytree(reference(study).folder / "results" / part, one.folder / "results" / part)
        made.append(one)
        return one

    yield make
    for one in made:
        one.end()
