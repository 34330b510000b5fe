"""The first screen of a report as text: ``summary.md``, to be pasted into a pull request or a note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scaling.report import first_screen
from scaling.report.inputs import ReportInputs
from scaling.report.rate_table import rate_sentence

NO_ANSWER = "No law could be judged: too few models are trained."


def summary(run: ReportInputs) -> str:
    """Title, answer, limits and the table of skills of ``run`` in Markdown."""
    with_laws = run.with_laws()
    title = run.study.get("title") or run.study["name"]
    lines = [f"# {_plain(title)}", ""]
    if run.study.get("description"):
        lines += [_plain(run.study["description"]), ""]
    lines += [f"**{_plain(first_screen.answer(run.fits) or NO_ANSWER)}**", ""]
    if run.partial:
        lines += ["Partial: not every model of the study is trained.", ""]
    limits = first_screen.limits(with_laws.runs, run.fits, run.next_runs)
    lines += [f"- {name}: {_plain(text)}" for name, text in limits.items()]
    if said := rate_sentence(run.rate_errors):
        lines.append(f"- learning rates: {_plain(said)}")
    rows = first_screen.family_skills(run.fits)
    if rows:
        heads = ("family", "class", *first_screen.PARTS.values(), "all together")
        lines += ["", _row(heads), _row(["---"] * len(heads))]
        for row in rows:
            scores = [*row["parts"].values(), row["overall"]]
            lines.append(_row([_plain(row["family"]), _plain(row["kind"] or ""), *map(_score, scores)]))
        lines += ["", "Skill with its 95 % interval: 1 = exact, 0 = no better than the loss of the nearest smaller model."]
    return "\n".join([*lines, "", "All figures and tables: [index.html](index.html)", ""])


def _score(part: dict[str, Any]) -> str:
    if part["skill"] is None:
        return _plain(part["reason"])
    return f"{part['badge']}: {first_screen.skill_text(part['skill'])} {first_screen.interval_text(part['interval'])}".rstrip()


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """``text`` on one line, with what Markdown or HTML would read as markup escaped."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{letter}" if letter in "|*_`[]" else letter for letter in escaped)
