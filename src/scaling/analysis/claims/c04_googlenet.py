"""Claim 4: GoogLeNet has a ninth of AlexNet's weights and computes less, at no loss of accuracy; auxiliary losses help."""

from __future__ import annotations

import math

from scaling.analysis.claims.claim import Claim, Curves, Finding, Part
from scaling.analysis.claims.contrasts import log_ratio, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

PAIRS = (("googlenet-5k", "alexnet-46k"), ("googlenet-11k", "alexnet-104k"))
"""GoogLeNet, and an AlexNet with 9.2 times its parameters, as in the papers."""
WEIGHTS = {0.0: "googlenet-auxiliary-0", 0.3: "googlenet-5k", 1.0: "googlenet-auxiliary-1"}
"""Weight of each auxiliary loss -> arm."""
MARGIN = math.log(1.05)
"""A loss that is higher by less than 5 % counts as no loss of accuracy (assumption)."""
NO_HELP = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""


def _counted(quantity: str):
    def measure(evidence: Evidence) -> Finding:
        counts = {
            family: float(evidence.measurements("paper-sizes", quantity, family=family)["value"][0])
            for family in ("alexnet", "googlenet")
        }
        note = ", ".join(f"{family} {value / 1e6:,.2f} million" for family, value in counts.items())
        return Finding(counts["alexnet"] / counts["googlenet"], exact=True, note=f"counted: {note}")

    return measure


def _no_loss(small: str, large: str):
    return lambda evidence: log_ratio(evidence, large, small, pool=[arm for pair in PAIRS for arm in pair])


def _auxiliary(weight: float):
    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, WEIGHTS[0.0], WEIGHTS[weight], pool=list(WEIGHTS.values()))
        rows = [summary(evidence.by_seed(WEIGHTS[weight]), "googlenet", weight)]
        if weight == 0.3:
            rows.append(summary(evidence.by_seed(WEIGHTS[0.0]), "googlenet", 0.0))
        return with_keys(found, found.keys, rows=tuple(rows))

    return measure


claim = Claim(
    number=4,
    title="GoogLeNet's economy",
    statement="GoogLeNet has about a ninth of AlexNet's weights and needs less computation, without losing accuracy; "
    "auxiliary losses of weight 0.3 at two inner layers lower its loss.",
    source="Szegedy et al. 2014, arXiv:1409.4842, sections 1, 3 and 5",
    scope="weights and computation: the nets of the papers, which are counted; losses: nets of millions of weights, of which "
    "small ones in the same proportion are tested",
    otherwise="The counts are those of the papers' sizes and exact. The losses are those of small pairs in the same "
    "proportion, both with the modern recipe; our GoogLeNet has batch norm, AlexNet does not. Auxiliary losses were meant "
    "for 22 layers; here there are four modules.",
    parts=(
        Part(
            "weights",
            "At the papers' sizes AlexNet has more than eight times the weights of GoogLeNet.",
            "ratio of AlexNet's parameters to GoogLeNet's, at 224 pixels and 1,000 classes, without auxiliary classifiers",
            _counted("params"),
            scale="plain",
            unit="times",
            threshold=8.0,
            none=1.0,
            in_scope=True,
            group="counts",
        ),
        Part(
            "computation",
            "At the papers' sizes GoogLeNet computes less than AlexNet.",
            "ratio of AlexNet's FLOP per forward pass to GoogLeNet's",
            _counted("flop_forward"),
            scale="plain",
            unit="times",
            threshold=1.0,
            none=1.0,
            in_scope=True,
            group="counts",
        ),
        *(
            Part(
                f"{small} relative to {large}",
                "With a ninth of the parameters GoogLeNet's loss exceeds AlexNet's by less than 5 %.",
                "how much higher AlexNet's test loss is than GoogLeNet's at equal D",
                _no_loss(small, large),
                threshold=-MARGIN,
            )
            for small, large in PAIRS
        ),
        *(
            Part(
                f"auxiliary losses of {weight:g}",
                f"Auxiliary losses of weight {weight:g} lower the loss.",
                f"how much higher the test loss is without auxiliary losses than with weight {weight:g}",
                _auxiliary(weight),
                margin=NO_HELP,
                decides=weight == 0.3,
            )
            for weight in WEIGHTS
            if weight
        ),
    ),
    curves=(
        Curves(
            "The weight of the auxiliary losses",
            "GoogLeNet's test loss against the weight of its two auxiliary losses, with the learning rate tuned for each.",
            "weight of each auxiliary loss",
            "test loss (nats)",
        ),
    ),
)
