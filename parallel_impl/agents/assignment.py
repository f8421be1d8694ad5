"""Which agent does which package: `--agent` for all, else the first rule of `assign` that matches, else `agent`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from parallel_impl.agents import kinds
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.client import Client
from parallel_impl.config import AgentSettings, Config, Rule
from parallel_impl.errors import Problem, UserError
from parallel_impl.plan.model import Package


def assign(packages: Sequence[Package], config: Config, spec: str, folder: Path, *, for_all: bool) -> dict[str, Agent]:
    """The agent of each package. `spec` names the usual one, found from `folder`; `for_all`: no rule is looked at.

    UserError with all that is wrong; also when a package has none ("" and no rule).
    """
    found, problems = dict[str, Agent](), list[Problem]()
    for package in packages:
        rule = None if for_all else next((one for one in config.assign if matches(one, package)), None)
        wanted = (rule.agent if rule else "") or spec
        if not wanted:
            hint = f'give --agent claude, or write agent = "claude" in {config.source or "parallel-impl.toml"}'
            problems.append(
                Problem("no agent" if not config.assign else f"no agent for {package.id}", "--agent", "", hint)
            )
            break
        try:
            found[package.id] = _choose(wanted, folder, config.agents, rule)
        except UserError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise UserError(problems)
    return found


def matches(rule: Rule, package: Package) -> bool:
    """Whether all globs of the rule match; a package that does not say its role matches no rule about roles."""
    asked = (
        (rule.package, package.id),
        (rule.role, package.role),
        (rule.archetype, package.archetype),
        (rule.task_type, package.task_type),
    )
    return all(not glob or (bool(value) and fnmatchcase(value, glob)) for glob, value in asked)


def _choose(wanted: str, folder: Path, tables: Mapping[str, AgentSettings], rule: Rule | None) -> Agent:
    agent = kinds.parse(wanted, folder, tables)
    if rule is None or not (rule.model or rule.effort):
        return agent
    if not isinstance(agent, Client):
        raise UserError(f"assign: {wanted!r} has no model and no effort to choose", hint="leave them away there")
    settings = agent.settings
    chosen = replace(settings, model=rule.model or settings.model, effort=rule.effort or settings.effort)
    return replace(agent, settings=chosen)
