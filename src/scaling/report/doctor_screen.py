"""What `scaling doctor` shows: a line per check, with its mend below if it fails."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from rich.markup import escape
from rich.table import Table

COLOURS: Final = {"pass": "green", "fail": "bold red", "absent": "dim"}
PACKAGES: Final = ("scaling", "torch", "torchvision", "timm", "snakemake", "snakemake-executor-plugin-slurm", "numpy")


def versions() -> dict[str, str]:
    """Versions of what a study runs on."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def screen(checks: Sequence[Mapping[str, str]]) -> Table:
    """A table of the ``checks``: group, name, status, what was found, and the mend of what fails."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("group", "check", "", "found"):
        table.add_column(column, overflow="fold")
    before = ""
    for check in checks:
        found = escape(check["found"])
        if check["status"] == "fail" and check["mend"]:
            found += f"\n[bold]mend:[/bold] {escape(check['mend'])}"
        colour = COLOURS[check["status"]]
        group = check["group"] if check["group"] != before else ""
        table.add_row(group, check["name"], f"[{colour}]{check['status']}[/{colour}]", found)
        before = check["group"]
    return table
