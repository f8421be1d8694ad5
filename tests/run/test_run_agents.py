"""What a dry run says about the agents of a run."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.agents import kinds
from parallel_impl.config import AgentSettings, Config
from parallel_impl.run.start import agents


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
