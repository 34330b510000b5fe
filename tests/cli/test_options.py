"""What every command line has: a version, short help, completion of the shell."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from scaling.cli import app


def said(*words: str) -> str:
    found = CliRunner().invoke(app, list(words), env={"COLUMNS": "120"})
    assert found.exit_code == 0, found.output
    return found.output


def test_the_version_is_that_of_the_package():
    assert said("--version").strip() == version("scaling")


@pytest.mark.parametrize("command", [(), ("plan",), ("store", "check"), ("fit",)])
def test_short_help_is_the_long_one(command):
    assert said(*command, "-h") == said(*command, "--help")


def test_completion_is_offered_and_exit_codes_are_told():
    text = said("--help")
    assert "--install-completion" in text
    assert "Exit codes" in text
