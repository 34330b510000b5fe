"""Claim 2: AlexNet's parts, each taken out of it alone; its own recipe; the rate of 0.9."""

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
    "augmentation": ("alexnet-augment-0", "Mirrored and shifted training images lower the loss."),
}
HISTORICAL, FAST = "alexnet-historical", "alexnet-rate-0-9"
POOL = (WHOLE, *(arm for arm, _ in WITHOUT.values()), HISTORICAL)
NEGLIGIBLE = math.log(1.02)


def _part(name: str, worse: str, better: str, **options: Any) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, worse, better, pool=POOL, chance_loss=True, **options)
        lost = evidence.cells(worse, chance_loss=True).filter(status="diverged").height
        note = f"{lost} of {worse}'s runs diverged: counted as guessing" if lost else ""
        row = summary(evidence.by_seed(worse, chance_loss=True), worse, name)
        return with_keys(found, found.keys, note=note, rows=(row,))

    return measure


claim = Claim(
    number=2,
    title="AlexNet's parts",
    statement="What made AlexNet work are its parts: ReLU instead of tanh, dropout, local response normalisation, augmented "
    "images; trained with momentum at its own learning rate.",
    source="Krizhevsky, Sutskever and Hinton 2012, sections 3.1, 3.3, 4 and 5",
    otherwise="The parts are taken out of a net of some fifteen thousand weights and a thousand images; dropout was meant for "
    "layers of 4096 units that overfit, and costs a narrow net capacity. Rates are tuned for each variant, so that none "
    "suffers from another's.",
    parts=(
        *(
            Part(
                name,
                asserts,
                f"test loss without {name} over that with it, less 1",
                _part(name, arm, WHOLE),
                negligible=NEGLIGIBLE,
            )
            for name, (arm, asserts) in WITHOUT.items()
        ),
        Part(
            "recipe",
            "The modern recipe (AdamW, cosine, averaged weights) trains it to a lower loss than its own (SGD).",
            "test loss with the historical recipe over that with the modern one, less 1",
            _part("historical recipe", HISTORICAL, WHOLE),
            decides=False,
        ),
        Part(
            "rate 0.9",
            "At a learning rate of 0.9 its own recipe does worse than at a tuned rate.",
            "test loss at 0.9 over that at the tuned rate, less 1; a diverged run counts as guessing",
            _part("rate 0.9", FAST, HISTORICAL),
            decides=False,
        ),
    ),
)
