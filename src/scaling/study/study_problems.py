"""What is wrong with a study, as it is printed: one line per problem, with keys, value and what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_PROBLEMS: Final = 20
"""Problems of a study that are printed, in the order of their lines; of the rest only the number is printed."""

LONGEST_KEY: Final = 80


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a study: where it is, what was received, what is allowed."""

    keys: tuple[str | int, ...]
    """the keys and positions in the file that lead there"""
    message: str
    line: int | None = None
    beyond: bool = False
    """whether it asks for more than a study may hold: then no further check is made"""

    def __str__(self) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{_short(str(part))}" for part in self.keys).lstrip(".")
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{where + ': ' if where else ''}{self.message}"


class StudyError(ValueError):
    """A study file that cannot be used, with all its problems."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path, self.problems = path, problems
        lines = [f"{path}: {problem}" for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"{path}: and {len(problems) - MOST_PROBLEMS} more problems")
        super().__init__("\n".join(lines))


def by_line(problem: Problem) -> int:
    """Sort key: the order of the file."""
    return problem.line or 0


def _short(key: str) -> str:
    return repr(key[: LONGEST_KEY - 3])[1:-1] + "..." if len(key) > LONGEST_KEY else key
