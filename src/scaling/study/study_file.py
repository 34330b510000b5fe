"""Reading a study file: YAML 1.2 with line numbers, every error at once, each with a suggestion."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from scaling.models.registry import KINDS
from scaling.study.declared import claim_files
from scaling.study.schema import Study

SCHEMA_PATH = Path("workflow/schemas/study.schema.json")

PACK: Final = re.compile(r"(-[nds]\d+(-\d+)?)+")
"""What the name of a pack has after its family's."""

MOST_NAMED: Final = 15
"""Allowed values that an error lists; of more it gives the first and how many there are."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a study: where it stands, what was received, what is allowed."""

    place: tuple[str | int, ...]
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place).lstrip(".")
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{where + ': ' if where else ''}{self.message}"


class StudyError(ValueError):
    """A study file that cannot be used, with all its problems."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path, self.problems = path, problems
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


def read_tree(path: Path) -> CommentedMap:
    """The YAML tree of ``path``, with line numbers. Raises StudyError where it is no YAML mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise StudyError(path, [Problem((), "no such file" + _near_files(path))]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(path, [Problem((), f"cannot be read: {error}")]) from error
    try:
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
        raise StudyError(path, [Problem((), f"not YAML: {error}")]) from error
    if not isinstance(tree, CommentedMap):
        raise StudyError(path, [Problem((), f"must be a mapping of keys, received {type(tree).__name__}")])
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


def line_of(tree: Any, place: tuple[str | int, ...]) -> int | None:
    """The line (from 1) in which ``place`` stands, or its nearest parent that has one."""
    line = None
    for part in place:
        try:
            if isinstance(tree, CommentedMap):
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
        return None, _problems(error, tree)
    problems = _name_problems(study, tree)
    for family in study.families:
        try:
            study.family_recipe(family)
        except ValidationError as error:  # two changes that are valid alone and not together
            problems += [
                Problem(("families", family, "recipe", *p.place), p.message, line_of(tree, ("families", family)))
                for p in _problems(error, CommentedMap())
            ]
    return (None, problems) if problems else (study, [])


def _name_problems(study: Study, tree: CommentedMap) -> list[Problem]:
    """Names that mislead: a variant under another family's name, a law for what the study does not have."""
    problems = []
    for name in study.families:
        model = study.architecture(name).family
        if name in KINDS and model != name:
            place = ("families", name, "model")
            message = f"received {json.dumps(model)}; an entry called {name} is that family, a variant needs another name"
            problems.append(Problem(place, message, line_of(tree, place)))
        owner = next((other for other in study.families if PACK.fullmatch(name.removeprefix(other))), None)
        if owner is not None:
            place = ("families", name)
            message = f"the packs of {owner} have such names; choose another"
            problems.append(Problem(place, message, line_of(tree, place)))
    known = list(claim_files())
    for index, name in enumerate(study.tested()):
        if name not in known:
            place = ("claims", index)
            problems.append(Problem(place, f"received {json.dumps(name)}{_suggest(name, known)}", line_of(tree, place)))
    timed = study.timings.families if study.timings else None
    for block, names in (("laws", study.laws.families), ("timings", timed)):
        for index, name in enumerate(names or []):
            if name in study.families:
                continue
            place = (block, "families", index)
            message = f"received {json.dumps(name)}{_suggest(name, list(study.families))}"
            problems.append(Problem(place, message, line_of(tree, place)))
    return problems


def _problems(error: ValidationError, tree: CommentedMap) -> list[Problem]:
    found = {}
    for item in error.errors():
        place = tuple(part for part in item["loc"] if part != "[key]" and not _is_variant(part))
        if place[:1] == ("families",) and place[2:] == ("model",) and "model" not in (tree["families"][place[1]] or {}):
            place = place[:2]  # no model is named: the entry's name is taken for a family's
        problem = Problem(place, _message(item, place), line_of(tree, place))
        found.setdefault(place, problem)  # a union reports each of its members: the first is enough
    return list(found.values())


def _is_variant(part: str | int) -> bool:
    """Whether ``part`` of pydantic's path names a member of a union (a type), not a key of the file."""
    return isinstance(part, str) and (part.startswith(("literal[", "constrained-", "function-")) or part in _TYPES)


_TYPES = {"int", "float", "str", "bool", "list", "FamilySettings", "RecipeChanges", "AnchorChanges"}


def _message(item: ErrorDetails, place: tuple[str | int, ...]) -> str:
    received = json.dumps(item["input"], default=str, ensure_ascii=False)
    if len(received) > 80:
        received = received[:77] + "..."
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_suggest(str(place[-1]), _keys_beside(place))}"
    if kind == "missing":
        return "this key is missing"
    if kind == "literal_error":
        number = " or a number" if _allows_number(place) else ""
        near = _suggest(str(item["input"]), _literals(context))
        named = "; an entry of another name says which family it is by `model`" if place[:-1] == ("families",) else ""
        return f"received {received}, allowed: {context['expected']}{number}{near}{named}"
    message = item["msg"].removeprefix("Value error, ")
    return f"received {received}; {message[0].lower()}{message[1:]}"


def _literals(context: dict[str, Any]) -> list[str]:
    return [word.strip(" '") for word in context["expected"].replace(" or ", ", ").split(",")]


def _suggest(word: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    named = [*choices[:MOST_NAMED], f"... ({len(choices)} in all)"] if len(choices) > MOST_NAMED else choices
    return f"; allowed: {', '.join(named)}" if named else ""


def _keys_beside(place: tuple[str | int, ...]) -> list[str]:
    """The keys that the schema allows where ``place`` stands."""
    node, schema = _schema_at(place[:-1])
    return list(_resolve(node, schema).get("properties", {}))


def _allows_number(place: tuple[str | int, ...]) -> bool:
    node, _ = _schema_at(place)
    return '"number"' in json.dumps(node)


def _schema_at(place: tuple[str | int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The part of the schema that describes ``place``, and the whole schema."""
    schema = Study.model_json_schema()
    node = schema
    for part in place:
        node = _resolve(node, schema)
        node = node.get("items", {}) if isinstance(part, int) else _property(node, part)
    return node, schema


def _property(node: dict[str, Any], name: str) -> dict[str, Any]:
    named = node.get("properties", {}).get(name) or next(iter(node.get("patternProperties", {}).values()), None)
    return named or node.get("additionalProperties") or {}


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", []):
        if option.get("type") != "null":
            node = option
            break
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def schema_text() -> str:
    """The JSON schema of a study file, for editors, as it stands in ``workflow/schemas``."""
    schema = Study.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scaling study",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
