"""Which study file the results of a name belong to: two files with one name would overwrite each other's results.

The first file that makes results leaves its path beside them. Another file of that name is refused for as long as the first
exists and keeps the name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scaling.files import write_atomic
from scaling.jobs.opening import open_study
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import read_tree
from scaling.study.study_problems import Problem, StudyError

Say = Callable[[str], None]
"""Prints a line for people."""


def open_own(path: Path, warn: Say, *, take: bool = True) -> tuple[Study, Layout]:
    """The study at ``path``, opened by ``open_study``, and its layout; the results of its name must not be another file's.

    Args:
        path: the study file.
        warn: is told if the results belonged to a file that is gone.
        take: whether the results belong to this file from now on.

    Raises:
        StudyError: the study is not valid, or the results belong to another file.
    """
    study = open_study(path)
    layout = Layout(study.name)
    check_owner(study, path, layout, warn, take=take)
    return study, layout


def check_owner(study: Study, path: Path, layout: Layout, warn: Say, *, take: bool) -> None:
    """Check that the results of a study's name are not another file's, for a study that is open.

    Args:
        study: as ``open_study`` gave it.
        path: its file.
        layout: where its results lie.
        warn: is told if the results belonged to a file that is gone.
        take: whether the results belong to this file from now on.

    Raises:
        StudyError: the results belong to another file.
    """
    owner = _owner(layout.owner)
    if owner is not None and _same(owner, path):
        return
    if owner is not None:
        left = _why_left(owner, study.name)
        if not left:
            raise StudyError(
                path,
                [
                    Problem(
                        ("name",),
                        f"received {study.name}, which is the name of {owner} too; {layout.study} holds the results of that "
                        f"file. Rename one of the studies, or remove {layout.owner} to give the results to {path}",
                    )
                ],
            )
        warn(f"{layout.study}: {owner} {left}; its results {'now' if take else 'will'} belong to {path}")
    if take:
        write_atomic(layout.owner, f"{_portable(path)}\n".encode())


def _owner(mark: Path) -> Path | None:
    try:
        text = mark.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return Path(text) if text else None


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _why_left(owner: Path, name: str) -> str:
    """Why ``owner`` no longer has a claim to the results of ``name``; an empty string if it has one."""
    if not owner.is_file():
        return "is gone"
    try:
        now = read_tree(owner).get("name")
    except StudyError:  # perhaps it is being edited
        return ""
    return "" if now == name else f"is named {now} now"


def _portable(path: Path) -> Path:
    """``path`` relative to the project's folder if it lies within, so that the project may move."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole
