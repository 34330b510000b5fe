"""Claim 3: at equal parameters deeper VGG nets beat wider ones."""

from __future__ import annotations

import math
from collections.abc import Callable

from scaling.analysis.claims.claim import Claim, Curves, Finding, Part
from scaling.analysis.claims.contrasts import log_ratio, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

DEPTHS = (1, 2, 3, 5, 8)
ARMS = {depth: f"vgg-depth-{depth}" for depth in DEPTHS}
"""Convolutions per stack -> arm; all have the same number of parameters."""
MARGIN = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""


def _deeper(depth: int) -> Callable[[Evidence], Finding]:
    """Log ratio of the loss at one convolution per stack to that at ``depth``, paired by seed."""

    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, ARMS[1], ARMS[depth], pool=tuple(ARMS.values()), chance_loss=True)
        drawn = (1, depth) if depth == DEPTHS[1] else (depth,)
        rows = tuple(summary(evidence.by_seed(ARMS[own], chance_loss=True), "vgg", own) for own in drawn)
        return with_keys(found, found.keys, rows=rows)

    return measure


claim = Claim(
    number=3,
    title="Deeper or wider",
    statement="With the same number of weights, a deeper net of small filters is better than a wider, shallower one.",
    source="Simonyan and Zisserman 2014, arXiv:1409.1556, sections 2.3 and 4",
    scope="VGG nets of 130 million weights with 11 to 19 layers; tested are nets of 104,000 weights with 3 to 24 convolutions",
    otherwise="Each depth is compared with one convolution per stack as measured; no curve is fitted. The deepest stacks are "
    "the narrowest, which may be too narrow for this depth. In VGG's own comparison N grew with the depth.",
    parts=tuple(
        Part(
            f"{depth} relative to 1",
            f"With as many weights {depth} convolutions per stack give a lower loss than one.",
            f"how much higher the test loss is with one convolution per stack than with {depth}",
            _deeper(depth),
            margin=MARGIN,
        )
        for depth in DEPTHS[1:]
    ),
    curves=(
        Curves(
            "Depth against width",
            "Test loss against the number of convolutions in each of the three stacks, with the width chosen so that the "
            "parameters stay the same. Points: mean over seeds with its 95 % interval.",
            "convolutions per stack",
            "test loss (nats)",
            log_x=True,
            log_y=True,
        ),
    ),
)
