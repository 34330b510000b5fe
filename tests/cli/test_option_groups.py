"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer
from typer.testing import CliRunner

from scaling.cli.option_groups import with_option_groups


@dataclass(frozen=True)
class Group:
    count: int | None = field(default=None, metadata={"min": 1, "help": "how many"})
    of_what: Annotated[str, typer.Option("--of", help="what is counted")] = "runs"


def command(name: str, group: Group = Group(), loud: bool = False) -> None:
    print(name, group, loud)


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(with_option_groups(command))
    return made


def test_the_fields_of_a_group_are_options_of_the_command():
    told = CliRunner().invoke(app(), ["a", "--count", "3", "--of", "cells", "--loud"])
    assert told.output == f"a {Group(3, 'cells')} True\n"
    assert CliRunner().invoke(app(), ["a"]).output == f"a {Group()} False\n"


def test_options_of_a_group_stand_between_those_of_the_command_and_are_checked():
    text = CliRunner().invoke(app(), ["--help"], env={"COLUMNS": "100"}).output
    assert text.index("--count") < text.index("--of") < text.index("--loud")
    assert "what is counted" in text
    assert "how many" in text
    refused = CliRunner().invoke(app(), ["a", "--count", "0"])
    assert refused.exit_code == 2
    assert "--count" in refused.output
