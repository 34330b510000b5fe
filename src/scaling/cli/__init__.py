"""The command line: ``scaling COMMAND``."""

from scaling.cli.commands import app, main

__all__ = ["app", "main"]
