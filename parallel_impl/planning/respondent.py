"""The agent that a planning command asks: found, made ready, and given a desk for its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import config as configuration
from parallel_impl import environment
from parallel_impl.agents import assignment, kinds, selection, spending
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.answer import Desk
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.kinds import Origin
from parallel_impl.agents.spending import Spent
from parallel_impl.config import Config
from parallel_impl.contracts import plan_check
from parallel_impl.errors import UserError
from parallel_impl.gates import setup
from parallel_impl.plan import ids
from parallel_impl.planning.reading import documents
from parallel_impl.planning.sources import ChangeSources
from parallel_impl.processes import namespace
from parallel_impl.processes.launch import Launch, Limits, Stop

FOLDER = "planning"
MINUTES = 30.0  # of one question


@dataclass(frozen=True, slots=True)
class Respondent:
    """An agent that can be asked; `notes` say who pays, and what does not contain it. `minutes` and `budget` are of one
    question: what the configuration gives a package.
    """

    agent: Agent
    desk: Desk
    budget: Budget
    minutes: float = MINUTES
    notes: tuple[str, ...] = ()


def find(sources: ChangeSources, typed: str, folder: Path, inherited: Mapping[str, str], stop: Stop) -> Respondent:
    """The agent that was typed in `folder`, else the configuration's. UserError where there is none, or it cannot work.

    `inherited` is the environment; of it an agent sees what it sees in a run.
    """
    read = plan_check.reader(sources.top)
    settings = configuration.read(read(configuration.FILE), read("pyproject.toml"))
    spec = typed or settings.agent
    if not spec:
        raise UserError("no agent", where="--agent", hint=assignment.how_to_choose(settings))
    origin = kinds.TYPED if typed else Origin(settings.source, "agent")
    chosen = {"": kinds.parse(spec, folder if typed else sources.top, settings.agents, origin=origin)}
    if wrong := list(selection.unwatched(chosen, settings.limits)):
        raise UserError(wrong)
    agents = selection.make_ready(chosen, inherited, settings, stop)
    launch, why = _launch(agents, inherited, settings, stop)
    desk = Desk(sources.change_id, _files(sources), launch)
    budget = spending.budget(settings.limits.package)
    notes = (*selection.notes(agents), *why)
    return Respondent(agents[""], desk, replace(budget, minutes=0.0), budget.minutes or MINUTES, notes)


def _launch(
    agents: Mapping[str, Agent], inherited: Mapping[str, str], settings: Config, stop: Stop
) -> tuple[Launch, tuple[str, ...]]:
    """How its processes start, and why they are not contained (empty where they are)."""
    keys = selection.key_names(agents)
    env = environment.allowed(inherited, pass_env=settings.pass_env, secrets=True, without=keys)
    own = (inherited, *(each.env for each in settings.agents.values()))
    wanted = settings.contain and any(agent.starts_processes for agent in agents.values())
    found = namespace.find() if wanted else namespace.Found(None)
    limits = Limits(seconds=0.0, silence_seconds=settings.silence_minutes * 60)  # the time is each question's own
    launch = Launch(
        cwd=Path("/"),
        env=env | setup.cache_environment(inherited),
        limits=limits,
        stop=stop,
        mask=tuple(value for given in own for value in environment.secret_values(given, keys)),
        namespace=found.namespace,
    )
    return launch, (f"no PID namespace for the agent here: {found.why}",) if found.why else ()


def _files(sources: ChangeSources) -> Path:
    """A new folder for the files of one command, below those of earlier ones."""
    place = sources.repo.git_dir / ids.state(sources.change_id) / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    number = max((int(one.name) for one in place.iterdir() if one.name.isdecimal()), default=0) + 1
    while True:
        try:
            (place / str(number)).mkdir()
        except FileExistsError:  # another command has just begun
            number += 1
        else:
            return place / str(number)


def texts(sources: ChangeSources) -> dict[str, str]:
    """The documents that an agent is shown beside the tasks, by name, those that decide most first."""
    first = ("proposal.md", "design.md", ids.IMPLEMENTATION_PLAN)
    ordered = sorted(sources.documents, key=lambda one: (one.path not in first, one.path))
    return {one.path: one.text for one in ordered if one.path != documents.TASKS}


def told(spent: Spent) -> str:
    """What was used, for people: what an agent does not tell is not 0."""
    usage = spent.usage
    tokens = "tokens not told" if usage.tokens is None else f"{usage.tokens} tokens"
    cost = "cost not told" if usage.dollars is None else f"${usage.dollars:.4f}"
    return f"agents worked {spent.seconds / 60:.1f} minutes: {tokens}, {cost}"
