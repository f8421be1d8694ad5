"""What can happen in a run, as data: one frozen class per event, and their JSON form.

The journal keeps them, `record.state` folds them, `--json` prints them, the summary reads its timeline from
them. `at` is seconds since 1970 (UTC); packages, refs and commits are named by id, never by position.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; subclasses say what."""

    kind: ClassVar[str] = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """The run exists: what it runs, on which base, and with what. `date` stamps all its commits."""

    kind = "run-started"
    run_id: str
    change_id: str
    base: str
    base_from: str
    plan_blob: str
    plan_revision: int
    contracts_revision: int
    packages: Mapping[str, list[str]]
    home: str
    date: int
    agent: str
    jobs: int
    only: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContinued(Event):
    """The same command was given again; attempts that were in flight are over."""

    kind = "run-continued"
    agent: str
    jobs: int
    only: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """Attempt `number` (from 1) of a package is handed to a worker; `retry_of` names the attempt that failed."""

    kind = "attempt-started"
    package: str
    number: int
    retry_of: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptVerifying(Event):
    """The agent of an attempt ended and its work is in scope; its steps run now."""

    kind = "attempt-verifying"
    package: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """An attempt is over: its commit ("" when nothing could be taken) and `code`, "" when it passed."""

    kind = "attempt-ended"
    package: str
    number: int
    commit: str = ""
    code: str = ""
    why: str = ""
    seconds: float = 0.0
    setup_seconds: float = 0.0
    from_base: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAccepted(Event):
    """A package's work is accepted: this commit, of this attempt. It never changes in this revision."""

    kind = "package-accepted"
    package: str
    number: int
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFailed(Event):
    """A package has no attempt left."""

    kind = "package-failed"
    package: str
    code: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCancelled(Event):
    """A package will not start, because a package that it depends on ended so."""

    kind = "package-cancelled"
    package: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRetried(Event):
    """The user asked for another try of everything that failed; budgets are counted anew."""

    kind = "failed-retried"
    packages: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryChanged(Event):
    """The user's repository is not as it was: what, which packages were running, and whether that halts the run."""

    kind = "repository-changed"
    what: list[str]
    running: list[str]
    halts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateMade(Event):
    """The union of all accepted packages: a commit on the candidate ref, not proven yet."""

    kind = "candidate-made"
    commit: str
    tree: str
    tip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesEnded(Event):
    """The quality gates ran on a tree: of the base (`on` base) or of a candidate; verdicts by gate name."""

    kind = "gates-ended"
    on: str
    tree: str
    verdicts: Mapping[str, str]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateProven(Event):
    """Every gate passed on this candidate."""

    kind = "candidate-proven"
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed(Event):
    """The feature branch points to the proven commit; `old` is where it was ("" when it was made)."""

    kind = "landed"
    commit: str
    branch: str
    old: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHalted(Event):
    """The run ended without landing; everything is kept."""

    kind = "run-halted"
    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """A person or a signal stopped the run; the same command goes on."""

    kind = "interrupted"
    by: str
    running: list[str] = field(default_factory=list)


KINDS: dict[str, type[Event]] = {kind.kind: kind for kind in Event.__subclasses__()}


def to_json(event: Event) -> dict[str, Any]:
    """The event as one flat JSON object; its class is the key `event`."""
    return {"event": event.kind, **dataclasses.asdict(event)}


def from_json(values: Any) -> Event:
    """The event that `to_json` made; ValueError for an unknown kind or missing and unknown fields."""
    if not isinstance(values, dict):
        raise ValueError("an event is a JSON object")
    kind = KINDS.get(str(values.get("event")))
    if kind is None:
        raise ValueError(f"unknown event {values.get('event')!r}")
    try:
        return kind(**{name: value for name, value in values.items() if name != "event"})
    except TypeError as error:
        raise ValueError(f"{kind.kind}: {error}") from None
