"""The code of a model of a user's own: a fingerprint of what its file, and the modules beside it, do.

As for the package: a comment changes nothing, an edit of anything that the model refers to changes the key of its runs.
"""

from __future__ import annotations

from pathlib import Path

from scaling.models.own_files import OwnModelError, local_files
from scaling.runs.fingerprint import Code, CodeError


class OwnCode(Code):
    """The source of a user's file and of the modules beside it, whose names have no package before them."""

    def __init__(self, path: Path) -> None:
        """``path`` is the user's file. Raises CodeError."""
        try:
            files = local_files(path)
        except OwnModelError as error:
            raise CodeError(str(error)) from error
        super().__init__(path.parent, sources={file: file.read_bytes() for file in files})

    def _path(self, module: str) -> Path:
        path = self.package.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def _inside(self, module: str) -> bool:
        return self._path(module) in self.sources


def own_fingerprint(path: Path, name: str) -> str:
    """Fingerprint of the class or function ``name`` of the file at ``path``, and of all there that it refers to.

    Raises:
        CodeError: a file cannot be read, or does not define it.
    """
    return OwnCode(path).fingerprint([f"{path.stem}:{name}"])
