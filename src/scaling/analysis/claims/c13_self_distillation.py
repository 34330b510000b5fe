"""Claim 13: DINO learns features without labels, and does not collapse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling.analysis.claims.c12_masked_autoencoder import accuracy
from scaling.analysis.claims.claim import Claim, Finding, Part
from scaling.analysis.claims.contrasts import difference, mean_finding, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

DINO, SCRATCH, MAE = "vit-dino", "vit-scratch", "vit-mae"
LABELS = 1000
COLLAPSED = 0.1
"""Nats of information about the image in a teacher's answers below which it has collapsed (``objectives.dino``)."""
NAMES = {"neighbours": "k-NN", "probe": "linear probe"}


def _against(arm: str, phase: str, classifier: str, name: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        dino = accuracy(evidence, DINO, "start", classifier, images=LABELS)
        other = accuracy(evidence, arm, phase, classifier, images=LABELS)
        found = difference(dino, other)
        shared = {seed: other[seed] for seed in dino.keys() & other.keys()}
        rows = (summary(dino, NAMES[classifier], "DINO"), summary(shared, NAMES[classifier], name))
        note = f"{np.mean(list(dino.values())):.3f} and {np.mean(list(shared.values())):.3f}"
        keys = evidence.keys(DINO, images=LABELS) + evidence.keys(arm, images=LABELS)
        return with_keys(found, keys, note=note, rows=rows)

    return measure


def _information(evidence: Evidence) -> Finding:
    last = {
        name: evidence.measurements("representation", name, family=DINO, phase="pre-training")
        .sort("x")
        .group_by("seed", maintain_order=True)
        .last()
        for name in ("information", "entropy")
    }
    found = mean_finding(last["information"]["value"].to_numpy())
    lost = int((last["information"]["value"] < COLLAPSED).sum())
    note = (
        f"{lost} of {len(last['information'])} runs collapsed; entropy of an answer {last['entropy']['value'].mean():.2f} nats"
    )
    return with_keys(found, tuple(last["information"]["key"]), note=note)


claim = Claim(
    number=13,
    title="Self-distillation",
    statement="A vision transformer learns useful features without labels: a student predicts from one view of an image what "
    "its own average, the teacher, answers for another view. With centred and sharpened answers it does not collapse.",
    source="Caron et al. 2021, arXiv:2104.14294, sections 3, 4.1 and 5.3",
    scope="transformers of 21 million weights and more on 1.3 million images of 224 pixels; tested is one of 14,000 weights",
    otherwise="Six settings were tried by hand (docs/pretraining.md), training passed over sixty thousand images, and the "
    "views are not blurred or changed in colour. More would help DINO: its paper has 300 epochs of a million images. An "
    "image costs DINO about ten times the compute that it costs MAE.",
    parts=(
        *(
            Part(
                f"{NAMES[classifier]} relative to random",
                f"Its features separate the classes better than a random net's ({NAMES[classifier]}, {LABELS:,} labels).",
                "accuracy with DINO's features minus that with a random net's",
                _against(SCRATCH, "start", classifier, "random"),
                scale="plain",
                unit="share of the images",
                margin=0.01,
            )
            for classifier in NAMES
        ),
        Part(
            "no collapse",
            f"The teacher's answers contain more than {COLLAPSED} nats of information about the image.",
            "entropy of the mean answer minus the mean entropy of the answers, on validation images",
            _information,
            scale="plain",
            unit="nats",
            threshold=COLLAPSED,
        ),
        *(
            Part(
                f"{NAMES[classifier]} relative to {name}",
                f"Its features classify better than {whose}.",
                f"accuracy with DINO's features minus that with {whose}",
                _against(arm, phase, classifier, name),
                scale="plain",
                unit="share of the images",
                decides=False,
            )
            for arm, phase, name, whose in (
                (SCRATCH, "end", "supervised", f"those of a net trained on the {LABELS:,} labels"),
                (MAE, "start", "MAE", "MAE's"),
            )
            for classifier in NAMES
        ),
    ),
)
