"""Fits, extrapolations, comparisons and forecasts as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

MOST_PAIRS = 60
"""All pairs are printed up to this number; beyond it only those that differ, with a count of the rest (see --json)."""

MOST_DROPPED = 20
"""Excluded rows that are listed one by one."""


def print_fits(fits: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what ``laws.any_table.fit_table`` returns: one fit in full, several as a table with one row per fit."""
    console = console or _console()
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
    table = Table("parameter", title_justify="left")
    honest, held = fit.get("honest", {"reasons": {}, "laws": []}), fit.get("honest_intervals", {})
    for name in ("value", "standard error", "95 % if the law holds", *(["95 % honestly"] if held else [])):
        table.add_column(name, justify="right")
    for name, value in fit["parameters"].items():
        error = fit["standard_errors"].get(name)
        ends = held.get(name)
        said = f"[{_digits(ends[0])}, {_digits(ends[1])}]" if ends else honest["reasons"].get(name, "–")
        last = [escape(said)] if held else []
        table.add_row(name, _digits(value, 6), _digits(error, 3), _interval_or_reason(fit, name), *last)
    console.print(table)
    if held:
        whole = honest["reasons"].get("all")
        tried = f"laws that predict as well: {', '.join(honest['laws'])}" if honest["laws"] else ""
        console.print(f"honestly: {'; '.join(filter(None, (tried, whole)))}")
    console.print(f"intervals: {fit['interval_method']}")
    certificate = fit["certificate"]
    tried = f" (on {certificate['sample']})" if certificate["sample"] else ""
    console.print(
        f"objective {fit['objective']:.12g}, log residual {_percent(fit['residual_rms'])} rms; "
        f"{certificate['share']:.0%} of {certificate['starts']} starts reached it{tried}, "
        f"gradient {certificate['gradient']:.1e}, condition {certificate['condition']:.1e}; {fit['seconds']:.2g} s"
    )
    _print_scores(fit, console)
    if "dropped" in fit:
        _print_dropped(fit["dropped"], console)
        whole = ", ".join(f"{name} {_digits(value)}" for name, value in fit["parameters_with_dropped"].items())
        console.print(f"with them the fit would be: {whole or 'none'}")


def _print_dropped(dropped: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not dropped:
        return
    (response,) = [name for name in dropped[0] if name != "row"]
    listed = ", ".join(f"row {one['row']} ({one[response]:.4g})" for one in dropped[:MOST_DROPPED])
    more = f" and {len(dropped) - MOST_DROPPED} more" if len(dropped) > MOST_DROPPED else ""
    console.print(f"left out, the largest {escape(response)}: {listed}{more} (row 1 is the first of the data)")


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


def _print_groups(fits: Sequence[Mapping[str, Any]], console: Console) -> None:
    parameters = list(dict.fromkeys(name for fit in fits for name in fit["parameters"]))
    table = Table()
    for name in (*fits[0]["group"], "law"):
        table.add_column(escape(name))
    for name in ("rows", *parameters):
        table.add_column(name, justify="right")
    table.add_column("status")
    for fit in fits:
        cells = [_with_interval(fit, name) for name in parameters]
        names = [escape(value) for value in fit["group"].values()]
        dropped = f" (less {len(fit['dropped'])})" if fit.get("dropped") else ""
        table.add_row(*names, fit["law"], f"{fit['rows']}{dropped}", *cells, fit["status"] + _because(fit))
    console.print(table)
    methods = list(dict.fromkeys(fit["interval_method"] for fit in fits if fit["parameters"]))
    console.print(f"in brackets 95 % intervals: {'; '.join(methods) or 'none'}")
    without = sum(not fit["parameters"] for fit in fits)
    console.print(f"{len(fits)} groups" + (f", {without} of which could not be fitted" if without else ""))


def print_extrapolation(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what ``laws.extrapolate.extrapolate_table`` returns."""
    console = console or _console()
    curves = result["curves"]
    grid = any("rows_outside" in curve for curve in curves)
    table = Table()
    for name in curves[0]["group"]:
        table.add_column(escape(name))
    for name in (
        "train rows",
        "test rows",
        "reach",
        "rms log error",
        "in interval",
        *(("inside N", "outside N") if grid else ()),
    ):
        table.add_column(name, justify="right")
    table.add_column("note")
    for curve in curves:
        reach = ", ".join(f"{name} x{_digits(value, 2)}" for name, value in curve.get("reach", {}).items())
        inner = [_digits(curve.get(name)) for name in ("rmse_log_inside", "rmse_log_outside")] if grid else []
        note = curve.get("reason") or {"converged": ""}.get(curve.get("status", "converged"), curve.get("status")) or ""
        names = [escape(value) for value in curve["group"].values()]
        rows = str(curve["rows_train"]), str(curve["rows_test"])
        held = f"{curve['covered']:.0%}" if "covered" in curve else "–"
        table.add_row(*names, *rows, reach, _digits(curve["rmse_log"]), held, *inner, escape(note))
    console.print(table)
    scored = sum(curve["rmse_log"] is not None for curve in curves)
    console.print(
        f"estimator {result['estimator']}: root mean square log error over {scored} of {len(curves)} curves: "
        f"mean {_digits(result['mean'])}, median {_digits(result['median'])}"
    )
    console.print("in interval: test rows within the 95 % interval of a new run, which carries the law's own error")
    if grid:
        console.print("inside and outside: test rows whose N lies within, and beyond, the range of N in the train rows")
    if result["left_out"]:
        held = ", ".join(f"{value or 'empty'} {count}" for value, count in result["left_out_by_split"].items())
        console.print(f"{result['left_out']} rows left out, whose split is neither train nor test: {escape(held)}")


def print_comparison(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what ``verdicts.compare.compare_table`` returns."""
    console = console or _console()
    parameters = list(dict.fromkeys(name for one in result["families"] for name in one["fit"]["parameters"]))
    table = Table("family")
    for name in ("rows", "skill", *parameters):
        table.add_column(name, justify="right")
    for one in result["families"]:
        verdict, fit = one["verdict"], one["fit"]
        skill = _digits(verdict["skill"], 2)
        if verdict["skill_interval"]:
            skill += f"\n[dim]{_ends(verdict['skill_interval'], 2)}[/]"
        table.add_row(escape(one["family"]), str(fit["rows"]), skill, *(_with_interval(fit, name) for name in parameters))
    console.print(table)
    console.print(
        "below each value its 95 % interval; skill: 1 - error of the law / error of the nearest smaller run", style="dim"
    )
    for one in result["families"]:
        console.print(escape(one["verdict"]["sentence"]))
    _print_pairs(result["pairs"], console)
    for sentence in result["verdict"]:
        console.print(escape(sentence), style="bold")


def _print_pairs(pairs: Sequence[Mapping[str, Any]], console: Console) -> None:
    shown = pairs if len(pairs) <= MOST_PAIRS else [pair for pair in pairs if pair["p_holm"] < 0.05][:MOST_PAIRS]
    if shown:
        table = Table("contrast", "first", "second")
        for name in ("difference", "95 % interval", "p after Holm"):
            table.add_column(name, justify="right")
        for pair in shown:
            names = [escape(str(pair[key])) for key in ("contrast", "first", "second")]
            table.add_row(*names, _digits(pair["difference"], 3), _ends(pair["interval"], 3), _digits(pair["p_holm"], 2))
        console.print(table)
    if len(shown) < len(pairs):
        console.print(f"{len(pairs) - len(shown)} more contrasts are in the output of --json")


def print_forecast(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what ``laws.forecast.forecast_table`` returns."""
    console = console or _console()
    law = ", ".join(f"{name} {_digits(value)}" for name, value in result["parameters"].items())
    console.print(
        f"[bold]{result['law']}[/], {result['status']}: {law}; {result['rows']} rows, C = {escape(result['compute'])}"
    )
    _print_dropped(result["dropped"], console)
    for answer in result["at"]:
        console.print(
            f"at N = {_digits(answer['N'])}, D = {_digits(answer['D'])}: {_digits(answer['response'])}, "
            f"one new run expected in {_ends(answer['interval'])} if the law holds"
            + (f", honestly in {_ends(answer['honest_interval'])}" if answer["honest_interval"] else "")
        )
        _print_warnings(answer, console)
    for answer in result["budgets"]:
        if answer["N"] is None:
            console.print(f"for {_digits(answer['flop'])} FLOP: {answer['reason']}")
            continue
        parts = [
            f"{name} = {_digits(answer[key])} {_ends(answer[f'{key}_interval'])}"
            for name, key in (("N", "N"), ("D", "D"), ("response", "response"))
        ]
        console.print(f"for {_digits(answer['flop'])} FLOP: {', '.join(parts)}")
        _print_warnings(answer, console)
    for answer in result["targets"]:
        if answer["flop"] is None:
            console.print(f"for a response of {_digits(answer['response'])}: {answer['reason']}")
            continue
        console.print(
            f"for a response of {_digits(answer['response'])}: {_digits(answer['flop'])} FLOP {_ends(answer['interval'])}, "
            f"as N = {_digits(answer['N'])}, D = {_digits(answer['D'])}"
        )
        _print_warnings(answer, console)
    _print_isoflop(result["isoflop"], console)
    console.print("brackets are 95 % intervals", style="dim")


def _print_isoflop(isoflop: Mapping[str, Any], console: Console) -> None:
    """Exponents of the best N, and whether slices of equal compute agree."""
    ways = isoflop["exponents"].get("a", {})
    names = {"surface": "by the law", "slices": "slice by slice", "parabola": "by parabolas (biased)"}
    parts = [
        f"{_digits(ways[way]['value'])} {_ends(ways[way]['interval'])} {label}" for way, label in names.items() if ways.get(way)
    ]
    if parts:
        over = f"over {len(isoflop['slices'])} isoFLOP slices" if isoflop["slices"] else "(no isoFLOP slices to check it by)"
        console.print(f"best N grows as C^a {over}: a = {', '.join(parts)}")
    departure = isoflop["departure"].get("a")
    if departure and not departure["interval"][0] <= 0 <= departure["interval"][1]:
        console.print("  warning: the slices depart from the law by more than noise", style="yellow")


def _print_warnings(answer: Mapping[str, Any], console: Console) -> None:
    for warning in answer["warnings"]:
        console.print(f"  warning: {escape(warning)}", style="yellow")


def _console() -> Console:
    """A console as wide as the terminal; in a pipe or a file no line is folded."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=1000)


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
    below = _ends(interval) if interval else "no interval"
    return f"{_digits(fit['parameters'][name])}\n[dim]{below}[/]"


def _interval_or_reason(fit: Mapping[str, Any], name: str) -> str:
    interval = fit["intervals"].get(name)
    if interval:
        return _ends(interval, 5)
    return escape(fit["reasons"].get(name) or fit["reasons"].get("intervals") or fit["reasons"].get("all", "none"))


def _ends(interval: Sequence[float | None], digits: int = 4) -> str:
    low, high = interval
    return escape(f"[{_digits(low, digits)}, {'no end' if high is None else _digits(high, digits)}]")


def _digits(value: float | None, digits: int = 4) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.3g} %"
