"""Why an attempt failed and why a run ended without landing. Events and results carry these words as text.

A word that is not known here (written by another version) is shown as it is, and costs a retry.
"""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """Why an attempt failed."""

    SETUP_FAILED = "SETUP_FAILED"
    AGENT_FAILED = "AGENT_FAILED"
    NO_WORK = "NO_WORK"  # the agent ended well and had used no tool
    NO_CHANGES = "NO_CHANGES"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    PROVIDER_LIMIT = "PROVIDER_LIMIT"
    PROVIDER_QUOTA = "PROVIDER_QUOTA"
    PROVIDER_AUTH = "PROVIDER_AUTH"
    TIMEOUT = "TIMEOUT"
    SILENT = "SILENT"
    UNSTAGEABLE = "UNSTAGEABLE"
    SCOPE_VIOLATION = "SCOPE_VIOLATION"
    CONTRACT_INVALID = "CONTRACT_INVALID"
    VERIFICATION_FAILED = "VERIFICATION_FAILED"
    STEP_CANNOT_START = "STEP_CANNOT_START"  # on the base neither: no agent can do anything about it
    RESULT_INVALID = "RESULT_INVALID"
    GIT_FAILED = "GIT_FAILED"
    IO_FAILED = "IO_FAILED"
    INTERRUPTED = "INTERRUPTED"  # stopped with the run, or killed with it
    FOREIGN_FILES = "FOREIGN_FILES"  # not of the run, around its checkouts: what ran there shows nothing
    VIEW_UNMOUNTED = "VIEW_UNMOUNTED"  # by something that ran meanwhile: what ran in a view may have run elsewhere

    @property
    def costs_retry(self) -> bool:
        """Whether the attempt counts against the package's retry budget: not when it shows nothing about its work."""
        return self not in _FREE

    @property
    def tries_again(self) -> bool:
        """Whether another attempt may follow."""
        return self is not Failure.BUDGET_EXCEEDED

    @property
    def by_provider(self) -> bool:
        """Whether the agent's provider refused to serve it."""
        return self in _BY_PROVIDER

    @property
    def judges(self) -> bool:
        """Whether the work was refused, and not what it was made or tried with."""
        return self in _JUDGEMENTS

    @property
    def undecided(self) -> bool:
        """Whether it leaves open what the work is worth, where its agent had ended well."""
        return self in _UNDECIDED

    @property
    def from_base(self) -> bool:
        """Whether a retry starts from the package's base; otherwise it goes on from the failed attempt's work."""
        return self not in _GOES_ON


_BY_PROVIDER = (Failure.PROVIDER_LIMIT, Failure.PROVIDER_QUOTA, Failure.PROVIDER_AUTH)
_FREE = (Failure.INTERRUPTED, Failure.STEP_CANNOT_START, Failure.FOREIGN_FILES, Failure.VIEW_UNMOUNTED, *_BY_PROVIDER)
_JUDGEMENTS = (
    Failure.SCOPE_VIOLATION, Failure.NO_CHANGES, Failure.CONTRACT_INVALID, Failure.VERIFICATION_FAILED,
    Failure.RESULT_INVALID,
)  # fmt: skip
_UNDECIDED = (
    Failure.INTERRUPTED, Failure.SETUP_FAILED, Failure.STEP_CANNOT_START, Failure.FOREIGN_FILES,
    Failure.VIEW_UNMOUNTED,
)  # fmt: skip
_GOES_ON = (Failure.VERIFICATION_FAILED, Failure.CONTRACT_INVALID, Failure.STEP_CANNOT_START)


class Halt(StrEnum):
    """Why a run ended without landing."""

    NOT_ALL_ACCEPTED = "NOT_ALL_ACCEPTED"
    ONLY = "ONLY"
    CLASH = "CLASH"
    NO_CHANGES = "NO_CHANGES"
    REPOSITORY_CHANGED = "REPOSITORY_CHANGED"
    FOREIGN_FILES = "FOREIGN_FILES"
    GATES_FAILED = "GATES_FAILED"
    GATE_BROKEN = "GATE_BROKEN"  # on the base, or red and unreadable there, so that nothing can be told from it
    STEP_CANNOT_START = "STEP_CANNOT_START"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"  # of all packages: somebody else wrote it
    OBJECT_DAMAGED = "OBJECT_DAMAGED"
    BRANCH_MOVED = "BRANCH_MOVED"
    BRANCH_REFUSED = "BRANCH_REFUSED"
    CHECKED_OUT = "CHECKED_OUT"
    INTERRUPTED = "INTERRUPTED"
    PAUSED = "PAUSED"  # a provider refuses: the same command goes on
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    VIEW_FAILED = "VIEW_FAILED"
    VIEW_UNMOUNTED = "VIEW_UNMOUNTED"
    LAYER_CHANGED = "LAYER_CHANGED"


FAILS_TOO = "fails on the base too: "  # begins the line of a failure that names such tests

_HALTED = {
    Halt.NOT_ALL_ACCEPTED: "not all packages were accepted",
    Halt.ONLY: "--only asked for a part of the packages",
    Halt.CLASH: "accepted work does not stand in one tree",
    Halt.NO_CHANGES: "no package changed anything",
    Halt.REPOSITORY_CHANGED: "the repository was changed under the run",
    Halt.FOREIGN_FILES: "files around its checkouts are not of this run",
    Halt.GATES_FAILED: "the gates do not pass on the whole",
    Halt.GATE_BROKEN: "a gate can judge nothing",
    Halt.STEP_CANNOT_START: "a step cannot start, on the base neither",
    Halt.OUT_OF_SCOPE: "what would land is not all in the scope of a package",
    Halt.OBJECT_DAMAGED: "objects of the repository are damaged",
    Halt.BRANCH_MOVED: "the branch was moved meanwhile",
    Halt.BRANCH_REFUSED: "git does not let the branch be moved",
    Halt.CHECKED_OUT: "the branch is checked out",
    Halt.INTERRUPTED: "interrupted",
    Halt.PAUSED: "paused",
    Halt.BUDGET_EXCEEDED: "a limit of the run is used up",
    Halt.VIEW_FAILED: "checkouts cannot be mounted",
    Halt.VIEW_UNMOUNTED: "what ran in a checkout unmounted it, or mounted something else there",
    Halt.LAYER_CHANGED: "a prepared checkout was changed",
}


def describe_halt(code: str) -> str:
    """Why a run did not land, for people; the word itself where it is of another version."""
    known = Halt.__members__.get(code)
    return _HALTED[known] if known else code


def tries_again(code: str) -> bool:
    """Whether another attempt may follow one that ended with this word."""
    known = Failure.__members__.get(code)
    return known.tries_again if known else True


def judges(code: str) -> bool:
    """Whether an attempt that ended with this word had its work refused."""
    known = Failure.__members__.get(code)
    return known.judges if known else False


def undecided(code: str) -> bool:
    """Whether this word leaves open what the work of an agent that ended well is worth."""
    known = Failure.__members__.get(code)
    return known.undecided if known else False


def costs_retry(code: str) -> bool:
    """Whether an attempt that ended with this word counts against the budget; "" is one that passed."""
    known = Failure.__members__.get(code)
    return known.costs_retry if known else bool(code)
