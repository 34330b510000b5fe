"""The source files of a package, read and never run: what each defines, what it imports, and what a name means there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class CodeError(ValueError):
    """Source code that cannot be used; the message names the file and the line."""


@dataclass(frozen=True, order=True)
class Definition:
    """A definition: its module, and its name there (``Class.method`` for a single method)."""

    module: str
    name: str


@dataclass
class Module:
    """The top level of a source file."""

    definitions: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """local name -> (module, name in it or None for the module itself)"""
    loose: list[ast.AST] = field(default_factory=list)
    """statements that define nothing and are run on import"""


def read_sources(package: Path) -> dict[Path, bytes]:
    """Path -> contents of each source file below ``package``. Raises CodeError if one cannot be read."""
    try:
        return {path: path.read_bytes() for path in sorted(package.rglob("*.py"))}
    except OSError as error:
        raise CodeError(f"{error.filename}: cannot be read: {error.strerror}") from error


class Modules:
    """The modules of a package, parsed when they are first asked for.

    Args:
        package: its folder, whose name is the package's.
        sources: its files with their contents; None to read all that lie below the folder.

    Raises:
        CodeError: a source file cannot be read.
    """

    def __init__(self, package: Path, sources: dict[Path, bytes] | None = None) -> None:
        self.package = package
        self.sources = read_sources(package) if sources is None else sources
        self._modules: dict[str, Module | None] = {}

    def path(self, module: str) -> Path:
        """The file of ``module``, whether it is there or not."""
        path = self.package.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def module(self, name: str) -> Module | None:
        """The module ``name``; None if it is not of this package. Raises CodeError if it cannot be parsed."""
        if name not in self._modules:
            self._modules[name] = self._read(name) if self.inside(name) else None
        return self._modules[name]

    def inside(self, name: str) -> bool:
        """Whether the module ``name`` is of this package."""
        return name.split(".")[0] == self.package.name and self.path(name) in self.sources

    def _read(self, name: str) -> Module:
        path, found = self.path(name), Module()
        try:
            tree = ast.parse(self.sources[path])
        except SyntaxError as error:
            raise CodeError(f"{path}: line {error.lineno}: {error.msg}") from error
        except ValueError as error:
            raise CodeError(f"{path}: cannot be read: {error}") from error
        base = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self._read_statements(tree.body, base, found)
        return found

    def _read_statements(self, statements: list[ast.stmt], base: str, found: Module) -> None:
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                found.imports |= imported_names(statement, base)
                if "*" in found.imports and self.inside(found.imports["*"][0]):
                    raise CodeError(f"{base}: line {statement.lineno}: import * hides what is used; allowed: names")
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.definitions.setdefault(statement.name, []).append(statement)
            elif names := assigned_names(statement):
                for name in names:
                    found.definitions.setdefault(name, []).append(statement)
            elif isinstance(statement, ast.If) and _only_for_types(statement.test):
                self._read_statements([*statement.body, *statement.orelse], base, found)
            elif isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
                continue
            elif not is_text(statement):
                found.loose.append(statement)
                for inner in ast.walk(statement):  # an import that is tried, say
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        found.imports |= imported_names(inner, base)

    def resolve(self, module: str, name: str) -> Definition | str | None:
        """What ``name`` means in ``module``: a definition of the package, the dotted name of a module or of something from
        outside, or None for a name that the module does not know (a builtin)."""
        found = self.module(module)
        if found is None:
            return f"{module}.{name}"
        if name in found.definitions:
            return Definition(module, name)
        if name in found.imports:
            return self.imported(*found.imports[name])
        return f"{module}.{name}" if self.module(f"{module}.{name}") is not None else None

    def imported(self, module: str, name: str | None) -> Definition | str:
        """What an import of ``name`` from ``module`` (None: of the module itself) means."""
        if name is None:
            return module
        return self.resolve(module, name) or f"{module}.{name}"

    def is_module(self, name: str) -> bool:
        """Whether ``name`` is a module of the package."""
        return self.module(name) is not None


def imported_names(statement: ast.Import | ast.ImportFrom, base: str) -> dict[str, tuple[str, str | None]]:
    """Local name -> (module, name in it or None for the module itself); ``base`` is the package that imports."""
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


def assigned_names(statement: ast.AST) -> list[str]:
    """The names that an assignment sets."""
    targets: list[Any] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name) and is_stored(node)]


def is_stored(node: ast.Name) -> bool:
    """Whether ``node`` sets a name rather than reads it."""
    return isinstance(node.ctx, ast.Store)


def _only_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.dump(test)


def is_text(statement: ast.AST) -> bool:
    """Whether ``statement`` is a docstring, or the text below an attribute that describes it."""
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )
