"""Reading a study file: YAML 1.2 with line numbers, every error at once, each with a suggestion."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from scaling.models.outside import TIMM
from scaling.models.registry import FAMILIES
from scaling.study.grid_settings import MOST_CELLS
from scaling.study.outside_models import locate, why_not
from scaling.study.schema import Study
from scaling.study.study_messages import line_of, problems_of
from scaling.study.study_problems import Problem, StudyError
from scaling.study.study_text import check_text, read_text
from scaling.study.suggestions import suggest

SCHEMA_PATH = Path("workflow/schemas/study.schema.json")

PACK: Final = re.compile(r"(-[nds]\d+(-\d+)?)+")
"""What follows the name of the family in the name of a job."""


def read_tree(path: Path) -> CommentedMap:
    """The YAML tree of ``path``, with line numbers. Raises StudyError if it cannot be read or is no YAML mapping."""
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
    """The line of the first of two equal keys: the nearest line above the second with the same indentation and name."""
    second = error.problem_mark
    lines = text.splitlines()
    for number in range(second.line - 1, -1, -1):
        line = lines[number]
        if len(line) - len(line.lstrip()) == second.column and line.lstrip().split(":")[0].strip("\"' ") == key:
            return number + 1
    return None


def _near_files(path: Path) -> str:
    folder = path.parent
    names = [entry.name for entry in folder.glob("*.y*ml") if entry.is_file()] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {folder / near[0]}?" if near else ""


def plain(node: Any) -> Any:
    """``node`` of a YAML tree as Python's dicts, lists and scalars."""
    if isinstance(node, CommentedMap):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [plain(value) for value in node]
    if isinstance(node, float):
        return float(node)
    if isinstance(node, int) and not isinstance(node, bool):
        return int(node)
    return node


def parse(tree: CommentedMap) -> tuple[Study | None, list[Problem]]:
    """The study that ``tree`` describes, or None and every problem with it."""
    try:
        study = Study.model_validate(plain(tree))
    except ValidationError as error:
        return None, problems_of(error, plain(tree), tree)
    problems = _name_problems(study, tree)
    for family in study.families:
        try:
            study.family_recipe(family)
        except ValidationError as error:  # two changes that are valid alone and not together
            problems += [
                Problem(("families", family, "recipe", *p.keys), p.message, line_of(tree, ("families", family)))
                for p in problems_of(error, {}, CommentedMap())
            ]
    asked = sum(study.grid_cells(family) for family in study.families)
    if asked > MOST_CELLS:
        message = f"sizes, data sizes and seeds make {asked:,} runs; allowed: at most {MOST_CELLS:,}"
        problems.append(Problem(("grid",), message, line_of(tree, ("grid",)), beyond=True))
    return (None, problems) if problems else (study, [])


def _name_problems(study: Study, tree: CommentedMap) -> list[Problem]:
    """Misleading names: a variant under another family's name, laws or benchmarks for entries that do not exist."""
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
            message = f"the jobs of {owner} have such names; choose another"
            problems.append(Problem(keys, message, line_of(tree, keys)))
    timed = study.benchmarks.families if study.benchmarks else None
    for block, names in (("laws", study.laws.families), ("benchmarks", timed)):
        for index, name in enumerate(names or []):
            if name in study.families:
                continue
            keys = (block, "families", index)
            message = f"received {json.dumps(name)}{suggest(name, list(study.families))}"
            problems.append(Problem(keys, message, line_of(tree, keys)))
    for index, one in enumerate(study.grid.added):
        if one.family not in study.families:
            keys = ("grid", "added", index, "family")
            message = f"received {json.dumps(one.family)}{suggest(one.family, list(study.families))}"
            problems.append(Problem(keys, message, line_of(tree, keys)))
    return problems


def schema_text() -> str:
    """The JSON schema of a study file, for editors, as it stands in ``workflow/schemas``."""
    schema = Study.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scaling study",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
