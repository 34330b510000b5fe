"""The command that looks after the store of all studies: ``scaling store check``."""

from __future__ import annotations

import typer

from scaling.cli.endings import MISSING_WORK, say
from scaling.study.layout import Layout


def check() -> None:
    """Check the store: set aside damaged files, and records whose contents do not belong to their key.

    Ends with 0 if nothing is wrong, and with 1 if something was set aside: the next call of a study trains that again.
    """
    from scaling.jobs.store_check import check_store
    from scaling.runs.store import Store

    root = Layout("").store
    found = check_store(Store(root), say)
    say(found.summary(root))
    if found.aside:
        say("run the studies again: they train what was set aside")
        raise typer.Exit(MISSING_WORK)


def _store() -> None:
    """The store of all studies' runs."""
    # Without a callback the group's only command would take the group's name.


def add_to(app: typer.Typer) -> None:
    """Make ``store check`` a command of ``app``."""
    store = typer.Typer(no_args_is_help=True)
    store.command()(check)
    store.callback()(_store)
    app.add_typer(store, name="store")
