"""What each derived file of a study is made from: the seal that it should have, and the files whose seals are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from scaling.analysis.claims.claim_files import claim_files, claims_tested
from scaling.files import digest
from scaling.runs.deciding_code import claims_code, laws_code
from scaling.runs.derived import Seal, WrongFile, read_seal, set_aside
from scaling.runs.grid import Pack
from scaling.runs.job_hashes import benchmarks_hash, pack_hash
from scaling.runs.pack_table import pack_seal
from scaling.study.layout import Layout
from scaling.study.schema import Study


def laws_hash(study: Study) -> str:
    """Hash of how laws are fitted and to which entries of the study; includes the code."""
    return digest([study.laws.model_dump(), sorted(study.with_laws()), study.data.model_dump(mode="json"), laws_code()])


def claims_hash(study: Study) -> str:
    """Hash of the claims that are tested and of the code that judges them: an edit of a claim trains nothing."""
    files, names = claim_files(), claims_tested(study.claims)
    return digest([names, claims_code(sorted(files[name].stem for name in names))])


class Origins:
    """The seals of the derived files of ``study``, were they made from its present settings, code and inputs."""

    def __init__(self, study: Study, layout: Layout, packs: Mapping[str, Pack]) -> None:
        self._study, self._layout, self._packs = study, layout, packs

    def pack(self, name: str) -> Seal:
        """The seal of the table of the job ``name``."""
        return pack_seal(self._study, self._packs[name])

    @cached_property
    def collected(self) -> str:
        """Hash of the settings of all runs."""
        return digest(sorted(pack_hash(self._study, pack) for pack in self._packs.values()))

    @property
    def runs(self) -> Seal:
        """The seal of the runs table."""
        return Seal("runs", self._study.name, self.collected)

    @property
    def probes(self) -> Seal:
        """The seal of the table of probes."""
        return Seal("probes", self._study.name, self.collected)

    @cached_property
    def benchmarks(self) -> Seal:
        """The seal of the table of benchmarks."""
        return Seal("benchmarks", self._study.name, benchmarks_hash(self._study))

    def fits(self, runs: Seal) -> Seal:
        """The seal of the laws that are fitted to a runs table."""
        return Seal("fits", self._study.name, laws_hash(self._study), digest([runs.sha256]))

    def claims(self, runs: Seal, *measured: Seal) -> Seal:
        """The seal of the verdicts on claims, made from a runs table (with its laws) and the tables of measurements."""
        settings = digest([claims_hash(self._study), laws_hash(self._study)])
        return Seal("claims", self._study.name, settings, digest([seal.sha256 for seal in (runs, *measured)]))

    def wrong(self) -> Iterator[tuple[Path, WrongFile]]:
        """The derived files that must not be used: damaged ones, another study's, or verdicts on other tables than there are.

        Files that were made with other settings of this study are not among them: Snakemake makes those again by itself.
        """
        layout = self._layout
        tables = {layout.runs: self.runs, layout.probes: self.probes}
        if self._study.benchmarks is not None:
            tables[layout.benchmarks] = self.benchmarks
        found: dict[Path, Seal] = {}
        packs = {layout.pack(name): self.pack(name) for name in self._packs}
        for path, expected in (packs | tables).items():
            try:
                found[path] = read_seal(path, expected)
            except FileNotFoundError:
                continue
            except WrongFile as error:
                yield path, error
        whole = all(path in found for path in tables)  # else verdicts are made again in any case
        sealed = [found[path] for path in tables] if whole else [self.runs]
        for path, expected in ((layout.fits, self.fits(sealed[0])), (layout.claims, self.claims(*sealed))):
            try:
                seal = read_seal(path, expected)
                if whole and seal.settings == expected.settings and seal.inputs != expected.inputs:
                    yield path, WrongFile(f"{path}: made from other tables than there are now")
            except FileNotFoundError:
                continue
            except WrongFile as error:
                yield path, error

    def set_aside_wrong(self, warn: Callable[[str], None]) -> None:
        """Set aside what ``wrong`` finds, so that it is made again; each file is named through ``warn``."""
        for path, error in self.wrong():
            set_aside(path, error, warn)
