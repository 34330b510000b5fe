"""Fits and comparisons as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scaling.laws.any_table.checklist import outlier_change
from scaling.report.terminal_numbers import digits_of, ends, fits_into, percent, plain_table, print_dropped, terminal

MOST_PAIRS = 60
"""All pairs are printed up to this number; beyond it only those that differ, with a count of the rest (see --json)."""
MOST_OUTLIERS = 10
"""Outliers of a fit that are listed one by one (assumption); the others are counted, and are in the output of --json."""


def print_fits(fits: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what ``laws.any_table.fit_table`` returns: one fit in full, several as a table with one row per fit."""
    console = console or terminal()
    if len(fits) == 1:
        _print_fit(fits[0], console)
    else:
        _print_groups(fits, console)


def _print_fit(fit: Mapping[str, Any], console: Console) -> None:
    group = _group(fit["group"])
    console.print(f"[bold]{escape(group + ': ' * bool(group) + fit['law'])}[/]  {escape(fit['formula'])}")
    console.print(f"{escape(fit['reference'])}; {fit['rows']} rows; {escape(fit['loss'])}", style="dim")
    console.print(f"status: {fit['status']}{_because(fit)}")
    if not fit["parameters"]:
        return
    honest, held = fit.get("honest", {"reasons": {}, "laws": []}), fit.get("honest_intervals", {})
    table = plain_table(("parameter",), ("value", "standard\nerror"))
    for name in ("95 % if the law holds", *(["95 % honestly"] if held else [])):  # or the reason why there is none
        table.add_column(name, justify="right", overflow="fold")
    for name, value in fit["parameters"].items():
        error = fit["standard_errors"].get(name)
        own = held.get(name)
        last = [ends(own) if own else escape(honest["reasons"].get(name, "–"))] if held else []
        table.add_row(name, digits_of(value, 6), digits_of(error, 3), _interval_or_reason(fit, name), *last)
    console.print(table)
    if held:
        whole = honest["reasons"].get("all")
        others = [law for law in honest["laws"] if law != fit["law"]]
        tried = (
            f"laws that predict as well: {', '.join(others)}"
            if others
            else "no other law predicts as well" * bool(honest["laws"])
        )
        console.print(f"honestly: {'; '.join(filter(None, (tried, whole)))}")
    why_not = f" ({escape(_no_intervals(fit))})" if _no_intervals(fit) else ""
    console.print(f"intervals: {fit['interval_method']}{why_not}")
    certificate = fit["certificate"]
    tried = f" (on {certificate['sample']})" if certificate["sample"] else ""
    console.print(
        f"objective {fit['objective']:.12g}, log residual {percent(fit['residual_rms'])} rms; "
        f"{certificate['share']:.0%} of {certificate['starts']} starts reached it{tried}, "
        f"gradient {certificate['gradient']:.1e}, condition {certificate['condition']:.1e}; {fit['seconds']:.2g} s"
    )
    _print_scores(fit, console)
    _print_outliers(fit, console)
    if "dropped" in fit:
        print_dropped(fit["dropped"], console)
        whole = ", ".join(f"{name} {digits_of(value)}" for name, value in fit["parameters_with_dropped"].items())
        console.print(f"with them the fit would be: {whole or 'none'}")


def _print_scores(fit: Mapping[str, Any], console: Console) -> None:
    if "scores" not in fit:
        return
    scores = {name: score for name, score in fit["scores"].items() if score is not None}
    if not scores:
        console.print(f"chosen: {fit['law']}, the standard form, since the rows are too few to try forms on larger rows")
        return
    listed = ", ".join(f"{name} {score:.4f}" for name, score in sorted(scores.items(), key=lambda item: item[1]))
    console.print(f"chosen by root mean square log error at predicting larger rows from smaller ones: {listed}")
    unscored = [name for name, score in fit["scores"].items() if score is None]
    if unscored:
        console.print(f"not scored, too few rows: {', '.join(unscored)}")


def _print_outliers(fit: Mapping[str, Any], console: Console, whose: str = "") -> None:
    """The rows that lie far off the law, by name, and what the law would be without them."""
    found = fit.get("outliers")
    if not found or not found["rows"]:
        return
    listed = [
        f"row {str(one['row']).removeprefix('row ')} ({one['observed']:.4g}, the law says {one['predicted']:.4g})"
        for one in found["rows"]
    ]
    more = f" and {len(listed) - MOST_OUTLIERS} more" if len(listed) > MOST_OUTLIERS else ""
    console.print(
        escape(f"{whose}far off the law, kept: {', '.join(listed[:MOST_OUTLIERS])}{more}; ") + escape(outlier_change(found)),
        style="yellow",
    )


def _print_groups(fits: Sequence[Mapping[str, Any]], console: Console) -> None:
    parameters = list(dict.fromkeys(name for fit in fits for name in fit["parameters"]))
    groups = tuple(fits[0]["group"])
    table = Table()
    for name in (*groups, "law"):
        table.add_column(escape(name))
    for name in ("rows", *parameters):
        table.add_column(name, justify="right")
    table.add_column("status")
    slim = plain_table((*groups, "law"), ("rows", "", "value", "95 % interval"), ("status",))
    for fit in fits:
        names = [escape(value) for value in fit["group"].values()]
        rows = f"{fit['rows']} ({len(fit['dropped'])} dropped)" if fit.get("dropped") else str(fit["rows"])
        status = fit["status"] + _because(fit)
        table.add_row(*names, fit["law"], rows, *(_with_interval(fit, name) for name in parameters), status)
        _add_by_parameter(slim, (*names, fit["law"], rows), fit, (fit["status"],))
    if not _print_fitting(table, slim, console):
        for fit in fits:
            if because := _because(fit):
                console.print(f"{escape(_group(fit['group']))}: {fit['status']}{because}")
    methods = list(dict.fromkeys(fit["interval_method"] for fit in fits if fit["parameters"]))
    console.print(f"in brackets 95 % intervals: {'; '.join(methods) or 'none'}")
    for fit in fits:
        _print_outliers(fit, console, f"{_group(fit['group'])}: ")
    without = sum(not fit["parameters"] for fit in fits)
    console.print(f"{len(fits)} groups" + (f", {without} of which could not be fitted" if without else ""))


def _add_by_parameter(table: Table, head: Sequence[str], fit: Mapping[str, Any], tail: Sequence[str] = ()) -> None:
    """One line per parameter of a fit; what is said once, ``head`` and ``tail``, stands in the first."""
    lines = [
        (escape(name), digits_of(value), ends(fit["intervals"][name]) if fit["intervals"].get(name) else "no interval")
        for name, value in fit["parameters"].items()
    ] or [("", "–", "–")]
    for i, line in enumerate(lines):
        first = i == 0
        table.add_row(*(head if first else [""] * len(head)), *line, *(tail if first else [""] * len(tail)))


def _print_fitting(wide: Table, slim: Table, console: Console) -> bool:
    """Print the wide table if no cell of it would be broken, else the slim one; returns whether the wide one was printed."""
    is_wide = fits_into(wide, console)
    console.print(wide if is_wide else slim)
    return is_wide


def print_comparison(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what ``verdicts.compare.compare_table`` returns."""
    console = console or terminal()
    parameters = list(dict.fromkeys(name for one in result["families"] for name in one["fit"]["parameters"]))
    table = Table("family")
    for name in ("rows", "skill", *parameters):
        table.add_column(name, justify="right")
    slim = plain_table(("family",), ("rows", "", "value", "95 % interval"))
    for one in result["families"]:
        verdict, fit = one["verdict"], one["fit"]
        name, rows = escape(one["family"]), str(fit["rows"])
        skill = digits_of(verdict["skill"], 2)
        known = ends(verdict["skill_interval"], 2) if verdict["skill_interval"] else None
        wide = f"{skill}\n[dim]{known}[/]" if known else skill
        table.add_row(name, rows, wide, *(_with_interval(fit, name) for name in parameters))
        slim.add_row(name, rows, "skill", skill, known or "no interval")
        if fit["parameters"]:
            _add_by_parameter(slim, ("", ""), fit)
    _print_fitting(table, slim, console)
    console.print("in brackets 95 % intervals; skill: 1 - error of the law / error of the nearest smaller run", style="dim")
    for one in result["families"]:
        console.print(escape(one["verdict"]["sentence"]))
        _print_outliers(one["fit"], console, f"{one['family']}: ")
    _print_pairs(result["pairs"], console)
    for sentence in result["verdict"]:
        console.print(escape(sentence), style="bold")


def _print_pairs(pairs: Sequence[Mapping[str, Any]], console: Console) -> None:
    shown = pairs if len(pairs) <= MOST_PAIRS else [pair for pair in pairs if pair["p_holm"] < 0.05][:MOST_PAIRS]
    if shown:
        table = plain_table(("contrast", "first", "second"), ("difference", "95 % interval", "p after\nHolm"))
        for pair in shown:
            names = [escape(str(pair[key])) for key in ("contrast", "first", "second")]
            table.add_row(*names, digits_of(pair["difference"], 3), ends(pair["interval"], 3), digits_of(pair["p_holm"], 2))
        console.print(table)
    if len(shown) < len(pairs):
        console.print(f"{len(pairs) - len(shown)} more contrasts are in the output of --json")


def _group(group: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in group.items())


def _because(fit: Mapping[str, Any]) -> str:
    """The reason why a fit did not converge."""
    if fit["status"] == "converged":
        return ""
    whole = fit["reasons"].get("all")
    parts = [
        reason if name == "all" else f"{name} {reason}"
        for name, reason in fit["reasons"].items()
        if name != "intervals" and (name == "all" or reason != whole)
    ]
    return escape(f" ({'; '.join(dict.fromkeys(parts))})") if parts else ""


def _with_interval(fit: Mapping[str, Any], name: str) -> str:
    """A value and, below it, its interval."""
    if name not in fit["parameters"]:
        return ""
    interval = fit["intervals"].get(name)
    below = ends(interval) if interval else "no interval"
    return f"{digits_of(fit['parameters'][name])}\n[dim]{below}[/]"


def _interval_or_reason(fit: Mapping[str, Any], name: str) -> str:
    interval = fit["intervals"].get(name)
    if interval:
        return ends(interval, 5)
    return escape(fit["reasons"].get(name) or ("–" if _no_intervals(fit) else "none"))


def _no_intervals(fit: Mapping[str, Any]) -> str:
    """Why no parameter of the fit has an interval, or nothing."""
    return fit["reasons"].get("intervals") or fit["reasons"].get("all", "")
