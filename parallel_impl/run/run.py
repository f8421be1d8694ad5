"""One run in memory: what it works on, its journal and its one state.

Only the main thread calls `record`; workers get the frozen ground and hand back what they found.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from parallel_impl.agents.agent import Agent
from parallel_impl.config import Config, SetupCommand
from parallel_impl.gates.quality import Gate
from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo
from parallel_impl.git.trees import Trees
from parallel_impl.git.union import Layer
from parallel_impl.git.watch import Watch
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.processes.launch import Stop
from parallel_impl.processes.namespace import Namespace
from parallel_impl.record.events import Event, RepositoryChanged
from parallel_impl.record.journal import Journal
from parallel_impl.record.state import State
from parallel_impl.run.places import Places


class Listener(Protocol):
    """Whoever watches a run: `cli` prints events for people or as JSON lines."""

    def event(self, event: Event) -> None:
        """An event is on disk."""

    def say(self, text: str) -> None:
        """Something for people, on stderr."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What does not change while a run executes. `environment` is for set-up, steps and gates: it has no secrets."""

    repo: Repo
    trees: Trees
    places: Places
    plan: Plan
    order: Order
    config: Config
    base: str
    base_from: str
    date: int
    run_id: str
    source: Source
    agent: Agent | None
    agent_spec: str
    setup: tuple[SetupCommand, ...]
    caches: tuple[Path, ...]
    gates: tuple[Gate, ...]
    environment: Mapping[str, str]
    agent_environment: Mapping[str, str]
    mask: tuple[bytes, ...]
    stop: Stop
    watch: Watch
    namespace: Namespace | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something that the summary must say; threads may call this."""
        self.notes.append(text)

    def set_ref(self, ref: str, commit: str) -> None:
        """Move a ref of our own; the watch over the user's repository is told first."""
        self.watch.expect(ref, commit)
        self.repo.set_ref(ref, commit)

    def delete_ref(self, ref: str, commit: str) -> None:
        """Remove a ref of our own that is at `commit`; the watch is told first."""
        self.watch.expect(ref, None)
        self.repo.delete_ref(ref, commit)

    @property
    def home(self) -> Path:
        return self.source.home

    def variables(self, package: str = "", attempt: int = 0) -> dict[str, str]:
        """What every process of this run finds in its environment; the random run id marks it as ours."""
        named = {"RUN": self.run_id, "CHANGE": self.places.change_id}
        if package:
            named |= {"PACKAGE": package, "ATTEMPT": str(attempt)}
        ours = {f"PARALLEL_IMPL_{name}": value for name, value in named.items()}
        # an agent that removes its `.git` must not end up in a repository that its home happens to lie in
        return {**ours, "GIT_CEILING_DIRECTORIES": str(self.home)}


@dataclass(slots=True)
class Run:
    """One execution of a plan: the ground, the journal, and the state that the journal folds to."""

    ground: Ground
    journal: Journal
    state: State
    listener: Listener
    jobs: int
    base_checkout: Checkout | None = None
    layers: dict[str, Layer] = field(default_factory=dict)

    def record(self, *events: Event, sync: bool = True) -> None:
        """Write events to the journal, durably with `sync`; then take them into the state and tell the listener."""
        self.journal.append(*events, sync=sync)
        for event in events:
            self.state.apply(event)
            self.listener.event(event)

    def look_at_repository(self, ended: str = "", *, files: bool = False) -> None:
        """Compare the user's repository with what it was; what could run programs or redirect starts nothing more.

        `ended` is a package whose attempt has just ended: it was running until then.
        """
        found = self.ground.watch.compare(files=files)
        if found:
            halts = any(tamper.halts for tamper in found)
            what, running = [str(tamper) for tamper in found], [*([ended] if ended else []), *self.state.live()]
            self.record(RepositoryChanged(at=now(), what=what, running=running, halts=halts))


def now() -> float:
    """Seconds since 1970, UTC, as events carry them."""
    return round(time.time(), 3)


@contextmanager
def short_folder(run_id: str) -> Iterator[str]:
    """A private TMPDIR outside every worktree, and short: a 110-character path broke a Unix socket.

    Its name tells the run, so that `sweep` finds what a killed process left.
    """
    folder = tempfile.mkdtemp(prefix=f"pi-{run_id[:8]}-")
    try:
        yield folder
    finally:
        remove(Path(folder))


def sweep(run_id: str) -> None:
    """Remove the private TMPDIRs that an earlier process of this run left."""
    for folder in Path(tempfile.gettempdir()).glob(f"pi-{run_id[:8]}-*"):
        remove(folder)
