"""Extrapolations and forecasts on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from scaling.report.terminal_numbers import digits_of, ends, plain_table, print_dropped, terminal


def print_extrapolation(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what ``laws.extrapolate.extrapolate_table`` returns."""
    console = console or terminal()
    curves = result["curves"]
    grid = any("rows_outside" in curve for curve in curves)
    scores = (
        "train\nrows",
        "test\nrows",
        "reach",
        "rms log\nerror",
        "in\ninterval",
        *(("inside N", "outside N") if grid else ()),
    )
    noted = any(_note(curve) for curve in curves)
    table = plain_table(tuple(curves[0]["group"]), scores, ("note",) if noted else ())
    for curve in curves:
        reach = ", ".join(f"{name} x{digits_of(value, 2)}" for name, value in curve.get("reach", {}).items())
        inner = [digits_of(curve.get(name)) for name in ("rmse_log_inside", "rmse_log_outside")] if grid else []
        names = [escape(value) for value in curve["group"].values()]
        rows = str(curve["rows_train"]), str(curve["rows_test"])
        held = f"{curve['covered']:.0%}" if "covered" in curve else "–"
        table.add_row(
            *names, *rows, reach, digits_of(curve["rmse_log"]), held, *inner, *([escape(_note(curve))] if noted else [])
        )
    console.print(table)
    scored = sum(curve["rmse_log"] is not None for curve in curves)
    console.print(
        f"estimator {result['estimator']}: root mean square log error over {scored} of {len(curves)} curves: "
        f"mean {digits_of(result['mean'])}, median {digits_of(result['median'])}"
    )
    console.print("in interval: test rows within the 95 % interval of a new run, which carries the law's own error")
    if grid:
        console.print("inside and outside: test rows whose N lies within, and beyond, the range of N in the train rows")
    if result["left_out"]:
        held = ", ".join(f"{value or 'empty'} {count}" for value, count in result["left_out_by_split"].items())
        console.print(f"{result['left_out']} rows left out, whose split is neither train nor test: {escape(held)}")


def _note(curve: Mapping[str, Any]) -> str:
    """Why a curve has no prediction, or the status of its law if it did not converge."""
    return curve.get("reason") or {"converged": ""}.get(curve.get("status", "converged"), curve.get("status")) or ""


def print_forecast(result: Mapping[str, Any] | Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what ``laws.any_table.forecast`` returns: the answers for one table, or for each group of it."""
    console = console or terminal()
    entries = [result] if isinstance(result, Mapping) else result
    for entry in entries:
        if entry["group"]:
            console.print(f"[bold]{escape(', '.join(f'{name} = {value}' for name, value in entry['group'].items()))}[/]")
        if "reason" in entry:
            console.print(f"no law: {escape(entry['reason'])}")
            continue
        _print_answers(entry, console)
    console.print("brackets are 95 % intervals", style="dim")


def _print_answers(result: Mapping[str, Any], console: Console) -> None:
    law = ", ".join(f"{name} {digits_of(value)}" for name, value in result["parameters"].items())
    console.print(
        f"[bold]{result['law']}[/], {result['status']}: {law}; {result['rows']} rows, C = {escape(result['compute'])}"
    )
    print_dropped(result["dropped"], console)
    for answer in result["at"]:
        console.print(
            f"at N = {digits_of(answer['N'])}, D = {digits_of(answer['D'])}: {digits_of(answer['response'])}, "
            f"one new run expected in {ends(answer['interval'])} if the law holds"
            + (f", in {ends(answer['honest_interval'])} with the law's own error" if answer["honest_interval"] else "")
        )
        _print_warnings(answer, console)
    for answer in result["budgets"]:
        if answer["N"] is None:
            console.print(f"for {digits_of(answer['flop'])} FLOP: {answer['reason']}")
            continue
        parts = [
            f"{name} = {digits_of(answer[key])} {_ends_or_none(answer[f'{key}_interval'])}"
            for name, key in (("N", "N"), ("D", "D"), ("response", "response"))
        ]
        console.print(f"for {digits_of(answer['flop'])} FLOP: {', '.join(parts)}")
        _print_warnings(answer, console)
    for answer in result["targets"]:
        if answer["flop"] is None:
            console.print(f"for a response of {digits_of(answer['response'])}: {answer['reason']}")
            continue
        console.print(
            f"for a response of {digits_of(answer['response'])}: "
            f"{digits_of(answer['flop'])} FLOP {_ends_or_none(answer['interval'])}, "
            f"as N = {digits_of(answer['N'])}, D = {digits_of(answer['D'])}"
        )
        _print_warnings(answer, console)
    _print_isoflop(result["isoflop"], console)


def _print_isoflop(isoflop: Mapping[str, Any], console: Console) -> None:
    """Exponents of the best N, and whether slices of equal compute agree."""
    ways = isoflop["exponents"].get("a", {})
    names = {"surface": "by the law", "slices": "slice by slice", "parabola": "by parabolas (biased)"}
    parts = [
        f"{digits_of(ways[way]['value'])} {ends(ways[way]['interval'])} {label}"
        for way, label in names.items()
        if ways.get(way)
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


def _ends_or_none(interval: Sequence[float | None] | None) -> str:
    return "(no interval)" if interval is None else ends(interval)
