"""Whether the agents of a run are started in PID namespaces, asked once, and said where this machine has none.

Without one an agent's processes are found as orphans of ours and by the mark in their environment; what changed its
session and cleared its environment is then missed after a kill -9 of the run. Called by `run.start.preflight`.
"""

from __future__ import annotations

from parallel_impl.agents.agent import Agent
from parallel_impl.errors import printable
from parallel_impl.processes import namespace
from parallel_impl.processes.namespace import Found


def find(agent: Agent | None, *, wanted: bool) -> Found:
    """The namespaces to use; `why` says in one line why there are none. Nothing is asked where nothing is started."""
    if not wanted or not agent or not agent.starts_processes:
        return Found(None)
    found = namespace.find()
    if found.namespace:
        return found
    why = f"no PID namespaces for agents here ({found.why}): what leaves its agent is looked for instead"
    return Found(None, printable(why))
