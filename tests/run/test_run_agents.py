"""What a dry run says about the agents of a run."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from parallel_impl.agents import kinds
from parallel_impl.config import AgentSettings, Config
from parallel_impl.record.state import State
from parallel_impl.run.start import agents
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Options, Request
from tests.run.scene import Recorder


def test_a_dry_run_without_an_agent_says_what_to_write() -> None:
    hint = 'give --agent claude, or write agent = "claude" in parallel-impl.toml'
    assert agents.describe({}, {}, Config()) == [f"  agent: none chosen; to run, {hint}"]


def test_an_agent_is_told_with_its_kind_and_model_and_its_packages(tmp_path: Path) -> None:
    tables = {"mine": AgentSettings(kind="claude", model="opus", effort="high"), "plain": AgentSettings(kind="codex")}
    mine, plain = (kinds.parse(name, tmp_path, tables) for name in tables)
    chosen = {"wp-a": mine, "wp-b": plain, "wp-c": mine}
    told = agents.describe(chosen, {name: agent.record for name, agent in chosen.items()}, Config())
    assert told[:2] == [
        "  agent: mine (claude, model opus, effort high): wp-a, wp-c",
        "  agent: plain (codex, its usual model): wp-b",
    ]


@pytest.mark.parametrize(
    ("state", "typed", "configured", "spec", "told"),
    [
        (State(), "", "codex", "codex", False),
        (State(), "claude", "codex", "claude", False),
        (State(agent="claude", agent_from="/there"), "", "codex", "claude", True),
        (State(agent="claude", agent_from="/there"), "gemini", "codex", "gemini", False),
        (State(agent="codex"), "", "qwen", "qwen", False),  # it was configured, and is so otherwise now
        (State(agent="codex"), "", "", "codex", True),  # of a version that did not record where it was typed
    ],
)
def test_a_run_remembers_the_agent_that_was_typed(
    state: State, typed: str, configured: str, spec: str, *, told: bool
) -> None:
    class Asked:
        options, listener, folder = Options("c1", agent=typed), Recorder(), Path("/here")

    class Known:
        config = Config(agent=configured)

    Asked.state = state  # type: ignore[attr-defined]
    found, folder, _ = agents.find_wanted(cast(Request, Asked), cast(Inputs, Known))
    assert (found, folder) == (spec, Path("/there") if state.agent_from and not typed else Path("/here"))
    assert Asked.listener.said == ([f"agent: {spec}, as this run had it; to take another, give --agent"] * told)
