"""From an unresolved cell to a resolved one, and from all cells of a study to its runs table. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from scaling.data import Look
from scaling.files import json_sha256
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.deciding_code import probe_code
from scaling.runs.grid import Backbone, Cell, Pack, ResolvedCell
from scaling.runs.job_hashes import tuning_hash
from scaling.runs.records import DIVERGED, DONE, FAILED, MEASUREMENT_SCHEMA, MISSING, SCHEMA
from scaling.runs.store import ForeignRecord, Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec, look_at_images


class DamagedTuning(ValueError):
    """A tuning file that cannot be read; the message names it and says why."""


@dataclass(frozen=True)
class RateRule:
    """Peak learning rate as a power of the width, and of D where it was tuned at several D.

    rate = rate_at_reference x (width / reference)^exponent x (D / images_reference)^images_exponent.
    """

    reference: float
    rate_at_reference: float
    exponent: float
    images_reference: float = 1.0
    images_exponent: float = 0.0

    def rate(self, width: float, images: float) -> float:
        """The rate at ``width`` and D = ``images``, to three digits, so that it reads well and keys are stable."""
        return float(f"{self.exact(width, images):.3g}")

    def exact(self, width: float, images: float) -> float:
        """The same, not rounded."""
        rate = self.rate_at_reference * (width / self.reference) ** self.exponent
        return rate * (images / self.images_reference) ** self.images_exponent

    def __str__(self) -> str:
        power = f" (w/{self.reference:g})^{self.exponent:.2f}" if self.exponent else ""
        of_data = f" (D/{self.images_reference:g})^{self.images_exponent:.2f}" if self.images_exponent else ""
        return f"{self.rate_at_reference:.3g}{power}{of_data}"


@dataclass(frozen=True)
class Tuning:
    """What the tuning of a family found: the rule, the device class and precision, and the evidence.

    If tuning failed, there is no rule, and ``failure`` says why.
    """

    family: str
    rule: RateRule | None
    device: str
    precision: str
    checksum: str
    anchors: tuple[dict[str, Any], ...]
    failure: str = ""
    settings: str = ""
    """hash of the recipe and anchors for which it is valid"""

    def text(self) -> str:
        """JSON with a checksum of its own; equal findings give equal text."""
        body = asdict(self)
        return json.dumps(body | {"sha256": json_sha256(body)}, indent=1) + "\n"


def read_tuning(study: Study, layout: Layout, family: str, images: Look | None = None) -> Tuning | None:
    """What tuning found for ``family``; None if it is not tuned yet with the recipe and images that ``study`` has now.

    ``images`` is what a look at the images found; if it is None, they are looked at here. Raises DamagedTuning.
    """
    path = layout.tuning(family)
    try:
        fields = json.loads(path.read_bytes())
        checksum = fields.pop("sha256")
        if json_sha256(fields) != checksum:
            raise DamagedTuning(f"{path}: its checksum does not match its contents")
        if fields["settings"] != tuning_hash(study, family):
            return None
        if not (images or look_at_images(study, layout)).fits(fields["checksum"]):
            return None
        rule = RateRule(**fields["rule"]) if fields["rule"] else None
        return Tuning(**(fields | {"rule": rule, "anchors": tuple(fields["anchors"])}))
    except FileNotFoundError:
        return None
    except DamagedTuning:
        raise
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedTuning(f"{path}: not a whole tuning file ({type(error).__name__}: {error})") from error


def tuning_or_discard(
    study: Study, layout: Layout, family: str, warn: Callable[[str], None], images: Look | None = None
) -> Tuning | None:
    """As ``read_tuning``; a damaged file is named through ``warn`` and set aside, and None is returned."""
    path = layout.tuning(family)
    try:
        return read_tuning(study, layout, family, images)
    except DamagedTuning as error:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        warn(f"{error}; set aside as {aside.name}, the rate is read again from the candidates in the store")
        return None


def resolve(study: Study, cell: Cell, tuning: Tuning, ladders: Ladders, image: ImageSpec) -> ResolvedCell:
    """``cell`` with every setting resolved.

    Raises:
        ValueError: ``tuning`` failed, so there is no learning rate.
        SizeError: the family has no model of that size.
    """
    if tuning.rule is None:
        raise ValueError(tuning.failure)
    architecture = study.architecture(cell.family)
    rung = ladders.rung(architecture, cell.target, image)
    shared: dict[str, Any] = {
        "family": architecture.family,
        "options": architecture.options,
        "width": rung.width,
        "depth": rung.depth,
        "params": rung.params,
        "seed": cell.seed,
        "device": tuning.device,
        "precision": tuning.precision,
        "checksum": tuning.checksum,
        "validation": study.data.validation,
    }
    pretraining = study.entry(cell.family).pretrain
    return ResolvedCell(
        **shared,
        images=cell.images,
        learning_rate=tuning.rule.rate(rung.width, cell.images),
        recipe=study.family_recipe(cell.family).of_run(rung.params, cell.images),
        backbone=Backbone(pretraining, **shared) if pretraining else None,
    )


def gather(study: Study, layout: Layout, packs: Iterable[Pack], warn: Callable[[str], None]) -> pl.DataFrame:
    """The runs table of the cells of ``packs`` as the store has them now: one row per cell, missing ones included.

    Damaged records and tuning files are named through ``warn`` and set aside. Columns: ``COLUMNS`` in ``records.py``.
    """
    store, ladders = Store(layout.store), Ladders(layout.ladders)
    image, images = image_spec(study), look_at_images(study, layout)
    rows = []
    for pack in packs:
        tuning = tuning_or_discard(study, layout, pack.family, warn, images)
        for cell in pack.cells:
            row: dict[str, Any] = _place(study, cell, pack.name)
            if tuning is not None and tuning.rule is None:
                row |= {"status": FAILED, "reason": tuning.failure}
            elif tuning is not None:
                resolved = resolve(study, cell, tuning, ladders, image)
                row |= {"key": resolved.key, "params": resolved.params, "width": resolved.width}
                row |= {"depth": resolved.depth, "learning_rate": resolved.learning_rate}
                # Records have the family that was built, not the name that a study gives to a variant.
                row |= _stored(store, resolved.key, warn)
                row |= {"family": cell.family, "kind": study.kind(cell.family)}
            rows.append(row)
    return runs_table(rows)


def gather_probes(study: Study, layout: Layout, runs: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """The table of probes of the runs of ``runs``, and the rows of the runs that lack a probe, with the reason."""
    store = Store(layout.store)
    rows, missing = [], []
    for run in runs.filter(pl.col("status").is_in([DONE, DIVERGED])).iter_rows(named=True):
        found = {name: store.probe_rows(run["key"], name, probe_code(name)) for name in study.entry(run["family"]).probes}
        lacking = [name for name, taken in found.items() if taken is None]
        if lacking:
            reason = last_line(store.log_path(run["key"])) or "not tried yet"
            missing.append(run | {"reason": f"{', '.join(lacking)} not read off its model: {reason}"})
        shared = {column: run[column] for column in MEASUREMENT_SCHEMA if column in run}
        rows += [shared | row | {"measure": name} for name, taken in found.items() for row in taken or ()]
    return measurements_table(rows), missing


def measurements_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """``rows`` as a table of measurements: all columns of its schema, in order; values that a row lacks are null."""
    full = [{name: _finite_or_none(row.get(name)) for name in MEASUREMENT_SCHEMA} for row in rows]
    return pl.DataFrame(full, schema=MEASUREMENT_SCHEMA, orient="row")


def _place(study: Study, cell: Cell, pack: str) -> dict[str, Any]:
    return {
        "study": study.name,
        "pack": pack,
        "family": cell.family,
        "kind": study.kind(cell.family),
        "model": study.architecture(cell.family).family,
        "variant": study.architecture(cell.family).variant,
        "target_params": cell.target,
        "images": cell.images,
        "seed": cell.seed,
        "status": MISSING,
        "reason": "not trained yet",
    }


def _stored(store: Store, key: str, warn: Callable[[str], None]) -> dict[str, Any]:
    try:
        record = store.read_or_discard(key, warn)
    except ForeignRecord as error:
        return {"status": FAILED, "reason": str(error)}
    if record is not None:
        return record.row
    reason = last_line(store.log_path(key))
    return {"status": FAILED, "reason": reason} if reason else {}


def last_line(path: Path) -> str:
    """The last line of a log that is not blank, or an empty string."""
    try:
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""


def runs_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """``rows`` as a runs table: all columns of its schema, in order; values that a row lacks are null."""
    full = [{name: _finite_or_none(row.get(name)) for name in SCHEMA} for row in rows]
    return pl.DataFrame(full, schema=SCHEMA, orient="row")


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
