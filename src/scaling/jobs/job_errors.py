"""How a job may end other than well; the command line turns each of these into one line and an exit code."""

from __future__ import annotations


class JobError(ValueError):
    """The job cannot be done as it was asked for: a name that the study does not have, or an input that is missing."""


class Stopped(Exception):
    """The job stopped before its end and its work is saved: the same command continues it."""


class MissingWork(Exception):
    """The job needs runs or tables of the study that are not there yet; the message says what makes them."""
