"""The processes of a run: those with its id in their environment, and the agents that attempts recorded."""

from __future__ import annotations

import contextlib

from parallel_impl.errors import UserError
from parallel_impl.processes import orphans, procfs
from parallel_impl.record.state import LIVE, State
from parallel_impl.run.attempt import attempt_record
from parallel_impl.run.attempt.attempt_record import DamagedError
from parallel_impl.run.places import Places
from parallel_impl.run.run_id import MARK

PATIENCE = 5.0


def end(places: Places, state: State, run_id: str) -> None:
    """End all but this process: two agents must never write for one package. UserError when one cannot be ended."""
    if left := orphans.end_all(lambda: _living(places, state, run_id), patience=PATIENCE):
        raise UserError(f"processes of this run cannot be ended: {left}", hint="end them, then start again")


def _living(places: Places, state: State, run_id: str) -> list[int]:
    found = procfs.with_variable(MARK, run_id)
    if run_id != state.run_id:
        return found  # in a copy of the repository: the recorded agents are the original's
    for name, progress in state.packages.items():
        if progress.state in LIVE:
            with contextlib.suppress(DamagedError):  # after a power cut: then no process of it lives
                noted = attempt_record.read(places.attempt_files(name, progress.attempts).record)
                if noted and attempt_record.lives(noted) and noted.pid not in found:
                    found.append(noted.pid)
    return found
