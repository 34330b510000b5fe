"""The code of a model of a user's own: a fingerprint of what its file, and the modules beside it, do.

As for the package: a comment changes nothing, an edit of anything that the model refers to changes the key of its runs.
What may be reached without being named is taken as a whole, for a result of other code than stands there is worse than a run
too many: modules imported by plain ``import``, decorated definitions (they may register themselves), and everything where
names are put together at run time.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from scaling.models.own_files import OwnModelError, local_files
from scaling.runs.code_modules import CodeError, Modules
from scaling.runs.fingerprint import Code

AT_RUN_TIME: Final = frozenset({"getattr", "globals", "locals", "vars", "import_module", "__import__", "eval", "exec"})
"""Functions that find things by names that the code need not show."""


class OwnModules(Modules):
    """The source of a user's file and of the modules beside it, whose names have no package before them."""

    def __init__(self, path: Path) -> None:
        """``path`` is the user's file. Raises CodeError."""
        try:
            sources = {file: file.read_bytes() for file in local_files(path)}
        except OwnModelError as error:
            raise CodeError(str(error)) from error
        for file in list(sources):  # folders are packages, with or without a file that says so
            for folder in file.parents[: len(file.relative_to(path.parent).parts) - 1]:
                sources.setdefault(folder / "__init__.py", b"")
        super().__init__(path.parent, sources=sources)

    def roots(self, path: Path, name: str) -> list[str]:
        """``name`` of the file at ``path``, and all that it may reach without naming it."""
        found, everything = [f"{path.stem}:{name}"], False
        for file, content in self.sources.items():
            module = self._name(file)
            tree = ast.parse(content)
            found += [
                f"{module}:{one.name}"
                for one in tree.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and one.decorator_list
            ]
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    found += [alias.name for alias in node.names if self.inside(alias.name)]
                everything |= isinstance(node, ast.Name | ast.Attribute) and _last(node) in AT_RUN_TIME
        return [*found, *(map(self._name, self.sources) if everything else ())]

    def _name(self, file: Path) -> str:
        parts = file.relative_to(self.package).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def path(self, module: str) -> Path:
        """The file of ``module``, whether it is there or not."""
        path = self.package.joinpath(*module.split("."))
        return path / "__init__.py" if path / "__init__.py" in self.sources else path.with_suffix(".py")

    def inside(self, name: str) -> bool:
        """Whether the module ``name`` lies beside the user's file."""
        return self.path(name) in self.sources


def own_fingerprint(path: Path, name: str) -> str:
    """Fingerprint of the class or function ``name`` of the file at ``path``, and of all there that it may refer to.

    Raises:
        CodeError: a file cannot be read, or does not define it.
    """
    modules = OwnModules(path)
    return Code(path.parent, modules=modules).fingerprint(sorted(set(modules.roots(path, name))))


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr
