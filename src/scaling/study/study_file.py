"""Reading a study file: YAML 1.2 with line numbers, every error at once, each with a suggestion."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from scaling.models.outside import TIMM
from scaling.models.registry import FAMILIES
from scaling.study.allowed import Keys, alternatives, fields_beside, keys_in, literals
from scaling.study.outside_models import locate, why_not
from scaling.study.schema import MOST_CELLS, OLD_NAMES, Study
from scaling.study.study_problems import MOST_PROBLEMS, Problem, StudyError, by_line
from scaling.study.study_text import MOST_DIGITS, check_text, read_text

SCHEMA_PATH = Path("workflow/schemas/study.schema.json")

PACK: Final = re.compile(r"(-[nds]\d+(-\d+)?)+")
"""What the name of a pack has after its family's."""

BOUNDS: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"})
"""Types of pydantic's errors on a value of the right type: of a union's errors these say most."""

MOST_NAMED: Final = 15
"""Allowed values that an error lists; of more it gives the first and how many there are."""


def read_tree(path: Path) -> CommentedMap:
    """The YAML tree of ``path``, with line numbers. Raises StudyError where it is no YAML mapping."""
    if not path.exists():
        raise StudyError(path, [Problem((), "no such file" + _near_files(path))])
    text = read_text(path)
    try:
        check_text(path, text)
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else "a key"
        first = _line_of_key(text, key, error)
        lines = f"lines {first} and {error.problem_mark.line + 1}" if first else f"line {error.problem_mark.line + 1}"
        raise StudyError(path, [Problem((key,), f"the key stands twice, in {lines}; keep one")]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise StudyError(path, [Problem((), f"not YAML: {error.problem}", mark.line + 1 if mark else None)]) from error
    except YAMLError as error:
        raise StudyError(path, [Problem((), f"not YAML: {' '.join(str(error).split())}")]) from error
    except ValueError as error:  # of a date that does not exist, for one
        if isinstance(error, StudyError):
            raise
        raise StudyError(path, [Problem((), f"a value cannot be read: {error}")]) from error
    if not isinstance(tree, CommentedMap):
        raise StudyError(path, [Problem((), f"must be a mapping of keys, received {type(tree).__name__}")])
    locate(tree.get("families"), path.parent)
    return tree


def _line_of_key(text: str, key: str, error: DuplicateKeyError) -> int | None:
    """The line of the first of two equal keys: the nearest line above the second with its indentation and name."""
    second = error.problem_mark
    lines = text.splitlines()
    for number in range(second.line - 1, -1, -1):
        line = lines[number]
        if len(line) - len(line.lstrip()) == second.column and line.lstrip().split(":")[0].strip("\"' ") == key:
            return number + 1
    return None


def _near_files(path: Path) -> str:
    folder = path.parent
    names = [entry.name for entry in folder.glob("*.y*ml")] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {folder / near[0]}?" if near else ""


def plain(node: Any) -> Any:
    """``node`` of a YAML tree as dicts, lists and scalars of Python."""
    if isinstance(node, CommentedMap):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(value) for value in node]
    if isinstance(node, float):
        return float(node)
    if isinstance(node, int) and not isinstance(node, bool):
        return int(node)
    return node


def line_of(tree: Any, keys: Keys) -> int | None:
    """The line (from 1) to which ``keys`` lead, or that of their nearest parent that has one."""
    line = None
    for part in keys:
        try:
            if isinstance(tree, CommentedMap):
                part = part if part in tree else OLD_NAMES.get(str(part), part)
                line = tree.lc.key(part)[0] + 1
            elif isinstance(tree, CommentedSeq):
                line = tree.lc.item(part)[0] + 1
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            break
    return line


def parse(tree: CommentedMap) -> tuple[Study | None, list[Problem]]:
    """The study that ``tree`` says, or every problem that keeps it from being one."""
    try:
        study = Study.model_validate(plain(tree))
    except ValidationError as error:
        return None, _problems(error, plain(tree), tree)
    problems = _name_problems(study, tree)
    for family in study.families:
        try:
            study.family_recipe(family)
        except ValidationError as error:  # two changes that are valid alone and not together
            problems += [
                Problem(("families", family, "recipe", *p.keys), p.message, line_of(tree, ("families", family)))
                for p in _problems(error, {}, CommentedMap())
            ]
    asked = sum(study.grid_cells(family) for family in study.families)
    if asked > MOST_CELLS:
        message = f"sizes, data sizes and seeds make {asked:,} cells; allowed: at most {MOST_CELLS:,}"
        problems.append(Problem(("grid",), message, line_of(tree, ("grid",)), beyond=True))
    return (None, problems) if problems else (study, [])


def _name_problems(study: Study, tree: CommentedMap) -> list[Problem]:
    """Names that mislead: a variant under another family's name, a law for what the study does not have."""
    problems = []
    for name in study.families:
        model = study.architecture(name).family
        if name in FAMILIES and model not in (name, f"{TIMM}{name}"):
            keys = ("families", name, "model")
            message = f"received {json.dumps(model)}; an entry called {name} is that family, a variant needs another name"
            problems.append(Problem(keys, message, line_of(tree, keys)))
        entry = study.entry(name)
        if message := why_not(model, entry.width, entry.recipe_name or study.recipe_name):
            keys = ("families", name, "model")
            problems.append(Problem(keys, message, line_of(tree, keys)))
        owner = next((other for other in study.families if PACK.fullmatch(name.removeprefix(other))), None)
        if owner is not None:
            keys = ("families", name)
            message = f"the packs of {owner} have such names; choose another"
            problems.append(Problem(keys, message, line_of(tree, keys)))
    timed = study.benchmarks.families if study.benchmarks else None
    for block, names in (("laws", study.laws.families), ("benchmarks", timed)):
        for index, name in enumerate(names or []):
            if name in study.families:
                continue
            keys = (block, "families", index)
            message = f"received {json.dumps(name)}{suggest(name, list(study.families))}"
            problems.append(Problem(keys, message, line_of(tree, keys)))
    return problems


def _problems(error: ValidationError, data: Any, tree: CommentedMap) -> list[Problem]:
    found: dict[Keys, ErrorDetails] = {}
    for item in error.errors():
        keys = keys_in(data, item["loc"], missing=item["type"] == "missing")
        if keys[:1] == ("families",) and keys[2:] == ("model",) and data["families"][keys[1]]["model"] is None:
            keys = keys[:2]  # the entry's name was taken for a family's
        found.setdefault(keys, item)  # a union reports each of its members: the first is enough, but for a bound
        if item["type"] in BOUNDS:
            found[keys] = item
    problems = [Problem(keys, "", line_of(tree, keys), item["type"] == "too_long") for keys, item in found.items()]
    problems.sort(key=by_line)
    # Finding what may have been meant takes time: only the problems that are printed get their words.
    printed = [replace(p, message=_message(found[p.keys], p.keys)) for p in problems[:MOST_PROBLEMS]]
    return printed + problems[MOST_PROBLEMS:]


def _message(item: ErrorDetails, keys: Keys) -> str:
    received = json.dumps(item["input"], default=str, ensure_ascii=False)
    if len(received) > 80:
        received = received[:77] + "..."
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggest(str(keys[-1]), fields_beside(keys))}"
    if kind == "missing":
        return "this key is missing"
    if kind == "literal_error":
        unnamed = keys[:-1] == ("families",)  # no model is named, so the entry's name was taken for a family's
        keys = (*keys, "model") if unnamed else keys
        named = "; an entry of another name says which family it is by `model`" if unnamed else ""
        expected = item.get("ctx", {})["expected"] + alternatives(keys)
        return f"received {received}, allowed: {expected}{_near(str(item['input']), literals(keys))}{named}"
    if kind == "int_parsing_size":
        return f"received {received}; an integer has at most {MOST_DIGITS} digits"
    message = item["msg"].removeprefix("Value error, ")
    return f"received {received}; {message[0].lower()}{message[1:]}"


def _near(word: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(word[:100], choices, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def suggest(word: str, choices: list[str]) -> str:
    """The end of a message on ``word``: which of ``choices`` it may have been, or what is allowed."""
    if near := _near(word, choices):
        return near
    named = [*choices[:MOST_NAMED], f"... ({len(choices)} in all)"] if len(choices) > MOST_NAMED else choices
    return f"; allowed: {', '.join(named)}" if named else ""


def schema_text() -> str:
    """The JSON schema of a study file, for editors, as it stands in ``workflow/schemas``."""
    schema = Study.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scaling study",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
