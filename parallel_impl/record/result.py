"""The result of an attempt: what a package may be accepted on.

`result.json` has this shape, which `schemas/work-queue-result.schema.json` describes for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from parallel_impl.plan.model import Locks, Scope, StepKind
from parallel_impl.record import json_form
from parallel_impl.record.activity import Usage
from parallel_impl.record.agent_report import AgentReport

FILE = "result.json"


class ScopeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all that changed is the package's to change; each violation as `path: why`."""

    passed: bool
    violations: tuple[str, ...] = ()


class CommitPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A commit, and the ref that holds it."""

    ref: str | UnsetType = UNSET
    commit: str | UnsetType = UNSET


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt started from, and what it made of it."""

    base: CommitPlace
    head: CommitPlace


class StepEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a step left: paths of artifacts, and the result keys that it wrote."""

    artifacts: tuple[str, ...] = ()
    metrics: Mapping[str, object] = {}


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One verification step; `exit_code` is None for one that did not run.

    `old_failures` are tests that failed in it as they do on the base, which its plan allows. `red_under_load`: it did
    not pass beside other heavy work of ours, and passed alone.
    """

    name: str
    kind: StepKind
    passed: bool
    exit_code: int | None = None
    seconds: float = 0.0
    why: str = ""
    evidence: StepEvidence = StepEvidence()
    command: str | tuple[str, ...] | UnsetType = UNSET
    log: str | UnsetType = UNSET
    old_failures: tuple[str, ...] | UnsetType = UNSET
    red_under_load: bool | UnsetType = UNSET


class VerificationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of an attempt; `tier` is absent where none is claimed."""

    passed: bool
    steps: tuple[StepRecord, ...]
    tier: str | UnsetType = UNSET


class AgentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who did an attempt. `name` is the configuration's; "" is what is not known."""

    name: str
    kind: str
    program: str = ""
    version: str = ""
    model: str = ""
    session: str = ""

    def describe(self, *more: str) -> str:
        """For people: its name, and what that leaves open: kind, version, model, and `more`."""
        named = self.name == self.kind or self.name.startswith(f"{self.kind}:")
        kind = " ".join(filter(None, ("" if named else self.kind, self.version)))
        told = ", ".join(filter(None, (kind, f"model {self.model}" if self.model else "", *more)))
        return f"{self.name} ({told})" if told else self.name


class DenialRecord(msgspec.Struct, frozen=True):
    """A tool call that was refused, by the client's own rules or by the scope."""

    tool: str
    target: str = ""
    why: str = ""


class SideWorkRecord(msgspec.Struct, frozen=True):
    """Work that an attempt left elsewhere than in its worktree, so that it was not taken: the ref that keeps it."""

    where: str
    ref: str
    commit: str
    paths: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is published. An attempt that failed says why by `error_code` and `error`.

    `agent` is text in results that older versions wrote. `usage` has what the client reported, and nothing else.
    """

    schema_version: int = 1
    feature_id: str
    package_id: str
    attempt: int = 1
    plan_revision: int
    contracts_revision: int
    status: Literal["completed", "failed"]
    agent: AgentRecord | str = ""
    usage: Usage = Usage()
    denied: tuple[DenialRecord, ...] = ()
    retries: int = 0
    report: AgentReport | UnsetType = UNSET
    locks: Locks = Locks()
    scope: Scope
    scope_check: ScopeCheck = ScopeCheck(passed=True)
    files_modified: tuple[str, ...]
    files_ignored: tuple[str, ...] = ()
    no_changes: bool = False
    elsewhere: tuple[SideWorkRecord, ...] = ()
    git: Commits
    verification: VerificationRecord
    for_a_person: tuple[str, ...] = ()
    result_keys: Mapping[str, object] = {}
    not_reported: tuple[str, ...] = ()
    seconds: float = 0.0
    setup_seconds: float = 0.0
    escalations: tuple[Mapping[str, object], ...]
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    def failed(self, code: str, why: str) -> Result:
        """The same attempt, as one that failed."""
        return msgspec.structs.replace(self, status="failed", error_code=code, error=why)


def dump(result: Result) -> bytes:
    """The file's content."""
    return json_form.encode(result, indent=1)


def load(content: bytes) -> Result:
    """The result in a file's content; ValueError when it is none."""
    return json_form.decode(content, Result)
