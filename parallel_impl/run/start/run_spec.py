"""The ground of a run, made from what was typed, the inputs and the machine."""

from __future__ import annotations

import os
import time

from parallel_impl import environment
from parallel_impl.agents import kinds
from parallel_impl.agents.agent import Agent
from parallel_impl.config import FILE
from parallel_impl.errors import UserError, printable
from parallel_impl.gates import setup
from parallel_impl.git.checkout import Source
from parallel_impl.git.trees import Trees
from parallel_impl.git.watch import Watch
from parallel_impl.processes import namespace
from parallel_impl.processes.namespace import Found
from parallel_impl.run.run import Ground
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request


def lay(request: Request, known: Inputs) -> Ground:
    """What does not change while the run executes; what the machine cannot do is said. UserError without an agent."""
    repo, places, started, settings = request.repo, request.places, request.state.started, known.config
    agent, spec = _agent(request, known)
    inherited = dict(os.environ)
    secrets = environment.secret_values(inherited)
    caches = setup.cache_environment(inherited)
    contained = _containment(agent, wanted=settings.contain)
    ground = Ground(
        repo=repo,
        trees=Trees(repo, places.trees),
        places=places,
        plan=known.plan,
        order=known.order,
        config=settings,
        base=known.base,
        base_from=known.base_from,
        date=started.date if started else int(time.time()),
        run_id=request.run_id,
        source=Source.prepare(repo, known.base, request.home.path, indexes=places.indexes),
        agent=agent,
        agent_spec=environment.masked(spec, secrets),
        setup=known.setup,
        caches=setup.caches(settings.caches, inherited),
        gates=known.gates,
        environment=environment.allowed(inherited, pass_env=settings.pass_env, secrets=False) | caches,
        agent_environment=environment.allowed(inherited, pass_env=settings.pass_env, secrets=True) | caches,
        mask=secrets,
        stop=request.stop,
        watch=Watch(repo, places.change_id, checkout=repo.top(request.folder)),
        namespace=contained.namespace,
    )
    if request.home.why:
        request.listener.say(request.home.why)
    if contained.why:
        request.listener.say(contained.why)
        ground.note(contained.why)
    return ground


def _agent(request: Request, known: Inputs) -> tuple[Agent | None, str]:
    if request.options.abort:
        return None, ""
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
