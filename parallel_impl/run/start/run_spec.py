"""What a run is made from, found in what was typed, in the inputs and on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from parallel_impl import environment
from parallel_impl.agents.agent import Agent
from parallel_impl.errors import printable
from parallel_impl.gates import setup
from parallel_impl.processes import namespace
from parallel_impl.processes.namespace import Found
from parallel_impl.run.spec import RunSpec
from parallel_impl.run.start.agents import choose
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request


def specify(request: Request, known: Inputs, inherited: Mapping[str, str]) -> RunSpec:
    """What stays the same while the run executes. UserError without an agent, unless this is a dry run.

    `inherited` is the environment of this process; what the machine cannot do is said, and noted.
    """
    started, settings = request.state.started, known.config
    chosen = choose(request, known, inherited)
    contained = _containment(chosen.agents.values(), wanted=settings.contain)
    for why in (request.home.why, contained.why):
        if why:
            request.listener.say(why)
    keys, caches = chosen.key_names, setup.cache_environment(inherited)
    for_steps = environment.allowed(inherited, pass_env=settings.pass_env, secrets=False, without=keys)
    for_agents = environment.allowed(inherited, pass_env=settings.pass_env, secrets=True, without=keys)
    return RunSpec(
        base=known.base,
        base_from=known.base_from,
        date=started.date if started else int(time.time()),
        run_id=request.run_id,
        config=settings,
        setup=known.setup,
        caches=setup.caches(settings.caches, inherited),
        gates=known.gates,
        agents=chosen.agents,
        agent_spec=environment.masked(chosen.words, environment.secret_values(inherited, keys)),
        agent_from=chosen.typed_in,
        secret_names=keys,
        environment=for_steps | caches,
        agent_environment=for_agents | caches,
        namespace=contained.namespace,
        notes=(*chosen.notes, *([contained.why] if contained.why else [])),
    )


def _containment(agents: Iterable[Agent], *, wanted: bool) -> Found:
    """The namespaces to use; `why` says in one line why there are none. Nothing is asked where nothing is started.

    Without one an agent's processes are found as orphans of ours and by the mark in their environment; what changed
    its session and cleared its environment is then missed after a kill -9 of the run.
    """
    if not wanted or not any(agent.starts_processes for agent in agents):
        return Found(None)
    found = namespace.find()
    if found.namespace:
        return found
    why = f"no PID namespaces for agents here ({found.why}): what leaves its agent is looked for instead"
    return Found(None, printable(why))
