"""Fingerprints of code: a hash that changes with what code does, and not with how it is written down.

Code is read, never run. A definition (a function, a class, a constant) is hashed with all that it refers to in the package,
however far away, so that an edit anywhere in what decides a result is seen. Left out is what decides nothing: comments,
layout, docstrings, annotations, names of local variables, messages of exceptions, calls that only print. A reference is
hashed as what it refers to, not by its name: moving or renaming a definition changes no fingerprint.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TELLING: Final = frozenset({"print", "warn", "say"})
"""Functions and methods whose calls, as statements, only tell somebody something."""

HARMLESS: Final = frozenset({"len", "str", "repr", "round", "min", "max", "sum", "sorted", "type", "join"})
"""What may be called within such a call: anything else might draw a random number, say, which is more than telling."""


class CodeError(ValueError):
    """Source that cannot be read; the message names the file and the line."""


@dataclass(frozen=True, order=True)
class Definition:
    """A definition: its module and its name there, ``Class.method`` for a method alone."""

    module: str
    name: str


@dataclass
class _Module:
    """The top level of a source file."""

    definitions: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """local name -> (module, name in it or None for the module itself)"""
    loose: list[ast.AST] = field(default_factory=list)
    """statements that define nothing and are run on import"""


@dataclass(frozen=True)
class _Shape:
    """A definition without its names, and what it refers to, in the order of its text."""

    text: str
    references: tuple[Definition, ...]
    mentioned: frozenset[Definition]
    """what its annotations name: classes whose objects it is given, and whose methods it may call"""


def read_sources(package: Path) -> dict[Path, bytes]:
    """The source files below ``package``. Raises CodeError."""
    try:
        return {path: path.read_bytes() for path in sorted(package.rglob("*.py"))}
    except OSError as error:
        raise CodeError(f"{error.filename}: cannot be read: {error.strerror}") from error


class Code:
    """The source of a package.

    Args:
        package: its folder, whose name is the package's.
        stops: modules, or ``module:name``, that decide nothing: references to them are not followed.
        telling_keywords: name of a function or class -> keywords of its calls that only tell.
        sources: its files with their contents; None to read them all.

    Raises:
        CodeError: a source file cannot be read.
    """

    def __init__(
        self,
        package: Path,
        stops: Collection[str] = (),
        telling_keywords: Mapping[str, Collection[str]] | None = None,
        sources: dict[Path, bytes] | None = None,
    ) -> None:
        self.package, self.stops, self.telling_keywords = package, frozenset(stops), telling_keywords or {}
        self.sources = read_sources(package) if sources is None else sources
        self._modules: dict[str, _Module | None] = {}
        self._shapes: dict[Definition, _Shape] = {}

    def with_stops(self, stops: Collection[str]) -> Code:
        """The same reading of the files with other ``stops``."""
        other = copy(self)
        other.stops, other._shapes = frozenset(stops), {}
        return other

    def fingerprint(self, roots: Iterable[str]) -> str:
        """24 hex digits of the definitions ``roots`` (``module:name``, ``module:Class.method``, or ``module`` for all that it
        defines) and of everything in the package that they refer to.

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
        # Definitions of one text differ by what they refer to: by the text of that first, then by what that refers to ...
        while len(set(wired.values())) > kinds:
            kinds = len(set(wired.values()))
            wired = {
                definition: _hash(texts[definition], *(wired[other] for other in shape.references))
                for definition, shape in shapes.items()
            }
        return _hash(*(wired[definition] for definition in rooted), *sorted(wired.values()))[:24]

    def _definitions(self, root: str) -> list[Definition]:
        module, _, name = root.partition(":")
        found = self._module(module)
        if found is None:
            raise CodeError(f"{self._path(module)}: there is no such module")
        if not name:
            return [Definition(module, one) for one in sorted(found.definitions)]
        if name.split(".")[0] not in found.definitions:
            raise CodeError(f"{self._path(module)}: defines no {name}")
        return [Definition(module, name)]

    # -- reading ----------------------------------------------------------------------------------------------------

    def _path(self, module: str) -> Path:
        path = self.package.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def _module(self, name: str) -> _Module | None:
        """The module ``name``; None where it is not of this package."""
        if name not in self._modules:
            self._modules[name] = self._read(name) if self._inside(name) else None
        return self._modules[name]

    def _inside(self, module: str) -> bool:
        """Whether ``module`` is of this package."""
        return module.split(".")[0] == self.package.name and self._path(module) in self.sources

    def _read(self, name: str) -> _Module:
        path, found = self._path(name), _Module()
        try:
            tree = ast.parse(self.sources[path])
        except SyntaxError as error:
            raise CodeError(f"{path}: line {error.lineno}: {error.msg}") from error
        except ValueError as error:
            raise CodeError(f"{path}: cannot be read: {error}") from error
        base = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self._read_statements(tree.body, base, found)
        return found

    def _read_statements(self, statements: list[ast.stmt], base: str, found: _Module) -> None:
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                found.imports |= _imported(statement, base)
                if "*" in found.imports and self._inside(found.imports["*"][0]):
                    raise CodeError(f"{base}: line {statement.lineno}: import * hides what is used; allowed: names")
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.definitions.setdefault(statement.name, []).append(statement)
            elif names := _assigned(statement):
                for name in names:
                    found.definitions.setdefault(name, []).append(statement)
            elif isinstance(statement, ast.If) and _only_for_types(statement.test):
                self._read_statements([*statement.body, *statement.orelse], base, found)
            elif isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
                continue
            elif not _is_text(statement):
                found.loose.append(statement)
                for inner in ast.walk(statement):  # an import that is tried, say
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        found.imports |= _imported(inner, base)

    # -- shapes -----------------------------------------------------------------------------------------------------

    def _shape(self, definition: Definition) -> _Shape:
        if definition not in self._shapes:
            module = self._module(definition.module)
            assert module is not None
            name, _, method = definition.name.partition(".")
            nodes = [*module.definitions[name]]
            if method:
                nodes = [part for node in nodes for part in getattr(node, "body", []) if getattr(part, "name", "") == method]
                if not nodes:
                    raise CodeError(f"{self._path(definition.module)}: {name} defines no {method}")
            writer = _Writer(self, definition.module)
            for node in [*nodes, *module.loose]:
                writer.write_definition(node)
            self._shapes[definition] = _Shape("\n".join(writer.words), tuple(writer.references), frozenset(writer.mentioned))
        return self._shapes[definition]

    def resolve(self, module: str, name: str) -> Definition | str | None:
        """What ``name`` means in ``module``: a definition of the package, the dotted name of a module or of something from
        outside, or None for what the module does not know (a builtin)."""
        found = self._module(module)
        if found is None:
            return f"{module}.{name}"
        if name in found.definitions:
            return Definition(module, name)
        if name in found.imports:
            return self.imported(*found.imports[name])
        return f"{module}.{name}" if self._module(f"{module}.{name}") is not None else None

    def imported(self, module: str, name: str | None) -> Definition | str:
        """What an import of ``name`` from ``module`` (None: of the module itself) means."""
        if name is None:
            return module
        return self.resolve(module, name) or f"{module}.{name}"

    def is_module(self, name: str) -> bool:
        """Whether ``name`` is a module of the package."""
        return self._module(name) is not None

    def is_stopped(self, definition: Definition) -> bool:
        """Whether references to ``definition`` are not followed."""
        parts = definition.module.split(".")
        above = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        return bool(self.stops & (above | {f"{definition.module}:{definition.name}"}))


class _Writer:
    """Writes definitions as words without what decides nothing, and collects what they refer to."""

    def __init__(self, code: Code, module: str) -> None:
        self.code, self.module = code, module
        self.words: list[str] = []
        self.references: list[Definition] = []
        self.mentioned: set[Definition] = set()
        self._locals: dict[str, str] = {}
        self._imports: dict[str, tuple[str, str | None]] = {}
        self._shadowing: set[str] = set()
        """names that mean something here, and perhaps something else in the module"""

    def write_definition(self, node: ast.AST) -> None:
        """``node``, a statement of a module's top level or a method."""
        if isinstance(node, ast.ClassDef):
            self._write_class(node)
        else:
            self._in_scope(node)

    def _write_class(self, node: ast.ClassDef) -> None:
        self.words.append("class")
        self._locals, self._imports = {}, {}
        for part in [*node.bases, *node.keywords, *node.decorator_list]:
            self._write(part)
        for statement in node.body:
            if _is_text(statement):
                continue
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self.words.append(f"method {statement.name}")
                self._in_scope(statement)
            elif isinstance(statement, ast.ClassDef):
                self.words.append(f"inner {statement.name}")
                self._write_class(statement)
            else:  # attributes: their names are part of what the class is
                self._locals, self._imports = {}, {}
                self._shadowing = {one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and _is_stored(one)}
                self._write(statement)
                self._shadowing = set()

    def _in_scope(self, node: ast.AST) -> None:
        """``node`` with its local names numbered in the order of their first use."""
        self._locals, self._imports = {}, {}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            base = self.module  # relative imports are not used within functions
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    self._imports |= _imported(inner, base)
            for name in _local_names(node):
                # A name that the module knows too may mean either: it keeps its name and is followed.
                if name not in self._imports and self.code.resolve(self.module, name) is None and not hasattr(builtins, name):
                    self._locals[name] = ""
            self._shadowing = _bound_names(node) - self._locals.keys()
        self._write(node)
        self._shadowing = set()

    def _write(self, node: Any) -> None:
        handler = getattr(self, f"_write_{type(node).__name__}", None)
        if handler is not None:
            handler(node)
        elif isinstance(node, ast.AST):
            self._write_fields(node)
        elif isinstance(node, list):
            self.words.append("[")
            for part in node:
                self._write(part)
            self.words.append("]")
        else:
            self.words.append(repr(node))

    def _write_fields(self, node: ast.AST, skip: Collection[str] = ()) -> None:
        self.words.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if name in ("ctx", "type_comment", "kind", *skip) or (name == "type_params" and not value):
                continue  # type_params: Python 3.11 has none
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                value = [one for one in value if not _is_text(one) and not _only_tells(one)]
            self._write(value)

    def _write_Constant(self, node: ast.Constant) -> None:
        self.words.append(f"{type(node.value).__name__} {node.value!r}")

    def _write_Import(self, node: ast.Import) -> None:
        pass  # what is imported counts where it is used

    _write_ImportFrom = _write_Import

    def _write_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in self._locals:
            self.words.append(self._local(node.name))
        self._write_fields(node, skip=("name", "returns"))
        self._mention(node.returns)

    _write_AsyncFunctionDef = _write_FunctionDef

    def _write_arg(self, node: ast.arg) -> None:
        self.words.append(f"arg {node.arg}")
        self._mention(node.annotation)

    def _write_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._mention(node.annotation)
        if node.value is None and isinstance(node.target, ast.Name) and node.target.id in self._locals:
            return  # a local that is only declared
        self.words.append("Assign")
        self._write([node.target])
        if node.value is not None:
            self._write(node.value)

    def _write_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.words.append("Nonlocal")
        for name in node.names:
            self.words.append(self._local(name) if name in self._locals else name)

    def _mention(self, annotation: ast.AST | None) -> None:
        """Note the classes of the package that an annotation names; how it is written decides nothing."""
        for node in ast.walk(annotation) if annotation is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                with contextlib.suppress(SyntaxError):  # a text, as in Literal["cosine"]
                    self._mention(ast.parse(node.value, mode="eval"))
            meaning = self._dotted(node)
            if isinstance(meaning, Definition) and not self.code.is_stopped(meaning):
                self.mentioned.add(meaning)

    def _write_Raise(self, node: ast.Raise) -> None:
        self.words.append("Raise")
        self._write(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def _write_Assert(self, node: ast.Assert) -> None:
        self._write_fields(node, skip=("msg",))

    def _write_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._write_fields(node, skip=("name",))

    def _write_Call(self, node: ast.Call) -> None:
        telling = self.code.telling_keywords.get(_called(node), ())
        self.words.append("Call")
        self._write(node.func)
        self._write(node.args)
        self._write([keyword for keyword in node.keywords if keyword.arg not in telling])

    def _write_Name(self, node: ast.Name) -> None:
        if node.id in self._locals:
            self.words.append(self._local(node.id))
        else:
            if node.id in self._shadowing:
                self.words.append(f"named {node.id}")
            self._refer(self._meaning(node.id), node.id)

    def _dotted(self, node: ast.AST) -> Definition | str | None:
        """What a name, or a name in a module of the package, means; None for anything else."""
        if isinstance(node, ast.Name):
            return self._meaning(node.id) if node.id not in self._locals else None
        if isinstance(node, ast.Attribute):
            owner = self._dotted(node.value)
            if isinstance(owner, str) and self.code.is_module(owner):
                return self.code.imported(owner, node.attr)
        return None

    def _write_Attribute(self, node: ast.Attribute) -> None:
        meaning = self._dotted(node)
        if meaning is not None:
            self._refer(meaning, node.attr)
            return
        self.words.append(f"Attribute {node.attr}")
        self._write(node.value)

    def _meaning(self, name: str) -> Definition | str | None:
        if name in self._imports:
            return self.code.imported(*self._imports[name])
        return self.code.resolve(self.module, name)

    def _refer(self, meaning: Definition | str | None, name: str) -> None:
        if isinstance(meaning, Definition):
            if self.code.is_stopped(meaning):
                self.words.append("stop")
                return
            self.words.append("reference")
            self.references.append(meaning)
        else:
            self.words.append(f"name {meaning or name}")

    def _local(self, name: str) -> str:
        if not self._locals[name]:
            self._locals[name] = f"local {sum(map(bool, self._locals.values()))}"
        return self._locals[name]


def _bound_names(function: ast.AST) -> set[str]:
    """Names that a function, or one within it, binds, parameters included."""
    return _local_names(function) | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _local_names(function: ast.AST) -> set[str]:
    """Names that a function, or one within it, binds, parameters and what it declares global left out."""
    bound, kept = set(), set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            bound.add(node.id)
        elif (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler) and node is not function
        ):
            if node.name:
                bound.add(node.name)
        elif isinstance(node, ast.Global):
            kept |= set(node.names)
        elif isinstance(node, ast.arg):
            kept.add(node.arg)  # a caller may name it
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            kept.add(node.name)
    return bound - kept


def _imported(statement: ast.Import | ast.ImportFrom, base: str) -> dict[str, tuple[str, str | None]]:
    if isinstance(statement, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: (alias.name if alias.asname else alias.name.split(".")[0], None)
            for alias in statement.names
        }
    module = statement.module or ""
    if statement.level:
        above = base.split(".")[: len(base.split(".")) - statement.level + 1]
        module = ".".join([*above, *([module] if module else [])])
    return {alias.asname or alias.name: (module, alias.name) for alias in statement.names}


def _assigned(statement: ast.AST) -> list[str]:
    targets: list[Any] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name) and _is_stored(node)]


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _only_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.dump(test)


def _is_text(statement: ast.AST) -> bool:
    """A docstring, or a text below an attribute that describes it."""
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )


def _only_tells(statement: ast.AST) -> bool:
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    within = [node for part in (*statement.value.args, *statement.value.keywords) for node in ast.walk(part)]
    if any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for node in within):
        return False
    if any(isinstance(node, ast.Call) and _called(node) not in HARMLESS for node in within):
        return False
    return _called(statement.value).lstrip("_") in TELLING


def _called(call: ast.Call) -> str:
    """Name of the function or method that is called; empty where it has none."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
