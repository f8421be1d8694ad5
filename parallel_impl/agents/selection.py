"""Agents that were chosen: asked whether they can work, held to the limits that they report, described for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from parallel_impl import environment
from parallel_impl.agents import readiness
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.budget import watched
from parallel_impl.agents.client import Client
from parallel_impl.agents.spending import budget
from parallel_impl.config import Config, UsageLimits
from parallel_impl.errors import Problem, UserError
from parallel_impl.processes.launch import Stop


def clients(agents: Mapping[str, Agent]) -> list[Client]:
    """Those that are clients, each once."""
    found: list[Client] = []
    for agent in agents.values():
        if isinstance(agent, Client) and agent not in found:
            found.append(agent)
    return found


def key_names(agents: Mapping[str, Agent]) -> frozenset[str]:
    """The variables that hold the keys of these agents."""
    return frozenset(each.account.variable for each in clients(agents)) - {""}


def unwatched(agents: Mapping[str, Agent], limits: UsageLimits) -> Iterator[Problem]:
    """Limits of which an agent never reports how much is used: they would not hold."""
    seen = set[tuple[str, str]]()
    for agent in agents.values():
        tells = agent.dialect.tells if isinstance(agent, Client) else frozenset()
        for of, given in (("package", limits.package), ("run", limits.run)):
            for name in budget(given).unwatched(tells):
                where, who = f"limits.{of}.{name}", agent.record.name
                if (where, who) not in seen:
                    seen.add((where, who))
                    told = ", ".join(["minutes", "output_mb", "disk_mb", *watched(tells)])
                    yield Problem(f"{who} never reports its {name}", where, hint=f"limits that hold for it: {told}")


def notes(agents: Mapping[str, Agent]) -> Iterator[str]:
    """What the summary says about them: who pays, and what their tools may do."""
    told = dict[str, None]()
    for each in clients(agents):
        own = "" if each.account.key else "; it works in your HOME, with your settings"
        told[f"{each.name}: pays by {each.account}{own}; its tools: {each.permissions}"] = None
    yield from told


def make_ready(
    agents: Mapping[str, Agent], inherited: Mapping[str, str], config: Config, stop: Stop | None = None
) -> Mapping[str, Agent]:
    """The same agents, the clients with version and account. UserError with all that keeps them from working."""
    names = readiness.key_names(config.agents)
    env = environment.allowed(inherited, pass_env=config.pass_env, secrets=True, without=names)
    ready, problems = list[tuple[Client, Client]](), list[Problem]()
    for each in clients(agents):
        made, wrong = readiness.make_ready(each, inherited, env, stop)
        ready.append((each, made))
        problems += [one for one in wrong if one not in problems]
    if problems:
        raise UserError(problems)
    return {name: next((made for before, made in ready if before == agent), agent) for name, agent in agents.items()}
