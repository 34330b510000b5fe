"""The files that a model of a user's own is made of: its file, and the modules beside it that it imports. No torch."""

from __future__ import annotations

import ast
import difflib
import hashlib
import traceback
from pathlib import Path


class OwnModelError(ValueError):
    """A model of a user's own that cannot be used; the message names the file, the line and what is wrong."""


def local_files(path: Path) -> list[Path]:
    """``path``, and all files in its folder, or in folders there, that it imports, directly or not; sorted.

    Raises:
        OwnModelError: one cannot be read, or is not Python.
    """
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for module in _imported(file):
                waiting += _files_of(path.parent, module)
    return sorted(found)


def read_tree(path: Path) -> ast.Module:
    """The syntax tree of ``path``. Raises OwnModelError."""
    try:
        return ast.parse(path.read_bytes())
    except OSError as error:
        raise OwnModelError(f"{path}: cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise OwnModelError(f"{path}: line {error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise OwnModelError(f"{path}: not Python: {error}") from error


def contents(path: Path) -> str:
    """Hash of ``local_files`` as they are, comments included. Raises OwnModelError."""
    digest = hashlib.sha256()
    for file in local_files(path):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(path.parent)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def check_defined(path: Path, name: str) -> None:
    """That the file at ``path`` is Python and defines, or imports, ``name``. Raises OwnModelError."""
    names: list[str] = []
    for statement in read_tree(path).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.append(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in statement.names]
        elif isinstance(statement, ast.Assign):
            names += [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise OwnModelError(f"{path}: defines no {name}" + (f"; did you mean {near[0]!r}?" if near else ""))


def told(error: BaseException, path: Path) -> str:
    """``error`` in a line: where in the user's files it was raised, and what."""
    try:
        files = {file.resolve() for file in local_files(path)}
    except OwnModelError:
        files = {path.resolve()}
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() in files]
    where = f"{own[-1].filename}: line {own[-1].lineno}: " if own else f"{path}: "
    return where + " ".join(f"{type(error).__name__}: {error}".split())


def _imported(path: Path) -> list[str]:
    """The modules that ``path`` imports, wherever in it. Imports within a package need not be followed: all of it is read."""
    names: list[str] = []
    for node in ast.walk(read_tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(str(node.module))
    return names


def _files_of(folder: Path, module: str) -> list[Path]:
    """The files in ``folder`` that an import of ``module`` may run: one file, or those of the package that it lies in."""
    first = module.split(".")[0]
    single = folder / f"{first}.py"
    return [*([single] if single.is_file() else []), *sorted((folder / first).rglob("*.py"))]
