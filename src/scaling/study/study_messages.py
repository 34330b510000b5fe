"""What pydantic finds wrong with a study, as problems of its file: each with its line, what was received, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scaling.study.allowed import Keys, alternatives, fields_beside, keys_in, literals
from scaling.study.older_keys import OLDER_KEYS
from scaling.study.study_problems import MOST_PROBLEMS, Problem, by_line
from scaling.study.study_text import MOST_DIGITS
from scaling.study.suggestions import near, suggest

# Pydantic names its kinds of errors by words (https://docs.pydantic.dev/latest/errors/validation_errors); ErrorType lists them.
MISSING: Final[ErrorType] = "missing"
TOO_LONG: Final[ErrorType] = "too_long"
BOUNDS: Final[frozenset[ErrorType]] = frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
)
"""Kinds of errors on a value of the right type: of a union's errors these say most."""

LONGEST_VALUE: Final = 80
"""Characters of a received value that a message repeats."""


def line_of(tree: Any, keys: Keys) -> int | None:
    """The line (from 1) to which ``keys`` lead, or that of the nearest parent that has one; None if none has."""
    line = None
    for part in keys:
        try:
            if isinstance(tree, CommentedMap):
                part = part if part in tree else OLDER_KEYS.get(str(part), part)
                line = tree.lc.key(part)[0] + 1
            elif isinstance(tree, CommentedSeq):
                line = tree.lc.item(part)[0] + 1
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            break
    return line


def problems_of(error: ValidationError, data: Any, tree: CommentedMap) -> list[Problem]:
    """One problem per place of the file at which ``error`` found something, in the order of the lines.

    Args:
        error: what pydantic found.
        data: the contents of the file as dicts, lists and scalars.
        tree: the same as it was read, with line numbers.
    """
    found: dict[Keys, ErrorDetails] = {}
    for item in error.errors():
        keys = _place(data, item)
        # A union reports each of its members: the first is enough, unless a later one is a bound.
        if keys not in found or item["type"] in BOUNDS:
            found[keys] = item
    problems = [Problem(keys, "", line_of(tree, keys), item["type"] == TOO_LONG) for keys, item in found.items()]
    problems.sort(key=by_line)
    # Finding what may have been meant takes time: only the problems that are printed get their words.
    printed = [replace(p, message=_message(found[p.keys], p.keys)) for p in problems[:MOST_PROBLEMS]]
    return printed + problems[MOST_PROBLEMS:]


def _place(data: Any, item: ErrorDetails) -> Keys:
    """The keys of the file that an error of pydantic's is about."""
    keys = keys_in(data, item["loc"], missing=item["type"] == MISSING)
    # An entry without a `model` got its own name for one, so an error there is about the entry itself.
    if len(keys) == 3 and keys[0] == "families" and keys[2] == "model" and data["families"][keys[1]]["model"] is None:
        return keys[:2]
    return keys


def _message(item: ErrorDetails, keys: Keys) -> str:
    return MESSAGES.get(item["type"], _as_pydantic_says)(item, keys)


def _unknown_key(item: ErrorDetails, keys: Keys) -> str:
    return f"unknown key{suggest(str(keys[-1]), fields_beside(keys))}"


def _missing_key(item: ErrorDetails, keys: Keys) -> str:
    return "this key is missing"


def _unknown_word(item: ErrorDetails, keys: Keys) -> str:
    hint = ""
    if len(keys) == 2 and keys[0] == "families":  # no model is named, so the entry's name was taken for a family's
        keys, hint = (*keys, "model"), "; an entry of another name says which family it is by `model`"
    expected = item.get("ctx", {})["expected"] + alternatives(keys)
    return f"received {_received(item)}, allowed: {expected}{near(str(item['input']), literals(keys))}{hint}"


def _too_many_digits(item: ErrorDetails, keys: Keys) -> str:
    return f"received {_received(item)}; an integer has at most {MOST_DIGITS} digits"


def _as_pydantic_says(item: ErrorDetails, keys: Keys) -> str:
    message = item["msg"].removeprefix("Value error, ")
    return f"received {_received(item)}; {message[0].lower()}{message[1:]}"


def _received(item: ErrorDetails) -> str:
    text = json.dumps(item["input"], default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


MESSAGES: Final[dict[str, Callable[[ErrorDetails, Keys], str]]] = {
    "extra_forbidden": _unknown_key,
    MISSING: _missing_key,
    "literal_error": _unknown_word,
    "int_parsing_size": _too_many_digits,
}
"""What is said of an error, by its kind; of all others pydantic's own words are used."""
