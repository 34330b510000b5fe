"""Which code decides what: the fingerprints in keys, and in the hashes that Snakemake compares.

The code of a run is the training loop (images, subsets, augmentation, objective, optimiser, evaluation and all that they use)
and the file of its family with what that uses. Other things that decide a run, such as its width, the numbers of its recipe and
the checksum of its images, are in its key as values, so the code that finds them is left out here.

A refactoring that provably changes nothing may be declared in ``equivalent_code.txt``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from scaling.models.outside import TIMM, is_outside, own_place
from scaling.models.timm_rules import rule_of
from scaling.runs.code_modules import CodeError, read_sources
from scaling.runs.fingerprint import Code
from scaling.runs.fingerprint_cache import FingerprintCache
from scaling.runs.own_code import own_fingerprint
from scaling.study.declared import CLAIM_FIGURES, FIGURES, module_of

PACKAGE: Final = Path(__file__).parents[1]
EQUIVALENTS: Final = Path(__file__).with_name("equivalent_code.txt")

STOPS: Final = (
    # What these find is in the key as values.
    "scaling.study.schema",
    "scaling.runs.grid",
    "scaling.runs.job_hashes",
    "scaling.study.recipe",
    "scaling.study.pretraining_settings",
    "scaling.models.registry",
    "scaling.models.ladder",
    "scaling.models.timm_rules",
    "scaling.models.outside:facts_of",
    "scaling.data.prepare",
    "scaling.data.prepared",
    "scaling.data.source_registry",
    "scaling.data.source",
    "scaling.data.data_errors",
    # These store results, or report them.
    "scaling.files",
    "scaling.runs.store",
    "scaling.runs.lease",
    "scaling.runs.records",
    "scaling.training.checkpoint",
    "scaling.training.memory",
)
TELLING_KEYWORDS: Final = {
    "Field": ("description",),
    # The width and depth that a ladder finds in these are in the key.
    "Family": ("facts", "widths", "depths", "depth_unit"),
    "Probe": ("description",),
    "Benchmark": ("description", "seconds"),
}

TRAINING: Final = (
    "scaling.training.loop:Trainer",
    "scaling.study.recipe:Recipe.length",
    "scaling.study.recipe:Recipe.steps",
    "scaling.study.recipe:Recipe.warmup_steps",
    # Threads and TF32 decide the last bits.
    "scaling.training.device:use_one_thread",
    "scaling.training.device:see_gpu",
)
START: Final = "scaling.training.start"
OBJECTIVES: Final = {"mae": "scaling.training.objectives.mae", "dino": "scaling.training.objectives.dino"}


def run_code(family: str) -> dict[str, str]:
    """Fingerprints of the code that decides a run of ``family`` that starts from random weights. Raises CodeError."""
    return {"training": _fingerprint(TRAINING, (START,)), **_model_code(family)}


def _model_code(family: str) -> dict[str, str]:
    """The part of it that is the family's: its file, or for one from outside timm's version or the user's own files.

    Raises:
        CodeError: a file cannot be read.
    """
    place = own_place(family)
    if place is not None:
        return {"model": _fingerprint(("scaling.models.own_family:make",)), "own": _own(*place)}
    if is_outside(family):
        rule = repr(rule_of(family.removeprefix(TIMM)))
        return {
            "model": _fingerprint(("scaling.models.timm_family:make",)),
            "rule": hashlib.sha256(rule.encode()).hexdigest()[:24],
            "timm": version("timm"),
        }
    return {"model": _fingerprint((f"scaling.models.{family}:family",))}


def _own(path: Path, name: str) -> str:
    if (path, name) not in _taken_own:
        _taken_own[path, name] = own_fingerprint(path, name)
    return _taken_own[path, name]


_taken_own: dict[tuple[Path, str], str] = {}
"""The same as ``_taken``, of users' own models."""


def started_run_code(family: str) -> dict[str, str]:
    """The same of a run that starts from a backbone; the code of the backbone is in the backbone's key. Raises CodeError."""
    return run_code(family) | {"start": _fingerprint((f"{START}:Start",))}


def backbone_code(family: str, objective: str) -> dict[str, str]:
    """The same of a backbone that is trained by ``objective``. Raises CodeError."""
    others = (START, *(module for name, module in OBJECTIVES.items() if name != objective))
    roots = ("scaling.training.pretraining:Pretrainer", *TRAINING)
    return run_code(family) | {"objective": _fingerprint(roots, others)}


def tuning_code() -> str:
    """Fingerprint of the code that chooses a learning rate among candidates. Raises CodeError."""
    return _fingerprint(("scaling.training.tuning:tune", "scaling.runs.resolve:RateRule"))


def probe_code(name: str) -> str:
    """Fingerprint of the code of the probe ``name``: after an edit models are read again, not trained again.

    Raises:
        CodeError: a source file cannot be read, or there is no such probe.
    """
    stops = ("scaling.training.loop", START, *OBJECTIVES.values())
    return _fingerprint((f"scaling.training.probes.{module_of(name)}:probe",), stops)


def laws_code() -> str:
    """Fingerprint of the code that fits laws and compares families. Raises CodeError."""
    return _fingerprint(("scaling.analysis.own_study:fit_laws", *_law_files()))


def claims_code(modules: Iterable[str]) -> str:
    """Fingerprint of the code that judges the claims of ``modules`` (names of files without ending). Raises CodeError."""
    roots = tuple(f"scaling.analysis.claims.{module}" for module in modules)
    return _fingerprint(("scaling.analysis.own_study:judge_own_claims", *roots, *_law_files()))


def _law_files() -> list[str]:
    """The modules that may declare laws: these are found by listing their folder, so no import names them."""
    return [f"scaling.laws.forms.{path.stem}" for path in sorted((PACKAGE / "laws" / "forms").glob("[a-z]*.py"))]


def benchmarks_code(benchmarks: Iterable[str], families: Iterable[str]) -> str:
    """Fingerprint of the code of ``benchmarks``, models of ``families`` included. Raises CodeError."""
    parts = [f"scaling.jobs.benchmarks.{module_of(name)}:benchmark" for name in sorted(benchmarks)]
    outside = sorted(name for name in families if is_outside(name))
    parts += [f"scaling.models.{name}:family" for name in sorted(set(families) - set(outside))]
    code = _fingerprint(("scaling.jobs.benchmarks.run_benchmarks:run_benchmarks", *parts))
    return "-".join([code, *(part for name in outside for part in _model_code(name).values())])


@cache
def report_code() -> str:
    """Hash of the code and templates of the page. Raises CodeError."""
    figures = [f"scaling.report.figures.{module_of(name)}:figure" for name in FIGURES]
    figures += [f"scaling.report.figures.{module_of(name)}:claim_figure" for name in CLAIM_FIGURES]
    code = _fingerprint(("scaling.report.study_report:write_report", *figures))
    templates = sorted((PACKAGE / "report" / "template").iterdir())
    texts = [code.encode(), *(path.name.encode() + b"\0" + path.read_bytes() for path in templates if path.is_file())]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:24]


def check_unchanged() -> None:
    """Check that no code was edited since this process took its fingerprints, so that they name the code that was imported.

    Raises:
        CodeError: code that decides results was edited.
    """
    for (path, name), taken in _taken_own.items():
        if own_fingerprint(path, name) != taken:
            raise CodeError(f"{path} was edited while this command started: run it again")
    if read_sources(PACKAGE) == _shared_code(()).modules.sources:
        return
    for roots, more_stops in list(_taken):
        if _code(more_stops).fingerprint(roots) != _taken[roots, more_stops]:
            raise CodeError(f"the code was edited while this command started ({', '.join(roots)}): run it again")


_taken: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
"""Fingerprints as the files were when this process first asked for them."""


def _fingerprint(roots: tuple[str, ...], more_stops: tuple[str, ...] = ()) -> str:
    if (roots, more_stops) not in _taken:
        known, name = _remembered(), json.dumps([roots, more_stops, STOPS, TELLING_KEYWORDS])
        if name not in known.fingerprints:
            known.add(name, _shared_code(more_stops).fingerprint(roots))
        _taken[roots, more_stops] = known.fingerprints[name]
    return canonical(_taken[roots, more_stops])


def _code(more_stops: tuple[str, ...]) -> Code:
    return Code(PACKAGE, (*STOPS, *more_stops), TELLING_KEYWORDS)


@cache
def _shared_code(more_stops: tuple[str, ...]) -> Code:
    """The code of the package, whose files are read once per process."""
    return _shared_code(()).with_stops((*STOPS, *more_stops)) if more_stops else _code(())


@cache
def _remembered() -> FingerprintCache:
    """The fingerprints that earlier processes found in the same files, kept beside the package's bytecode."""
    folder = Path(cache_from_source(__file__)).parent
    return FingerprintCache(folder / "fingerprints.json", _shared_code(()).modules.sources)


def canonical(fingerprint: str) -> str:
    """The oldest fingerprint that ``fingerprint`` is declared to be equivalent to, or itself. Raises CodeError."""
    older = {line.new: line.old for line in declared()}
    seen = {fingerprint}
    while fingerprint in older:
        fingerprint = older[fingerprint]
        if fingerprint in seen:
            raise CodeError(f"{EQUIVALENTS}: {fingerprint} is declared equivalent to itself")
        seen.add(fingerprint)
    return fingerprint


class Equivalence:
    """A line of ``equivalent_code.txt``: code ``new`` gives the results of code ``old``, which stood in ``commit``."""

    def __init__(self, number: int, line: str) -> None:
        words = line.split()
        if len(words) != 3 or any(set(word) - set("0123456789abcdef") for word in words):
            raise CodeError(f"{EQUIVALENTS}: line {number}: received {line.strip()!r}, allowed: NEW OLD COMMIT, in hexadecimal")
        self.new, self.old, self.commit = words


@cache
def declared() -> tuple[Equivalence, ...]:
    """The lines of ``equivalent_code.txt``. Raises CodeError."""
    lines = EQUIVALENTS.read_text().splitlines() if EQUIVALENTS.exists() else []
    texts = [(number, line.split("#")[0]) for number, line in enumerate(lines, 1)]
    return tuple(Equivalence(number, text) for number, text in texts if text.strip())
