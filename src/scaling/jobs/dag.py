"""What the Snakefile needs to know of a study: its paths, its jobs, their hashes, priorities and resources. No torch."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from scaling.data import SOURCES, prepared_path, trust_prepared_files
from scaling.data.decoded_source import DecodedSource
from scaling.jobs.calibration import read_calibration
from scaling.jobs.estimates import Estimates, minutes_to_ask
from scaling.jobs.job_notes import memory_to_ask, read_notes
from scaling.jobs.made_from import Origins, claims_hash, laws_hash
from scaling.jobs.opening import open_study
from scaling.jobs.owner import check_owner
from scaling.jobs.packing import packs_of
from scaling.jobs.slurm import look_for_mark
from scaling.models.ladder import Ladders
from scaling.runs.deciding_code import report_code
from scaling.runs.grid import Pack, cells
from scaling.runs.job_hashes import benchmarks_hash, pack_hash, tuning_hash
from scaling.study.layout import Layout
from scaling.study.study_images import data_settings, image_spec, look_at_images
from scaling.study.study_messages import suggest

Demand = Callable[[Any], int]
"""(wildcards) -> how much of a resource to ask for."""


class Dag:
    """The study that Snakemake was asked for, in terms of its rules."""

    def __init__(self, config: dict[str, Any], deployed_from: str | None = None, *, in_job: bool = False) -> None:
        """Open the study.

        Args:
            config: Snakemake's; it may hold the path of the study and nothing else.
            in_job: whether this is a job of the driver, which has looked at the images of the study already.
            deployed_from: the repository, if rules run in an environment of their own; else None.

        Raises:
            StudyError: the study is not valid.
            ValueError: ``config`` holds more than the path of the study.
            SlurmError: in a job of Slurm that does not see the driver's folder.
        """
        look_for_mark()
        if in_job:
            trust_prepared_files(Layout("").data)
        for key in sorted(set(config) - {"study"}):
            raise ValueError(
                f"--config: unknown key {key}{suggest(key, ['study'])}; a study is a file, chosen by --config study=FILE, "
                "and --configfile changes none"
            )
        self.path = Path(str(config.get("study", "config.yaml")))
        self._program = [sys.executable, "-m", "scaling"]
        if deployed_from is not None:
            source = Path(deployed_from) / "src"
            self._program = ["env", f"PYTHONPATH={source}", "python", "-m", "scaling"]
        self.study = open_study(self.path)
        self.layout = Layout(self.study.name)

    def check_results(self, say: Callable[[str], None]) -> None:
        """In the driver, before it asks which files exist: check whose results these are, and set aside files that are wrong.

        Results that belong to nobody are taken by the jobs, not by a dry run.

        Raises:
            StudyError: the results belong to another study.
        """
        check_owner(self.study, self.path, self.layout, say, take=False)
        Origins(self.study, self.layout, self.packs).set_aside_wrong(say)

    def command(self, name: str) -> str:
        """The start of a rule's shell command: the program, its subcommand ``name`` and the study, quoted for the shell."""
        words = [*self._program, name, str(self.path)]
        return shlex.join(words).replace("{", "{{").replace("}", "}}")

    @cached_property
    def packs(self) -> dict[str, Pack]:
        """The training jobs by name."""
        return packs_of(self.study, self.layout)

    @cached_property
    def data(self) -> Path:
        """The prepared images."""
        return prepared_path(data_settings(self.study), self.layout.data)

    @property
    def decodes(self) -> bool:
        """Whether preparing means to decode files of the user's own."""
        return isinstance(SOURCES[self.study.data.source], DecodedSource)

    @cached_property
    def images(self) -> str:
        """A name for the contents of the image folder, which changes with them; empty for other sources."""
        return look_at_images(self.study, self.layout).origin

    def family(self, pack: str) -> str:
        """The family that the job ``pack`` trains."""
        return self.packs[pack].family

    def pack_hash(self, pack: str) -> str:
        """Hash of the settings of the runs of ``pack``."""
        return pack_hash(self.study, self.packs[pack])

    def tuning_hash(self, family: str) -> str:
        """Hash of what the tuning of ``family`` depends on."""
        return tuning_hash(self.study, family)

    @cached_property
    def benchmarks_hash(self) -> str:
        """Hash of what the benchmarks depend on."""
        return benchmarks_hash(self.study)

    @cached_property
    def laws_hash(self) -> str:
        """Hash of how laws are fitted, code included."""
        return laws_hash(self.study)

    @cached_property
    def claims_hash(self) -> str:
        """Hash of the claims that are tested and of their code."""
        return claims_hash(self.study)

    @cached_property
    def report_code(self) -> str:
        """Hash of the code of the page."""
        return report_code()

    @cached_property
    def _estimates(self) -> Estimates:
        """Seconds and memory of runs, by the study's calibration if there is one that suits it."""
        found = read_calibration(self.study.jobs.calibration)
        calibration = found if found is not None and found.suits(self.study) else None
        return Estimates(self.study, calibration, Ladders(self.layout.ladders), image_spec(self.study))

    @cached_property
    def costs(self) -> dict[str, int]:
        """Family -> relative cost of its runs: the longest starts first, so that no core idles at the end."""
        found = {}
        for family in self.study.families:
            recipe = self.study.family_recipe(family)
            flop = sum(
                self._estimates.flop(family, cell.target) * recipe.length(cell.images) for cell in cells(self.study, family)
            )
            found[family] = int(flop / 1e9)
        return found

    def training_demand(self) -> dict[str, Any]:
        """Resources of the rule ``train``, as functions of its wildcards.

        Snakemake calls them again for each attempt; how the attempt before ended stands in its note.

        Without a calibration the time is not known. Then no runtime is named at all, since even an empty one would hide the
        profile's `default-resources`. The same holds for CPUs if the study does not name their number.
        """

        def memory(wildcards: Any) -> int:
            pack = self.packs[wildcards.pack]
            targets, images = {cell.target for cell in pack.cells}, max(cell.images for cell in pack.cells)
            estimate = self._estimates.memory_mb(pack.family, targets, len(pack.cells), images)
            return memory_to_ask(estimate, read_notes(self.layout.jobs, "train", pack.name))

        def minutes(wildcards: Any) -> int:
            seconds = self._estimates.job_seconds(self.packs[wildcards.pack].cells)
            assert seconds is not None  # only asked for with a calibration
            return minutes_to_ask(seconds)

        return self._demand(memory, minutes)

    def tuning_demand(self) -> dict[str, Any]:
        """The same for the rule ``tune``."""

        def memory(wildcards: Any) -> int:
            recipe = self.study.family_recipe(wildcards.family)
            if not recipe.is_tuned:  # nothing is trained, and the family may have no model of the anchors' sizes
                return self._estimates.memory_mb(wildcards.family, (), 0)
            anchors = recipe.anchors
            cells = len(anchors.places) * len(anchors.rates)
            estimate = self._estimates.memory_mb(wildcards.family, anchors.params, cells, max(anchors.images))
            return memory_to_ask(estimate, read_notes(self.layout.jobs, "tune", wildcards.family))

        def minutes(wildcards: Any) -> int:
            seconds = self._estimates.tuning_seconds(wildcards.family)
            assert seconds is not None  # only asked for with a calibration
            return minutes_to_ask(seconds)

        return self._demand(memory, minutes)

    @property
    def asked(self) -> str:
        """Options of a rule's shell command that tell the job which resources it was given."""
        return " --memory-mb {resources.mem_mb}" + " --minutes {resources.runtime}" * self._estimates.timed

    def _demand(self, memory: Demand, minutes: Demand) -> dict[str, Any]:
        found: dict[str, Any] = {"mem_mb": memory}
        if self.study.jobs.cores is not None:
            found["cpus_per_task"] = self.study.jobs.cores
        if self._estimates.timed:
            found["runtime"] = minutes
        return found
