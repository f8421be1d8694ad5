"""Which agent a name or an `--agent` value means: a table of the configuration, a kind, `command: …`, `replay: …`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.client import Client
from parallel_impl.agents.command import Command
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.replay import Replay
from parallel_impl.config import AgentSettings
from parallel_impl.errors import Problem, UserError
from parallel_impl.text import did_you_mean

LINES = ("command", "replay")
NO_TABLES: Mapping[str, AgentSettings] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an agent was named: on the command line, or by a `key` of the configuration."""

    where: str = "--agent"
    key: str = ""

    def problems(self, found: Iterable[Problem]) -> list[Problem]:
        """The same problems, told at the place that a person has to correct."""
        if not self.key:
            return list(found)
        return [replace(one, what=f"{self.key}: {one.what}", where=self.where) for one in found]


TYPED = Origin()


def parse(spec: str, folder: Path, tables: Mapping[str, AgentSettings] = NO_TABLES, *, origin: Origin = TYPED) -> Agent:
    """The agent that `spec` means; relative paths are found from `folder`.

    UserError when there is no such agent, or when a `command` or `replay` cannot work on this machine; whether a client
    can is asked by `readiness`.
    """
    kind, colon, rest = (part.strip() for part in spec.partition(":"))
    if colon and kind in LINES:
        try:
            return _line(kind, rest, folder)
        except UserError as error:
            raise UserError(origin.problems(error.problems)) from error
    if wrong := unknown(spec, tables):
        raise UserError(origin.problems([wrong]))
    name = spec.strip()
    settings = tables.get(name) or AgentSettings(kind=name)
    if wrong := no_kind(name, settings):
        raise UserError([wrong])
    return Client(name, DIALECTS[settings.kind], replace(settings, program=_within(folder, settings.program)))


def is_line(spec: str) -> bool:
    """Whether it is a `command: …` or a `replay: …`, which has no settings."""
    kind, colon, _ = spec.partition(":")
    return bool(colon) and kind.strip() in LINES


def unknown(spec: str, tables: Mapping[str, AgentSettings]) -> Problem | None:
    """A name that is neither that of a table nor of a client."""
    kind, _, rest = (part.strip() for part in spec.partition(":"))
    name = spec.strip()
    if is_line(spec) or name in tables or name in DIALECTS:
        return None
    return Problem(f"there is no agent {name!r}", "--agent", hint=_hint(name, kind, rest, tables))


def no_kind(name: str, settings: AgentSettings) -> Problem | None:
    """A table whose kind is not that of a client."""
    kind = settings.kind
    if kind in DIALECTS:
        return None
    what = f"agents.{name}.kind: there is no kind {kind!r}"
    if is_line(kind):
        return Problem(what, hint=f"a program needs no table: write agent = {json.dumps(kind, ensure_ascii=False)}")
    if kind in LINES:
        return Problem(what, hint=f'it needs no table: write agent = "{kind}: …"')
    return Problem(what, hint=did_you_mean(kind, DIALECTS) or f"known: {', '.join(DIALECTS)}")


def _line(kind: str, rest: str, folder: Path) -> Agent:
    agent: Command | Replay
    if kind == "command":
        agent = replace(Command.parse(rest).within(folder), name=f"command: {rest}")
    else:
        agent = Replay(folder / storage.expand(rest), f"replay: {rest}")
    if wrong := agent.check():
        raise UserError([wrong])
    return agent


def _hint(name: str, kind: str, rest: str, tables: Mapping[str, AgentSettings]) -> str:
    known = [*tables, *(each for each in DIALECTS if each not in tables)]
    if rest and (near := did_you_mean(kind, LINES)):
        return f"{near} write '{near.split()[-1].rstrip('?')}: {rest}'"
    return f"{did_you_mean(name, known) or 'known: ' + ', '.join(known)}; any program: 'command: {name}'"


def _within(folder: Path, program: str) -> str:
    """The words of a program, the first found from `folder` where it is a relative path: agents start elsewhere."""
    words = shlex.split(program)
    if not words or "/" not in words[0]:
        return program
    return shlex.join([str(folder / storage.expand(words[0])), *words[1:]])
