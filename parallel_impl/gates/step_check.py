"""The steps of a plan held against files that lie on disk, where no set-up was run: what a run would refuse later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from parallel_impl import environment
from parallel_impl.config import Config
from parallel_impl.errors import Problem, Severity
from parallel_impl.gates import programs, setup
from parallel_impl.gates.project_files import Read
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order


def problems(plan: Plan, order: Order, settings: Config, root: Path | None, read: Read) -> Iterator[Problem]:
    """What is wrong with the steps as shell, and which of their programs are missing below `root`.

    What set-up may install yet is a warning: a run looks again after it. `read` gives files by their path from the
    root; without a root (a plan that lies in no change folder) only the syntax is looked at.
    """
    commands = setup.find(read).commands if settings.setup is None else settings.setup
    env = environment.allowed(os.environ, pass_env=settings.pass_env, secrets=False)
    inside = setup.environment_of(root, env) if root else env
    found = programs.look_up(plan, order, inside, root, commands=commands)
    yield from found.problems
    for problem, missing in found.missing:
        yield _later(problem) if commands and missing.by_set_up else problem


def _later(problem: Problem) -> Problem:
    return replace(problem, what=f"{problem.what} now: a run looks again after set-up", severity=Severity.WARNING)
