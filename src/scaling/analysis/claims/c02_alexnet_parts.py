"""Claim 2: AlexNet's parts, each removed alone; its original recipe; the learning rate of 0.9."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scaling.analysis.claims.claim import Claim, Finding, Part
from scaling.analysis.claims.contrasts import log_ratio, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

WHOLE = "alexnet-whole"
WITHOUT = {
    "ReLU": ("alexnet-tanh", "ReLU trains to a lower loss than tanh."),
    "dropout": ("alexnet-dropout-0", "Dropout of one half lowers the loss."),
    "LRN": ("alexnet-lrn-0", "Local response normalisation lowers the loss."),
    "augmentation": ("alexnet-augment-0", "Training on mirrored and shifted images lowers the loss."),
}
HISTORICAL, FAST = "alexnet-historical", "alexnet-rate-0-9"
POOL = (WHOLE, *(arm for arm, _ in WITHOUT.values()), HISTORICAL)
MARGIN = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""


def _part(name: str, worse: str, better: str, **options: Any) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, worse, better, pool=POOL, chance_loss=True, **options)
        lost = evidence.cells(worse, chance_loss=True).filter(status="diverged").height
        note = f"{lost} of the runs of {worse} diverged and count as guessing" if lost else ""
        row = summary(evidence.by_seed(worse, chance_loss=True), worse, name)
        return with_keys(found, found.keys, note=note, rows=(row,))

    return measure


claim = Claim(
    number=2,
    title="AlexNet's parts",
    statement="Each of AlexNet's parts lowers its loss: ReLU instead of tanh, dropout, local response normalisation and "
    "augmented images.",
    source="Krizhevsky, Sutskever and Hinton 2012, sections 3.1, 3.3, 4 and 5",
    scope="AlexNet with 60 million weights on 1.2 million images of 224 pixels; tested is one of 104,000 weights on all "
    "images here",
    otherwise="Dropout was meant for layers of 4,096 units that overfit, and it reduces the capacity of a narrow net: what is "
    "seen here does not carry over to AlexNet's own size. The learning rate is tuned for each variant, so that no variant "
    "suffers from another's rate.",
    parts=(
        *(
            Part(
                name,
                asserts,
                f"how much higher the test loss is without {name} than with it",
                _part(name, arm, WHOLE),
                margin=MARGIN,
            )
            for name, (arm, asserts) in WITHOUT.items()
        ),
        Part(
            "recipe",
            "The modern recipe (AdamW, cosine, averaged weights) trains it to a lower loss than the original one (SGD).",
            "how much higher the test loss is with the historical recipe than with the modern one",
            _part("historical recipe", HISTORICAL, WHOLE),
            decides=False,
        ),
        Part(
            "rate 0.9",
            "At a learning rate of 0.9 the original recipe does worse than at a tuned rate.",
            "how much higher the test loss is at a rate of 0.9 than at the tuned rate; a diverged run counts as guessing",
            _part("rate 0.9", FAST, HISTORICAL),
            decides=False,
        ),
    ),
)
