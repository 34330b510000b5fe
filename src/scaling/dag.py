"""What the Snakefile needs of a study: its path and layout, its packs, their hashes and priorities; no torch."""

from __future__ import annotations

import shlex
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from scaling.check import open_study
from scaling.claim_files import claim_files
from scaling.data import prepared_path
from scaling.grid import Pack, cells, digest, pack_hash, packs, timings_hash, tuning_hash
from scaling.layout import Layout
from scaling.models.ladder import Ladders
from scaling.resolve import data_settings, image_spec
from scaling.site import look_for_mark


class Dag:
    """The study that Snakemake was asked for, in the terms of its rules."""

    def __init__(self, config: dict[str, Any], deployed_from: str | None = None) -> None:
        """``config`` is Snakemake's; ``deployed_from`` the repository, where rules run in an environment of their own.

        Raises StudyError for a bad study, ValueError where ``config`` holds more than the study's path, SiteError in a job
        that does not see the driver's folder.
        """
        look_for_mark()
        more = sorted(set(config) - {"study"})
        if more:
            raise ValueError(
                f"a study is chosen by --config study=studies/NAME.yaml, not by --configfile, which would merge two "
                f"studies into one (received the keys {', '.join(more)})"
            )
        self.path = Path(str(config.get("study", "config.yaml")))
        self._program = [sys.executable, "-m", "scaling"]
        if deployed_from is not None:
            source = Path(deployed_from) / "src"
            self._program = ["env", f"PYTHONPATH={source}", "python", "-m", "scaling"]
        self.study = open_study(self.path)
        self.layout = Layout(self.study.name)

    def command(self, name: str) -> str:
        """The start of a rule's shell command: the program, its subcommand ``name`` and the study, quoted for a shell."""
        words = [*self._program, name, str(self.path)]
        return shlex.join(words).replace("{", "{{").replace("}", "}}")

    @cached_property
    def packs(self) -> dict[str, Pack]:
        """The training jobs by name."""
        return packs(self.study)

    @cached_property
    def data(self) -> Path:
        """The prepared images."""
        return prepared_path(data_settings(self.study), self.layout.data)

    def family(self, pack: str) -> str:
        """The family that ``pack`` trains."""
        return self.packs[pack].family

    def pack_hash(self, pack: str) -> str:
        """Hash of the settings of the cells of ``pack``."""
        return pack_hash(self.study, self.packs[pack])

    def tuning_hash(self, family: str) -> str:
        """Hash of what the tuning of ``family`` depends on."""
        return tuning_hash(self.study, family)

    @cached_property
    def timings_hash(self) -> str:
        """Hash of what is timed."""
        return timings_hash(self.study)

    @cached_property
    def laws_hash(self) -> str:
        """Hash of how laws are fitted."""
        return digest(self.study.laws.model_dump())

    @cached_property
    def claims_hash(self) -> str:
        """Hash of the files of the claims that are tested: an edit of one judges anew, and trains nothing."""
        files = claim_files()
        return digest({name: files[name].read_text() for name in self.study.tested()})

    @cached_property
    def costs(self) -> dict[str, int]:
        """Relative cost of each family's cells, so that the longest is started first and no core idles at the end."""
        ladders, image = Ladders(self.layout.ladders), image_spec(self.study)
        found = {}
        for family in self.study.families:
            recipe, architecture = self.study.family_recipe(family), self.study.architecture(family)
            flop = sum(
                ladders.rung(architecture, cell.target, image).flop_forward * recipe.images_seen(cell.images)
                for cell in cells(self.study, family)
            )
            found[family] = int(flop / 1e9)
        return found
