"""The text of a study file before it is parsed: what is too large or too deep is refused here.

Studies are written by people, and the limits (assumptions) are far above what people write. Without them a file of a few lines
could ask for more memory than there is: aliases of aliases ("a billion laughs"), integers of thousands of digits, a thousand
brackets.
"""

from __future__ import annotations

import math
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from scaling.study.study_problems import Problem, StudyError

MOST_BYTES: Final = 1_000_000
MOST_VALUES: Final = 10_000
"""Keys and values of a study; an alias counts as all that it stands for."""
MOST_DEPTH: Final = 32
MOST_DIGITS: Final = 18

_INTEGER: Final = re.compile(r"[-+]?([0-9_]+|0x[0-9a-fA-F_]+|0o[0-7_]+)")
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DATE: Final = re.compile(r"\d{4}-\d\d?-\d\d?")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters other than tabs and ends of lines, and halves of characters."""


def read_text(path: Path) -> str:
    """The text of the study file ``path``. Raises StudyError if it cannot be read or is too long."""
    try:
        # The size comes first: a device or a pipe has none, and might never end.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise StudyError(path, [Problem((), "not a file")])
        if found.st_size > MOST_BYTES:
            size = f"{found.st_size / 1e6:.3g} MB"
            raise StudyError(path, [Problem((), f"is {size} long; a study file has at most {MOST_BYTES / 1e6:g} MB")])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(path, [Problem((), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise StudyError(path, [Problem((), f"cannot be read: {error}")]) from error
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise StudyError(path, [Problem((), _holds(control), line)])
    return text


def check_text(path: Path, text: str) -> None:
    """Check that ``text``, of the study file ``path``, is small enough to be parsed, and that its values are plain.

    Raises:
        StudyError: it is not.
        YAMLError: it is not YAML.
    """
    walk = _Walk()
    for event in YAML(typ="rt").parse(text):
        try:
            walk.take(event)
        except ValueError as error:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise StudyError(path, [Problem(walk.keys, str(error), line)]) from None


@dataclass
class _Open:
    """A mapping or list that has not ended: its anchor, how many values it holds, and the key or index where we are."""

    anchor: str | None
    mapping: bool
    count: int = 1
    at: str | int | None = None
    key_next: bool = True


class _Walk:
    """Follows the events of a YAML text; ``take`` raises ValueError at the first that exceeds a limit."""

    def __init__(self) -> None:
        self.open: list[_Open] = []
        self.total = 0
        self.stands_for: dict[str, int | None] = {}
        """anchor -> number of values behind it; None while it has not ended"""

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The keys that lead to where we are in the study."""
        return tuple(level.at for level in self.open if level.at is not None)

    def take(self, event: Event) -> None:
        """Take the next event. Raises ValueError, with what is allowed, if it exceeds a limit."""
        if isinstance(event, CollectionEndEvent):
            closed = self.open.pop()
            if closed.anchor:
                self.stands_for[closed.anchor] = closed.count
            if self.open:
                self.open[-1].count += closed.count
        elif isinstance(event, NodeEvent):
            self._step(event)
            self._node(event)

    def _step(self, event: NodeEvent) -> None:
        """Go to the next key or index of the innermost collection."""
        if not self.open:
            return
        level = self.open[-1]
        if not level.mapping:
            level.at = 0 if level.at is None else int(level.at) + 1
            return
        if level.key_next:
            level.at = event.value if isinstance(event, ScalarEvent) else None
        level.key_next = not level.key_next

    def _node(self, event: NodeEvent) -> None:
        count: int | None = 1
        if isinstance(event, AliasEvent):
            count = self.stands_for.get(event.anchor, 1)
            if count is None:
                raise ValueError(f"the alias *{event.anchor} stands within what it stands for")
        elif (tag := getattr(event, "ctag", None)) is not None:
            raise ValueError(f"received the tag {tag}; a study has none")
        self.total += count
        if self.total > MOST_VALUES:
            raise ValueError(f"more values than the {MOST_VALUES} that a study may have (an alias counts as all it stands for)")
        if isinstance(event, CollectionStartEvent):
            if len(self.open) >= MOST_DEPTH:
                raise ValueError(f"more levels of brackets or indentation than the {MOST_DEPTH} that are allowed")
            self.open.append(_Open(event.anchor, isinstance(event, MappingStartEvent)))
        elif self.open:
            self.open[-1].count += count
        if isinstance(event, ScalarEvent):
            _check_scalar(event)
        if event.anchor and not isinstance(event, AliasEvent):
            self.stands_for[event.anchor] = None if isinstance(event, CollectionStartEvent) else 1


def _check_scalar(event: ScalarEvent) -> None:
    control = _CONTROL.search(event.value)
    if control:
        raise ValueError(_holds(control))
    plain = event.implicit[0]
    if plain and _DATE.match(event.value):
        raise ValueError(f"received the date {event.value[:20]}; in quotes it is text")
    if plain and len(event.value) > MOST_DIGITS and _INTEGER.fullmatch(event.value):
        digits = f"received {event.value[:20]}... ({len(event.value)} characters)"
        raise ValueError(f"{digits}; an integer has at most {MOST_DIGITS} digits")
    if plain and _NUMBER.fullmatch(event.value) and math.isinf(float(event.value)):
        raise ValueError(f"received {event.value[:20]}; a number is below 1.8e308")


def _holds(control: re.Match[str]) -> str:
    return f"holds the character U+{ord(control[0]):04X}; allowed: printable characters, tabs and ends of lines"
