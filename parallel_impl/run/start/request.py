"""One call of `parallel-implement`: what was typed, and what an earlier call left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.git.home import Home
from parallel_impl.git.repo import Repo
from parallel_impl.processes.launch import Stop
from parallel_impl.record.state import State
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
from parallel_impl.run.run import Listener

Answer = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; empty, 0 and None mean "not given"."""

    change_id: str
    agent: str = ""
    jobs: int = 0
    base: str = ""
    only: str = ""
    dry_run: bool = False
    retry_failed: bool = False
    restart: tuple[str, ...] = ()
    abort: bool = False
    wait: bool = False
    single: bool = False
    fail_fast: bool = False
    again: bool = False
    accept: tuple[str, ...] = ()
    pr: bool | None = None
    profile: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One call that wants a run: where it stands, what it asks, and the run so far.

    `checkout` is the user's worktree (None in a bare repository), `home` the folder of the packages' worktrees.
    `inherited` is the environment that this process was started with; `answer` takes what was asked for (of a dry run:
    its plan), which is no report on the way.
    """

    repo: Repo
    folder: Path
    checkout: Path | None
    options: Options
    listener: Listener
    stop: Stop
    places: Places
    hold: change_lock.Hold
    state: State
    run_id: str
    home: Home
    inherited: Mapping[str, str] = field(default_factory=dict)
    answer: Answer = print
