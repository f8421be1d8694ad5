"""What an agent may write about its work, to the file that `PARALLEL_IMPL_REPORT_FILE` names.

`schemas/agent-report.schema.json` describes it for others. It is for people: nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from parallel_impl import schema, structs
from parallel_impl.record import json_form


class Deviation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the agent did something else than it was asked for, and why."""

    what: str
    why: str
    path: str = ""


class Help(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that the agent could not settle by itself."""

    summary: str
    type: str = ""
    severity: str = ""
    details: str = ""
    proposed_action: str = ""
    requires_human: bool = False


class ScopeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A path that the agent would have had to change, outside its scope."""

    path: str
    why: str


class AgentReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's word about its work."""

    schema_version: int = 1
    notes: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    help: tuple[Help, ...] = ()
    scope_requests: tuple[ScopeRequest, ...] = ()

    def lines(self) -> Iterator[str]:
        """All of it, one line for each entry."""
        yield from (f"note: {note}" for note in self.notes)
        for one in self.deviations:
            yield f"deviation{f' in {one.path}' if one.path else ''}: {one.what} ({one.why})"
        for asked in self.help:
            more = f" ({asked.proposed_action})" if asked.proposed_action else ""
            kind = "".join(f", {word}" for word in (asked.type, asked.severity) if word)
            person = ", a person is needed" if asked.requires_human else ""
            yield f"help wanted{kind}{person}: {asked.summary}{more}"
        yield from (f"scope request: {wanted.path} ({wanted.why})" for wanted in self.scope_requests)


def read(written: dict[str, object]) -> AgentReport:
    """The report in the object that an agent wrote; ValueError says what is wrong with it."""
    for error in schema.validator("agent-report").iter_errors(written):
        raise ValueError(f"{error.json_path.removeprefix('$.')}: {error.message[:200]}")
    return structs.convert(written, AgentReport)


def dump(report: AgentReport) -> bytes:
    """The file's content."""
    return json_form.encode(report, indent=1)
