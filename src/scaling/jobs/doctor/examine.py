"""All checks, in the order of the screen."""

from __future__ import annotations

from scaling.jobs.doctor import filesystem_checks, gpu_checks, login_checks, node_checks
from scaling.jobs.doctor.compute_node import on_a_node
from scaling.jobs.doctor.finding import Checked, make


def examine() -> list[Checked]:
    """Make the checks of this machine, of its disk and of its cluster, and on a login node those of a compute node."""
    here = [*gpu_checks.checks(), *node_checks.checks(), *filesystem_checks.checks(), *login_checks.checks()]
    return make(here) + on_a_node()
