"""What a run is made from, found in what was typed, in the inputs and on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from parallel_impl import environment
from parallel_impl.agents.agent import Agent
from parallel_impl.config import Config
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates import setup
from parallel_impl.git import carried, identity
from parallel_impl.git import home as homes
from parallel_impl.git.identity import OURS, Identity
from parallel_impl.processes import namespace
from parallel_impl.processes.namespace import Found
from parallel_impl.record.result import AgentRecord
from parallel_impl.run.resume import pinned
from parallel_impl.run.spec import RunSpec
from parallel_impl.run.start import heavy
from parallel_impl.run.start.agents import choose
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request

NOBODY = (
    f"git has no name and address of yours here: what lands is committed by {OURS.author}, which CLA, DCO and push "
    "rules refuse\n    set user.name and user.email, or commit_identity in the configuration"
)
SET_BY_US = ("TMPDIR", "VIRTUAL_ENV", "COMPOSE_PROJECT_NAME", "PARALLEL_IMPL_*", *setup.COPIES)


def specify(request: Request, known: Inputs) -> RunSpec:
    """What stays the same while the run executes. UserError without an agent, unless this is a dry run.

    What the machine cannot do is printed, and noted.
    """
    started, settings, inherited = request.state.started, known.config, request.inherited
    chosen = choose(request, known, inherited)
    contained = _containment(chosen.agents.values(), wanted=settings.contain)
    repository = homes.main_folder(request.repo, request.checkout)
    who = _identity(request, settings)
    nobody = NOBODY if who == OURS and not started else ""
    ignored = environment.remarks(inherited, pass_env=settings.pass_env, ours=SET_BY_US)
    heavy_slots, unshared = heavy.find(settings, inherited)
    lacking = (_uncontained(contained), _equal_numbers(contained), nobody, printable(unshared))
    limits = tuple(why for why in lacking if why)
    for why in (request.home.why, *limits, *(str(Problem(one, severity=Severity.WARNING)) for one in ignored)):
        if why:
            request.listener.say(why)
    keys, caches = chosen.key_names, setup.cache_environment(inherited)
    secrets = environment.secret_values(inherited, keys)
    for_steps = environment.allowed(inherited, pass_env=settings.pass_env, secrets=False, without=keys)
    for_agents = environment.allowed(inherited, pass_env=settings.pass_env, secrets=True, without=keys)
    return RunSpec(
        base=known.base,
        base_from=known.base_from,
        date=started.date if started else int(time.time()),
        run_id=request.run_id,
        config=settings,
        setup=known.setup,
        caches=setup.caches(settings.caches, inherited, repository),
        gates=known.gates,
        agents=chosen.agents,
        agent_records={name: _hidden(agent.record, secrets) for name, agent in chosen.agents.items()},
        agent_spec=environment.masked(chosen.words, secrets),
        agent_from=chosen.typed_in,
        secret_names=keys,
        environment=for_steps | caches,
        agent_environment=for_agents | caches,
        identity=replace(who, signoff=settings.signoff),
        carried=started.carried if started else carried.find(request.repo),
        namespace=contained.namespace,
        repository=repository,
        users_branch=_users_branch(request, known),
        single=request.state.single or request.options.single,
        slots=heavy_slots,
        notes=(*chosen.notes, *limits),
    )


def _hidden(record: AgentRecord, secrets: tuple[bytes, ...]) -> AgentRecord:
    """The record as it may be shown: the words of a command may hold a secret."""
    name, program = (environment.masked(words, secrets) for words in (record.name, record.program))
    return msgspec.structs.replace(record, name=name, program=program)


def _users_branch(request: Request, known: Inputs) -> str:
    """The branch that the base was found on, else the one that is checked out where the command was given."""
    named = known.base_from.removeprefix("refs/heads/")
    ours = named in ("HEAD", request.places.branch)
    return named if not ours and request.repo.ref(f"refs/heads/{named}") else request.repo.branch(request.folder)


def _identity(request: Request, settings: Config) -> Identity:
    """Who commits: as the journal has it, so that a commit made again is the same; else the first of those named."""
    if started := request.state.started:
        return pinned.identity(started)
    if named := identity.parse(settings.commit_identity):
        return Identity(named, named)
    return identity.find(request.repo, request.folder, request.inherited)


def _containment(agents: Iterable[Agent], *, wanted: bool) -> Found:
    """The namespaces to use. Nothing is asked where nothing is started."""
    if not wanted or not any(agent.starts_processes for agent in agents):
        return Found(None)
    return namespace.find()


def _uncontained(found: Found) -> str:
    """Why agents are not contained, in one line.

    Their processes are then found as orphans of ours and by the mark in their environment; what changed its session
    and cleared its environment is missed after a kill -9 of the run.
    """
    if not found.why:
        return ""
    return printable(f"no PID namespaces for agents here ({found.why}): what leaves its agent is looked for instead")


def _equal_numbers(found: Found) -> str:
    """What agents at once must not do where their processes have the same numbers, in one line."""
    if not found.equal_numbers:
        return ""
    why = f"{found.equal_numbers}: /proc/sys/kernel/ns_last_pid"
    return printable(
        f"processes of agents at once have the same numbers here ({why}): a program that names temporary files in HOME "
        "by its number may damage another agent's; run one at a time (--jobs 1), or set contain = false"
    )
