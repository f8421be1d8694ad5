"""Which agent an `--agent` value names."""

from __future__ import annotations

from pathlib import Path

from parallel_impl import storage
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.command import Command
from parallel_impl.agents.replay import Replay
from parallel_impl.errors import UserError
from parallel_impl.text import nearest

KINDS = ("command", "replay")


def parse(spec: str, folder: Path) -> Agent:
    """The agent that `spec` names: `command: …` or `replay: …`; relative paths are found from `folder`.

    UserError when there is no such kind, or when it cannot work on this machine.
    """
    kind, colon, rest = (part.strip() for part in spec.partition(":"))
    if not colon or kind not in KINDS:
        hint = f"write '{nearest(kind, KINDS) or 'command'}: {rest or spec}'"
        raise UserError(f"unknown kind of agent in {spec!r}; known: {', '.join(KINDS)}", where="--agent", hint=hint)
    agent: Agent = Command.parse(rest).within(folder) if kind == "command" else Replay(folder / storage.expand(rest))
    if wrong := agent.check():
        raise UserError([wrong])
    return agent
