"""The command that looks after the store of all studies: ``scaling store check``."""

from __future__ import annotations

import typer

from scaling.cli.table_commands import say
from scaling.study.layout import Layout


def check() -> None:
    """Look through the store: set aside records whose contents are not those of their key, and damaged files.

    Ends with 0 where nothing is wrong, with 1 where something was set aside: the next run of a study trains that again.
    """
    from scaling.jobs.store_check import check_store
    from scaling.runs.store import Store

    root = Layout("").store
    found = check_store(Store(root), say)
    say(found.summary(root))
    if found.aside:
        say("run the studies again: they train what was set aside")
        raise typer.Exit(1)


def _store() -> None:
    """The store of all studies' runs."""
    # Without a callback the group's only command would take the group's name.


def add_to(app: typer.Typer) -> None:
    """Make ``store check`` a command of ``app``."""
    store = typer.Typer(no_args_is_help=True)
    store.command()(check)
    store.callback()(_store)
    app.add_typer(store, name="store")
