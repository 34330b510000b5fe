"""The command line: ``scaling COMMAND``."""

from scaling.cli.commands import main

__all__ = ["main"]
