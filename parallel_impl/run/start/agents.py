"""The agents of a run: chosen for each package once, asked whether they can work, and described for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl.agents import assignment, selection
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.client import Client
from parallel_impl.config import Config
from parallel_impl.errors import Problem, UserError
from parallel_impl.record.result import AgentRecord
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
        return selection.key_names(self.agents)


def choose(request: Request, known: Inputs, inherited: Mapping[str, str]) -> Chosen:
    """The agent of each package, able to work as far as that can be asked. UserError with all that is wrong."""
    spec, folder, typed = find_wanted(request, known)
    if not spec and not known.config.assign and request.options.dry_run:
        return Chosen()
    packages = known.plan.packages
    agents: Mapping[str, Agent] = assignment.assign(packages, known.config, spec, folder, for_all=typed)
    if wrong := list(selection.unwatched(agents, known.config.limits)):
        raise UserError(wrong)
    try:
        agents = selection.make_ready(agents, inherited, known.config, request.stop)
    except UserError as error:
        raise UserError([_at_its_place(one, known.config, typed=typed) for one in error.problems]) from None
    names = dict.fromkeys(agent.record.name for agent in agents.values())
    words = spec if typed or not known.config.assign else ", ".join(names)
    told = (*selection.notes(agents), *_kept_from_others(agents, known.config.pass_env))
    return Chosen(agents, words, str(folder) if typed else "", told)


def _at_its_place(problem: Problem, config: Config, *, typed: bool) -> Problem:
    """The problem of an agent, told where a person asked for it: in its table, by `--agent` or configuration."""
    table = problem.where.startswith("agents.")
    if table or problem.what.startswith("agents."):
        what = f"{problem.where}: {problem.what}" if table else problem.what
        return replace(problem, what=what, where=config.source)
    return replace(problem, where=problem.where or ("--agent" if typed else config.source))


def _kept_from_others(agents: Mapping[str, Agent], pass_env: Collection[str]) -> Iterator[str]:
    """Keys that `pass_env` names: they go to their agent alone all the same."""
    for each in selection.clients(agents):
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
        f"  {note}" for note in selection.notes(agents)
    ]


def find_wanted(request: Request, known: Inputs) -> tuple[str, Path, bool]:
    """The agent that was asked for, the folder that its paths start from, and whether it was typed, now or earlier."""
    typed, state, folder = request.options.agent, request.state, request.folder
    if typed:
        return typed, folder, True
    if state.agent and (state.agent_from or not (known.config.agent or known.config.assign)):
        if MASKED.decode() in state.agent:
            hint = "give --agent again"
            raise UserError(
                "the agent that was typed had a secret in it, which is not kept", where="--agent", hint=hint
            )
        request.listener.say(f"agent: {state.agent}, as this run had it; to take another, give --agent")
        return state.agent, Path(state.agent_from) if state.agent_from else folder, True
    return known.config.agent, folder, False
