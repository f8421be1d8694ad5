"""What can happen in a run, as data: one frozen class per event, and their JSON form.

The journal keeps them, `record.state` folds them, `--json` prints them, the summary reads its timeline from
them. `at` is seconds since 1970 (UTC); packages, refs and commits are named by id, never by position.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

import msgspec

from parallel_impl.record.activity import Usage
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.times import Times


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_kind, forbid_unknown_fields=True, gc=False
):
    """Something that happened; subclasses say what. In JSON the key `event` holds the class: `run-started`.

    Events hold no cycles, so the garbage collector need not look at them (a third of the time to read a journal).
    """

    at: float = 0.0


class RunStarted(Event, frozen=True, kw_only=True):
    """The run exists: what it runs, on which base, and with what. `date` stamps all its commits.

    `place` tells the repository from a copy of it.
    `author` and `committer`, as `Name <mail>`, are in those commits (empty in a run of a version that used its own).
    `carried`: refs that packages' repositories have beside the base's ancestors, and where they were.
    `repository_name`: the name of each worktree's folder, on a level of its own (empty in a run of a version whose
    worktrees lay side by side). `part`: the folder that the change's `openspec/` lies in ("": the root).
    `single`: the plan was made from the change, and `plan_blob` lies in no commit.
    `agent_from`: the folder where `--agent` was typed, which the next
    start uses again; "" when the configuration names the agent.
    `attempts`: how many attempts an aborted run of the change had made at packages; numbers go on from there.
    `plan_seconds`: how long the plan was read and checked (None in a run of a version that did not measure it).
    `above`: the tool configuration that lay above its worktrees (None in a run of a version that did not look).
    `tip`: where the feature branch was ("": there was none; None in a run of a version that did not record it).
    """

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
    attempts: Mapping[str, int] = {}
    place: str = ""
    agent_from: str = ""
    author: str = ""
    committer: str = ""
    carried: Mapping[str, str] = {}
    repository_name: str = ""
    part: str = ""
    single: bool = False
    plan_seconds: float | None = None
    above: list[str] | None = None
    tip: str | None = None


class RunContinued(Event, frozen=True, kw_only=True):
    """The same command was given again; attempts that were in flight are over. `home`: where worktrees lie now.

    In a copy of the repository the run has another `run_id` from then on: what carries the first one's is not its own.
    """

    agent: str
    jobs: int
    only: str = ""
    home: str = ""
    run_id: str = ""
    place: str = ""
    agent_from: str = ""


class AttemptStarted(Event, frozen=True, kw_only=True):
    """Attempt `number` (from 1) of a package is handed to a worker, for this agent, of this version, with this model.

    `model` is what was configured; "" where the client chooses. `judges` is the attempt whose work is judged again,
    without an agent; 0: an agent works.
    """

    package: str
    number: int
    agent: str = ""
    version: str = ""
    model: str = ""
    judges: int = 0


class AttemptVerifying(Event, frozen=True, kw_only=True):
    """The agent of an attempt ended and its work is in scope; its steps run now."""

    package: str
    number: int


class AttemptEnded(Event, frozen=True, kw_only=True):
    """An attempt is over: its commit ("" when nothing could be taken) and `code`, "" when it passed.

    `tests` is the digest of the record of which tests passed in its own steps ("" where none is known). In
    `waited_seconds` of its `seconds` it waited for slots; `times` says for all of them what it was at (nothing of one
    that was killed, or of a version that did not measure it). `whole`: all that its agent did is in the commit (None:
    of a version that did not record it). `layer` is the name of the prepared checkout that its steps ran on ("": none).

    Of its agent: the model that it used, the conversation that a retry may go on with (`private_home`: it lies in the
    package's own HOME), what it used, and how many of its tools were called, denied, and of its requests repeated.
    """

    package: str
    number: int
    commit: str = ""
    code: str = ""
    why: str = ""
    seconds: float = 0.0
    setup_seconds: float = 0.0
    waited_seconds: float = 0.0
    from_base: bool = True
    agent: str = ""
    model: str = ""
    session: str = ""
    private_home: bool = False
    usage: Usage = Usage()
    denied: int = 0
    retries: int = 0
    calls: int = 0
    tests: str = ""
    whole: bool | None = None
    layer: str = ""
    times: Times = Times()


class TestsKept(Event, frozen=True, kw_only=True):
    """Which tests passed in the own steps of an attempt is in a file with this digest, before its work is accepted.

    Its `AttemptEnded` has the digest too; this one is there where the process is killed between the two.
    """

    __test__ = False  # for pytest: this is no test class

    package: str
    number: int
    digest: str


class SetupStarted(Event, frozen=True, kw_only=True):
    """Set-up of a checkout begins: of the `base`, of a `candidate`, or ("") of an attempt at a package.

    This and the other starts and ends of set-ups, steps and gates are for whoever watches: nothing relies on them, and
    they are written without a sync, so that any may be missing.
    """

    on: str = ""
    package: str = ""
    number: int = 0


class SetupEnded(Event, frozen=True, kw_only=True):
    """Set-up of a checkout is over; `why` is empty where the checkout can work.

    `red_under_load`: it failed beside other heavy work of ours, and passed alone.
    """

    on: str = ""
    package: str = ""
    number: int = 0
    seconds: float = 0.0
    why: str = ""
    red_under_load: bool = False


class SlotAwaited(Event, frozen=True, kw_only=True):
    """A set-up, a step or a gate waits for a free slot, of the machine or of this run: `what` is its name.

    It is on the `base` (a package's step too), on a `candidate`, or ("") of an attempt at a package. That it has one is
    told by its start.
    """

    what: str
    on: str = ""
    package: str = ""
    number: int = 0


class StepStarted(Event, frozen=True, kw_only=True):
    """A verification step of an attempt begins: the `place`-th of `steps`; `on` the `base`, of none (`number` 0)."""

    package: str
    number: int
    step: str
    place: int = 1
    steps: int = 1
    on: str = ""


class StepEnded(Event, frozen=True, kw_only=True):
    """A verification step is over."""

    package: str
    number: int
    step: str
    passed: bool
    seconds: float = 0.0
    on: str = ""


class GateStarted(Event, frozen=True, kw_only=True):
    """One quality gate begins, on the `base` or on a `candidate`."""

    on: str
    gate: str


class GateEnded(Event, frozen=True, kw_only=True):
    """One quality gate is over: what it showed (`green`, `red`, `broken`), before it is compared with the base.

    Or `stopped`: it was ended with its run. `found` is the first of what a red one found, and how much more there is.
    """

    on: str
    gate: str
    state: str
    seconds: float = 0.0
    found: str = ""


class TimesMeasured(Event, frozen=True, kw_only=True):
    """Where the time went that no attempt has: of gates and steps on the `base`, of gates on a `candidate`, of a `run`.

    Of a `run` it is the main thread of one start, at its end; `cpu_seconds` then has all of the process, and of all
    programs that had ended. A start that was killed has none.
    """

    on: str
    times: Times
    cpu_seconds: float = 0.0


class PackageAccepted(Event, frozen=True, kw_only=True):
    """A package's work is accepted: this commit, of this attempt. It never changes in this revision."""

    package: str
    number: int
    commit: str


class PackageFailed(Event, frozen=True, kw_only=True):
    """A package has no attempt left."""

    package: str
    code: str
    why: str = ""


class PackageCancelled(Event, frozen=True, kw_only=True):
    """A package will not start, because a package that it depends on ended so."""

    package: str
    because: str


class FailedRetried(Event, frozen=True, kw_only=True):
    """The user asked for another try of everything that failed; retries are counted again from none."""

    packages: list[str]


class PackagesRestarted(Event, frozen=True, kw_only=True):
    """The user asked for these packages to be done again; whatever depends on them is stale with them."""

    packages: list[str]


class PlanRevised(Event, frozen=True, kw_only=True):
    """The plan was edited between two starts: `commit` holds the new one, `packages` are all that it has.

    What is in `changed`, and whatever depends on that, is stale; every other known package stays as it was. Of those
    in `judged` only what judges their work was changed.
    """

    plan_blob: str
    commit: str
    plan_revision: int
    contracts_revision: int
    packages: Mapping[str, list[str]]
    changed: list[str]
    judged: list[str] = []


class ConfigurationRevised(Event, frozen=True, kw_only=True):
    """The configuration was edited between two starts, in `commit`: these keys.

    Accepted work stays; `digest` stands for what can be edited so, as it is now. `again` are packages that had failed
    and are tried again, `judged` those whose work is judged again first.
    """

    commit: str
    digest: str
    keys: list[str]
    again: list[str] = []
    judged: list[str] = []


class SetUpRun(msgspec.Struct, frozen=True, kw_only=True):
    """One set-up that became a prepared checkout: in which one, and the path for which no other served ("": none)."""

    checkout: str
    seconds: float
    why: str = ""


class CheckoutsMade(Event, frozen=True, kw_only=True):
    """How the checkouts of one start were made ready, at its end: in words, how many there were, and what set-up ran.

    Of checkouts that each have a set-up of their own only the words are known here.
    """

    how: str
    number: int = 0
    set_ups: list[SetUpRun] = []


class LayersChanged(Event, frozen=True, kw_only=True):
    """Prepared checkouts were changed after set-up had made them: what, and the packages whose steps ran on them.

    Their work is judged again by the next start, and that of all that depends on them; no agent works for that.
    """

    what: list[str]
    packages: list[str]


class RepositoryChanged(Event, frozen=True, kw_only=True):
    """The user's repository is not as it was: what, which packages were running, and whether that halts the run.

    `around`: it is not the repository but the folders around the run's checkouts. `checkouts`: it is the user's own
    checkouts, which are compared once, at the end of a start.
    """

    what: list[str]
    running: list[str]
    halts: bool
    around: bool = False
    checkouts: bool = False


class Noted(Event, frozen=True, kw_only=True):
    """Something that the summary says, about a package or ("") the run: a worktree that was kept whole, say."""

    text: str
    package: str = ""


class CandidateMade(Event, frozen=True, kw_only=True):
    """The union of all accepted packages: a commit on the candidate ref, not proven yet."""

    commit: str
    tree: str
    tip: str = ""


class GatesEnded(Event, frozen=True, kw_only=True):
    """The quality gates ran on a tree: of the base (`on` base) or of a candidate; verdicts by gate name.

    `rows` are what the summary shows of a candidate.
    """

    on: str
    tree: str
    verdicts: Mapping[str, str]
    seconds: float = 0.0
    rows: tuple[GateRow, ...] = ()


class GateAccepted(Event, frozen=True, kw_only=True):
    """A person accepted what the last verdict of a gate listed: ids by kind; `*` is whatever is found of that kind.

    What is new in a later verdict blocks again.
    """

    gate: str
    kinds: Mapping[str, tuple[str, ...]]


class CandidateProven(Event, frozen=True, kw_only=True):
    """Every gate passed on this candidate; `by` are those that ran, None where an earlier version did not record it."""

    commit: str
    by: tuple[str, ...] | None = None


class Landed(Event, frozen=True, kw_only=True):
    """The feature branch points to the proven commit; `old` is where it was ("" when it was made)."""

    commit: str
    branch: str
    old: str = ""


class BranchPushed(Event, frozen=True, kw_only=True):
    """The feature branch is at this commit on the remote."""

    remote: str
    branch: str
    commit: str


class PullRequestOpened(Event, frozen=True, kw_only=True):
    """The pull request of the branch exists, with the body of this run; `commit` is what its branch was at."""

    url: str
    number: int
    commit: str = ""
    draft: bool = False


class ChecksAnswered(Event, frozen=True, kw_only=True):
    """What the forge's checks said about a commit: `passed`, `failed` or `unanswered`; the verdicts by their names.

    `required`: they are those that the forge requires of the base branch, else all that there are.
    """

    commit: str
    verdict: str
    checks: Mapping[str, str]
    required: bool = False


class Merged(Event, frozen=True, kw_only=True):
    """The forge says that the pull request is merged: `head` is what was merged, `commit` what the base got."""

    url: str
    number: int
    head: str
    commit: str = ""


class RunHalted(Event, frozen=True, kw_only=True):
    """The run ended without landing; everything is kept.

    `tip`: where the feature branch was found although nobody had agreed to that ("": it was gone); the next start is
    the user's consent to exactly that. None where that is not why.
    """

    code: str
    why: str
    tip: str | None = None


class BranchMoveAccepted(Event, frozen=True, kw_only=True):
    """The user agrees that the feature branch is at this commit ("": that it is gone), as a halt had named it."""

    commit: str


class RunAborted(Event, frozen=True, kw_only=True):
    """The user gave the run up; its work stays on the refs of its attempts."""


class ProviderLimited(Event, frozen=True, kw_only=True):
    """A provider refuses to serve an agent; nothing of it starts before `until` (0: not reported)."""

    provider: str
    code: str
    why: str
    until: float = 0.0


class RunPaused(Event, frozen=True, kw_only=True):
    """Nothing more starts before `until` (0: until somebody acts); live agents finish. `by` is the provider.

    `correct` says what to put right before the run goes on; "" where waiting is enough, or nothing is known.
    """

    by: str
    why: str
    until: float = 0.0
    correct: str = ""

    def going_on(self, command: str) -> str:
        """The line for people: what to do before `command`."""
        if self.correct:
            return f"{self.correct}; then go on with: {command}"
        return f"go on{' then' if self.until else ''} with: {command}"


class RunResumed(Event, frozen=True, kw_only=True):
    """A paused run goes on; `by` is the provider that had paused it."""

    by: str


class Interrupted(Event, frozen=True, kw_only=True):
    """A person or a signal stopped the run; the same command goes on."""

    by: str


Watched = (  # written without a sync
    SetupStarted | SetupEnded | SlotAwaited | StepStarted | StepEnded | GateStarted | GateEnded | TimesMeasured
)
KINDS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
_line = msgspec.json.Decoder(reduce(or_, KINDS))
_lines = msgspec.json.Decoder(list[reduce(or_, KINDS)])  # type: ignore[misc]


def to_line(event: Event) -> bytes:
    """The event as one line of JSON without its newline; the parts of names that are not Unicode are written `?`."""
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(event), ensure_ascii=False).encode("utf-8", "replace")


def from_line(line: bytes) -> Event:
    """The event that `to_line` made; ValueError for anything else: other JSON, an unknown kind, a wrong field."""
    found: Event = _line.decode(line)
    return found


def from_lines(lines: Iterable[bytes]) -> list[Event]:
    """The same for many lines, 10 times as fast; ValueError when one of them is no event."""
    found: list[Event] = _lines.decode(b"[" + b",".join(lines) + b"]")
    return found
