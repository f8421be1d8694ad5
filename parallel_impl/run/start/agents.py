"""The agents of a run: chosen for each package once, asked whether they can work, and described for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl import environment
from parallel_impl.agents import assignment, readiness
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.budget import watched
from parallel_impl.agents.client import Client
from parallel_impl.config import Config, UsageLimits
from parallel_impl.errors import Problem, UserError
from parallel_impl.record.result import AgentRecord
from parallel_impl.run.spending import budget
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request
from parallel_impl.text import MASKED


@dataclass(frozen=True, slots=True)
class Chosen:
    """The agents by package; `words` name them in one line, `typed_in` is the folder where `--agent` was typed."""

    agents: Mapping[str, Agent] = field(default_factory=dict)
    words: str = ""
    typed_in: str = ""
    notes: tuple[str, ...] = ()

    @property
    def key_names(self) -> frozenset[str]:
        """The variables that hold the keys of these agents."""
        return frozenset(each.account.variable for each in clients(self.agents)) - {""}


def choose(request: Request, known: Inputs, inherited: Mapping[str, str]) -> Chosen:
    """The agent of each package, able to work as far as that can be asked. UserError with all that is wrong."""
    spec, folder, typed = _wanted(request, known)
    if not spec and not known.config.assign and request.options.dry_run:
        return Chosen()
    packages = known.plan.packages
    agents: Mapping[str, Agent] = assignment.assign(packages, known.config, spec, folder, for_all=typed)
    if wrong := list(unwatched(agents, known.config.limits)):
        raise UserError(wrong)
    try:
        agents = _ready(agents, inherited, known, request)
    except UserError as error:
        raise UserError([_at_its_place(one, known.config, typed=typed) for one in error.problems]) from None
    names = dict.fromkeys(agent.record.name for agent in agents.values())
    words = spec if typed or not known.config.assign else ", ".join(names)
    told = (*notes(agents), *_kept_from_others(agents, known.config.pass_env))
    return Chosen(agents, words, str(folder) if typed else "", told)


def _at_its_place(problem: Problem, config: Config, *, typed: bool) -> Problem:
    """The problem of an agent, told where a person asked for it: in its table, by `--agent` or configuration."""
    table = problem.where.startswith("agents.")
    if table or problem.what.startswith("agents."):
        what = f"{problem.where}: {problem.what}" if table else problem.what
        return replace(problem, what=what, where=config.source)
    return replace(problem, where=problem.where or ("--agent" if typed else config.source))


def clients(agents: Mapping[str, Agent]) -> list[Client]:
    """Those that are clients, each once."""
    found: list[Client] = []
    for agent in agents.values():
        if isinstance(agent, Client) and agent not in found:
            found.append(agent)
    return found


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


def _kept_from_others(agents: Mapping[str, Agent], pass_env: Collection[str]) -> Iterator[str]:
    """Keys that `pass_env` names: they go to their agent alone all the same."""
    for each in clients(agents):
        if each.account.variable in pass_env:
            yield f"pass_env: {each.account.variable} is a key, which {each.name} alone gets"


def describe(agents: Mapping[str, Agent], records: Mapping[str, AgentRecord], config: Config) -> list[str]:
    """Lines for a dry run: each agent with its packages, then who pays."""
    if not agents:
        return [f"  agent: none chosen; to run, {assignment.how_to_choose(config)}"]
    packages = dict[str, list[str]]()
    for name, agent in agents.items():
        more = list[str]()
        if isinstance(agent, Client):
            more += [] if agent.settings.model else ["its usual model"]
            more += [f"effort {agent.settings.effort}"] if agent.settings.effort else []
        packages.setdefault(records[name].describe(*more), []).append(name)
    return [f"  agent: {words}: {', '.join(names)}" for words, names in packages.items()] + [
        f"  {note}" for note in notes(agents)
    ]


def _wanted(request: Request, known: Inputs) -> tuple[str, Path, bool]:
    """The agent that was asked for, the folder that its paths start from, and whether it was typed, now or earlier."""
    typed, state = request.options.agent, request.state
    if typed:
        return typed, request.folder, True
    if state.agent_from:
        if MASKED.decode() in state.agent:
            hint = "give --agent again"
            raise UserError(
                "the agent that was typed had a secret in it, which is not kept", where="--agent", hint=hint
            )
        return state.agent, Path(state.agent_from), True
    return known.config.agent, request.folder, False


def _ready(
    agents: Mapping[str, Agent], inherited: Mapping[str, str], known: Inputs, request: Request
) -> Mapping[str, Agent]:
    names = readiness.key_names(known.config.agents)
    env = environment.allowed(inherited, pass_env=known.config.pass_env, secrets=True, without=names)
    ready, problems = list[tuple[Client, Client]](), list[Problem]()
    for each in clients(agents):
        made, wrong = readiness.make_ready(each, inherited, env, request.stop)
        ready.append((each, made))
        problems += [one for one in wrong if one not in problems]
    if problems:
        raise UserError(problems)
    return {name: next((made for before, made in ready if before == agent), agent) for name, agent in agents.items()}
