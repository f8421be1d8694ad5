"""What a run is made from: what was asked and found, which stays, and the plan, which may be edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.agents.agent import Agent
from parallel_impl.config import Config, SetupCommand
from parallel_impl.gates.quality import Gate
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.revision import Revision
from parallel_impl.processes.namespace import Namespace
from parallel_impl.record.result import AgentRecord


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What was asked and found before the first agent; constant while the run executes.

    `agents` are those of the packages; `agent_spec` says in one line which, `agent_from` is the folder where that was
    typed ("": the configuration says it). `secret_names` are the variables with their keys.
    `environment` is for set-up, steps and gates: it has no secrets. `namespace` contains agents (None: they are not
    contained). `notes` is what the summary must say about all this.
    """

    base: str
    base_from: str
    date: int
    run_id: str
    config: Config
    setup: tuple[SetupCommand, ...] = ()
    caches: tuple[Path, ...] = ()
    gates: tuple[Gate, ...] = ()
    agents: Mapping[str, Agent] = field(default_factory=dict)
    agent_spec: str = ""
    agent_from: str = ""
    secret_names: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    agent_environment: Mapping[str, str] = field(default_factory=dict)
    namespace: Namespace | None = None
    notes: tuple[str, ...] = ()

    def agent_record(self, package: str) -> AgentRecord:
        """Who does this package; a run that is only settled knows no more than a line."""
        agent = self.agents.get(package)
        return agent.record if agent else AgentRecord(name=self.agent_spec, kind="")


@dataclass(frozen=True, slots=True)
class PlanInForce:
    """The plan that packages are done by now, under its revision's number, and the order that follows from it."""

    plan: Plan
    order: Order


@dataclass(frozen=True, slots=True)
class PlanEdit:
    """A plan that was edited between two starts: the plan until then, the commit with the new one, what differs."""

    before: PlanInForce
    commit: str
    revision: Revision
