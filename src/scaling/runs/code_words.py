"""A definition as words: what its code does, without its own names, and what it refers to; equal code gives equal words."""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from scaling.runs.code_modules import Definition, Modules, imported_names, is_stored, is_text

TELLING: Final = frozenset({"print", "warn", "say"})
"""Functions and methods whose calls, as statements, only print or report something."""

HARMLESS: Final = frozenset({"len", "str", "repr", "round", "min", "max", "sum", "sorted", "type", "join"})
"""Functions that may be called within such a call; any other might do more, such as draw a random number."""


class Writer:
    """Writes definitions of ``module`` as words without what decides nothing, and collects what they refer to.

    Args:
        modules: of the package, to find what names mean.
        module: name of the one whose definitions are written.
        is_stopped: whether references to a definition are not followed.
        telling_keywords: name of a function or class -> keywords of its calls that only tell.
    """

    def __init__(
        self,
        modules: Modules,
        module: str,
        is_stopped: Callable[[Definition], bool],
        telling_keywords: Mapping[str, Collection[str]],
    ) -> None:
        self.modules, self.module = modules, module
        self._is_stopped, self._telling_keywords = is_stopped, telling_keywords
        self.words: list[str] = []
        self.references: list[Definition] = []
        self.mentioned: set[Definition] = set()
        self._locals: dict[str, str] = {}
        self._imports: dict[str, tuple[str, str | None]] = {}
        self._shadowing: set[str] = set()
        """names that mean something here, and perhaps something else in the module"""

    def write_definition(self, node: ast.AST) -> None:
        """Write ``node``, a statement of a module's top level or a method."""
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
            if is_text(statement):
                continue
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self.words.append(f"method {statement.name}")
                self._in_scope(statement)
            elif isinstance(statement, ast.ClassDef):
                self.words.append(f"inner {statement.name}")
                self._write_class(statement)
            else:  # attributes: their names are part of what the class is
                self._locals, self._imports = {}, {}
                self._shadowing = {one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and is_stored(one)}
                self._write(statement)
                self._shadowing = set()

    def _in_scope(self, node: ast.AST) -> None:
        """Write ``node`` with its local names numbered in the order of their first use."""
        self._locals, self._imports = {}, {}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            base = self.module  # relative imports are not used within functions
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    self._imports |= imported_names(inner, base)
            for name in _local_names(node):
                # A name that the module knows too may mean either, so it keeps its name and is followed.
                known = name in self._imports or self.modules.resolve(self.module, name) is not None
                if not known and not hasattr(builtins, name):
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
                value = [one for one in value if not is_text(one) and not _only_tells(one)]
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
        """Note the classes of the package that an annotation names; the annotation itself decides nothing."""
        for node in ast.walk(annotation) if annotation is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                with contextlib.suppress(SyntaxError):  # a text, as in Literal["cosine"]
                    self._mention(ast.parse(node.value, mode="eval"))
            meaning = self._dotted(node)
            if isinstance(meaning, Definition) and not self._is_stopped(meaning):
                self.mentioned.add(meaning)

    def _write_Raise(self, node: ast.Raise) -> None:
        self.words.append("Raise")
        self._write(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def _write_Assert(self, node: ast.Assert) -> None:
        self._write_fields(node, skip=("msg",))

    def _write_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._write_fields(node, skip=("name",))

    def _write_Call(self, node: ast.Call) -> None:
        telling = self._telling_keywords.get(_called(node), ())
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
        """What ``node`` means if it is a name, or a name in a module of the package; None for anything else."""
        if isinstance(node, ast.Name):
            return self._meaning(node.id) if node.id not in self._locals else None
        if isinstance(node, ast.Attribute):
            owner = self._dotted(node.value)
            if isinstance(owner, str) and self.modules.is_module(owner):
                return self.modules.imported(owner, node.attr)
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
            return self.modules.imported(*self._imports[name])
        return self.modules.resolve(self.module, name)

    def _refer(self, meaning: Definition | str | None, name: str) -> None:
        if isinstance(meaning, Definition):
            if self._is_stopped(meaning):
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
    """Names that a function, or a function within it, binds; parameters included."""
    return _local_names(function) | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _local_names(function: ast.AST) -> set[str]:
    """Names that a function, or a function within it, binds; parameters and global names left out."""
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
