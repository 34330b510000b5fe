"""Fingerprints of code: hashes that change with what code does, and not with how it is written.

Code is read, never run. A definition (a function, a class, a constant) is hashed with all that it refers to in the package,
however far away, so that every edit of code that decides a result is seen. What decides nothing is left out: comments, layout,
docstrings, annotations, names of local variables, messages of exceptions, calls that only print. A reference is hashed as what
it refers to, not by its name, so moving or renaming a definition changes no fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from scaling.runs.code_modules import CodeError, Definition, Modules
from scaling.runs.code_words import Writer


@dataclass(frozen=True)
class _Shape:
    """A definition as words without names, and what it refers to, in the order of the words."""

    text: str
    references: tuple[Definition, ...]
    mentioned: frozenset[Definition]
    """what its annotations name: classes whose objects it is given, and whose methods it may call"""


class Code:
    """The source of a package.

    Args:
        package: its folder, whose name is the package's.
        stops: modules, or ``module:name``, that decide nothing: references to them are not followed.
        telling_keywords: name of a function or class -> keywords of its calls that only tell.
        modules: its files, where they are not all those below its folder.

    Raises:
        CodeError: a source file cannot be read.
    """

    def __init__(
        self,
        package: Path,
        stops: Collection[str] = (),
        telling_keywords: Mapping[str, Collection[str]] | None = None,
        modules: Modules | None = None,
    ) -> None:
        self.stops, self.telling_keywords = frozenset(stops), telling_keywords or {}
        self.modules = modules or Modules(package)
        self._shapes: dict[Definition, _Shape] = {}

    def with_stops(self, stops: Collection[str]) -> Code:
        """The same reading of the files with other ``stops``."""
        other = copy(self)
        other.stops, other._shapes = frozenset(stops), {}
        return other

    def fingerprint(self, roots: Iterable[str]) -> str:
        """24 hexadecimal digits of definitions and of everything in the package that they refer to.

        Args:
            roots: the definitions: ``module:name``, ``module:Class.method``, or ``module`` for all that it defines.

        Raises:
            CodeError: a source file cannot be parsed, or there is no such definition.
        """
        rooted = [definition for root in roots for definition in self._definitions(root)]
        shapes, waiting = {}, list(rooted)
        while waiting:
            definition = waiting.pop()
            if definition not in shapes:
                shapes[definition] = self._shape(definition)
                waiting += [*shapes[definition].references, *shapes[definition].mentioned]
        texts = {definition: _hash(shape.text) for definition, shape in shapes.items()}
        wired, kinds = texts, 0
        # Equal texts may refer to different things: compare the texts of those, then of what they refer to, and so on.
        while len(set(wired.values())) > kinds:
            kinds = len(set(wired.values()))
            wired = {
                definition: _hash(texts[definition], *(wired[other] for other in shape.references))
                for definition, shape in shapes.items()
            }
        return _hash(*(wired[definition] for definition in rooted), *sorted(wired.values()))[:24]

    def _definitions(self, root: str) -> list[Definition]:
        module, _, name = root.partition(":")
        found = self.modules.module(module)
        if found is None:
            raise CodeError(f"{self.modules.path(module)}: there is no such module")
        if not name:
            return [Definition(module, one) for one in sorted(found.definitions)]
        if name.split(".")[0] not in found.definitions:
            raise CodeError(f"{self.modules.path(module)}: defines no {name}")
        return [Definition(module, name)]

    def _shape(self, definition: Definition) -> _Shape:
        if definition not in self._shapes:
            module = self.modules.module(definition.module)
            assert module is not None
            name, _, method = definition.name.partition(".")
            nodes = [*module.definitions[name]]
            if method:
                nodes = [part for node in nodes for part in getattr(node, "body", []) if getattr(part, "name", "") == method]
                if not nodes:
                    raise CodeError(f"{self.modules.path(definition.module)}: {name} defines no {method}")
            writer = Writer(self.modules, definition.module, self.is_stopped, self.telling_keywords)
            for node in [*nodes, *module.loose]:
                writer.write_definition(node)
            self._shapes[definition] = _Shape("\n".join(writer.words), tuple(writer.references), frozenset(writer.mentioned))
        return self._shapes[definition]

    def is_stopped(self, definition: Definition) -> bool:
        """Whether references to ``definition`` are not followed."""
        parts = definition.module.split(".")
        above = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        return bool(self.stops & (above | {f"{definition.module}:{definition.name}"}))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
