"""What an unknown word of a study file may have meant, or all that is allowed in its place."""

from __future__ import annotations

import difflib
from typing import Final

NEAR: Final = 0.7
NEAR_SHORT: Final = 0.6
SHORT: Final = 4
"""Least likeness of two words (difflib's ratio) at which one is taken for a slip of the pen of the other; the second for words
of few letters, in which a single slip leaves little: `vti` and `vit` have 0.67. Assumption."""

MOST_NAMED: Final = 100
"""Allowed words that a message lists: all keys and names of the program; a study may have more entries than that."""

OTHER_NAMES: Final = {
    "lr": "learning_rate",
    "peak_lr": "learning_rate",
    "momentum": "beta1",
    "wd": "weight_decay",
    "ema": "average",
    "early_stopping": "patience",
    "drop_path": "stochastic_depth",
    "grad_clip": "clip",
    "hflip": "flip",
    "vflip": "vertical_flip",
    "random_resized_crop": "crop",
    "random_erasing": "erase",
    "reprob": "erase",
    "auto_augment": "policy",
    "augmentation": "policy",
    "samples_seen": "images_seen",
    "nesterov": "sgd-nesterov",
    "wsd": "warmup-stable-decay",
}
"""What other programs call these keys and values."""


def near(word: str, choices: list[str]) -> str:
    """The end of a message on ``word``: which of ``choices`` it may have been, or an empty string."""
    asked = word[:100].lower()
    found = OTHER_NAMES.get(asked.replace("-", "_"), "")
    if found not in choices:
        cutoff = NEAR_SHORT if len(asked) <= SHORT else NEAR
        found = next(iter(difflib.get_close_matches(asked, choices, n=1, cutoff=cutoff)), "")
    return f"; did you mean {found!r}?" if found else ""


def suggest(word: str, choices: list[str]) -> str:
    """The end of a message on ``word``: which of ``choices`` it may have been, or what is allowed."""
    if found := near(word, choices):
        return found
    named = [*choices[:MOST_NAMED], f"... ({len(choices)} in all)"] if len(choices) > MOST_NAMED else choices
    return f"; allowed: {', '.join(named)}" if named else ""
