"""Which agent a name or an `--agent` value means: a table of the configuration, a kind, `command: …`, `replay: …`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.client import Client
from parallel_impl.agents.command import Command
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.replay import Replay
from parallel_impl.config import AgentSettings
from parallel_impl.errors import UserError
from parallel_impl.text import did_you_mean

LINES = ("command", "replay")
NO_TABLES: Mapping[str, AgentSettings] = {}


def parse(spec: str, folder: Path, tables: Mapping[str, AgentSettings] = NO_TABLES) -> Agent:
    """The agent that `spec` means; relative paths are found from `folder`.

    UserError when there is no such agent, or when a `command` or `replay` cannot work on this machine; whether a client
    can is asked by `readiness`.
    """
    kind, colon, rest = (part.strip() for part in spec.partition(":"))
    if colon and kind in LINES:
        return _line(kind, rest, folder)
    name = spec.strip()
    if name not in tables and name not in DIALECTS:
        raise UserError(f"there is no agent {name!r}", where="--agent", hint=_hint(name, kind, rest, tables))
    settings = tables.get(name) or AgentSettings(kind=name)
    dialect = DIALECTS.get(settings.kind)
    if dialect is None:
        hint = did_you_mean(settings.kind, DIALECTS) or f"known: {', '.join(DIALECTS)}"
        raise UserError(f"agents.{name}.kind: there is no kind {settings.kind!r}", hint=hint)
    return Client(name, dialect, replace(settings, program=_within(folder, settings.program)))


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
    return f"{did_you_mean(name, known) or 'known: ' + ', '.join(known)}; any program: --agent 'command: {name}'"


def _within(folder: Path, program: str) -> str:
    """The words of a program, the first found from `folder` where it is a relative path: agents start elsewhere."""
    words = shlex.split(program)
    if not words or "/" not in words[0]:
        return program
    return shlex.join([str(folder / storage.expand(words[0])), *words[1:]])
