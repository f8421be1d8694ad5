"""What a run is made from, found in what was typed, in the inputs and on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping

from parallel_impl import environment
from parallel_impl.agents import kinds
from parallel_impl.agents.agent import Agent
from parallel_impl.config import FILE
from parallel_impl.errors import UserError, printable
from parallel_impl.gates import setup
from parallel_impl.processes import namespace
from parallel_impl.processes.namespace import Found
from parallel_impl.run.spec import RunSpec
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request


def specify(request: Request, known: Inputs, inherited: Mapping[str, str]) -> RunSpec:
    """What stays the same while the run executes. UserError without an agent, unless this is a dry run.

    `inherited` is the environment of this process; what the machine cannot do is said, and noted.
    """
    started, settings = request.state.started, known.config
    agent, spec = _agent(request, known)
    caches = setup.cache_environment(inherited)
    contained = _containment(agent, wanted=settings.contain)
    for why in (request.home.why, contained.why):
        if why:
            request.listener.say(why)
    return RunSpec(
        base=known.base,
        base_from=known.base_from,
        date=started.date if started else int(time.time()),
        run_id=request.run_id,
        config=settings,
        setup=known.setup,
        caches=setup.caches(settings.caches, inherited),
        gates=known.gates,
        agent=agent,
        agent_spec=environment.masked(spec, environment.secret_values(inherited)),
        environment=environment.allowed(inherited, pass_env=settings.pass_env, secrets=False) | caches,
        agent_environment=environment.allowed(inherited, pass_env=settings.pass_env, secrets=True) | caches,
        namespace=contained.namespace,
        notes=(contained.why,) if contained.why else (),
    )


def _agent(request: Request, known: Inputs) -> tuple[Agent | None, str]:
    spec = request.options.agent or known.config.agent
    if not spec and not request.options.dry_run:
        where = known.config.source or FILE
        hint = f"give --agent 'command: my-agent {{prompt_file}}', or set agent in {where}"
        raise UserError("no agent", where="--agent", hint=hint)
    return (kinds.parse(spec, request.folder) if spec else None), spec


def _containment(agent: Agent | None, *, wanted: bool) -> Found:
    """The namespaces to use; `why` says in one line why there are none. Nothing is asked where nothing is started.

    Without one an agent's processes are found as orphans of ours and by the mark in their environment; what changed
    its session and cleared its environment is then missed after a kill -9 of the run.
    """
    if not wanted or not agent or not agent.starts_processes:
        return Found(None)
    found = namespace.find()
    if found.namespace:
        return found
    why = f"no PID namespaces for agents here ({found.why}): what leaves its agent is looked for instead"
    return Found(None, printable(why))
