"""What a run is made from: what was asked and found, the plan, which may be edited, and what it works on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl.agents.agent import Agent
from parallel_impl.config import Config, SetupCommand
from parallel_impl.gates.quality import Gate
from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.identity import OURS, Identity
from parallel_impl.git.mounts import Mounts, one_path
from parallel_impl.git.repo import Repo
from parallel_impl.git.surroundings import Foreign, Surroundings, foreign_beside
from parallel_impl.git.trees import Trees
from parallel_impl.git.watch import Watch
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.revision import Revision
from parallel_impl.processes import slots
from parallel_impl.processes.namespace import Namespace
from parallel_impl.processes.slots import Slots
from parallel_impl.record.result import AgentRecord
from parallel_impl.record.times import TimePhase
from parallel_impl.run import ports
from parallel_impl.run.places import Places
from parallel_impl.run.stopwatch import phase
from parallel_impl.views.slot import Slot
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What was asked and found before the first agent; constant while the run executes.

    `agents` are those of the packages, `agent_records` what may be shown of them; `agent_spec` says in one line which,
    `agent_from` is the folder where that was typed ("": the configuration says it). `secret_names` are the variables
    with their keys. `environment` is for set-up, steps and gates: it has no secrets. `namespace` contains agents (None:
    they are not contained). `identity` is in all commits; `carried` are refs that packages' repositories have beside
    the base's ancestors. `repository` is the main worktree, which set-up sees, `users_branch` the branch that the run
    was started on ("" when there is none). `single`: the one package of the plan is verified by the gates.
    `set_up_changes` are the paths that set-up changes on the base, `beside` the names that it makes on the level of a
    worktree. `slots` are for set-up, steps and gates. `notes` is what the summary must say about all this, `lacking`
    those of them that this machine is the reason of.
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
    agent_records: Mapping[str, AgentRecord] = field(default_factory=dict)
    agent_spec: str = ""
    agent_from: str = ""
    secret_names: frozenset[str] = frozenset()
    identity: Identity = OURS
    carried: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    agent_environment: Mapping[str, str] = field(default_factory=dict)
    namespace: Namespace | None = None
    repository: Path = Path()
    users_branch: str = ""
    single: bool = False
    set_up_changes: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    slots: Slots = field(default_factory=slots.own)
    notes: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    checkouts: str = ""

    def agent_record(self, package: str) -> AgentRecord:
        """Who does this package; a run that is only settled knows no more than a line."""
        return self.agent_records.get(package) or AgentRecord(name=self.agent_spec, kind="")


def own_files(spec: RunSpec, places: Places, plan: Plan) -> tuple[str, ...]:
    """What only the orchestrator writes in a candidate: an agent's edits of it are left out of its work."""
    return places.own_paths([package.id for package in plan.packages], kept=spec.config.keep_completed)


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


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a run works on: the user's repository, the places of its change, and the checkouts. Threads share it.

    `surroundings` are the folders around the checkouts, as they were at the start (None: nobody looks at them).
    """

    repo: Repo
    trees: Trees
    places: Places
    source: Source
    watch: Watch
    surroundings: Surroundings | None = None

    @classmethod
    def open(
        cls,
        repo: Repo,
        places: Places,
        base: str,
        home: Path,
        *,
        checkout: Path | None,
        identity: Identity = OURS,
        carried: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        repository_name: str = "",
        surroundings: Surroundings | None = None,
    ) -> Workspace:
        """Read what packages' repositories carry over at `base`, and the user's side as it is now.

        `home` is the folder of the worktrees, `checkout` the user's, whose files are watched too. `environment` is
        what filters see beside the variables of this process, `repository_name` the name of each worktree's folder.
        """
        source = Source.prepare(
            repo,
            base,
            home,
            indexes=places.indexes,
            identity=identity,
            carried=carried,
            environment=environment,
            repository_name=repository_name,
        )
        trees = Trees(repo, places.trees, source.environment)
        # what a killed process had mounted is found by this; whoever opens checkouts has better ones
        none = Mounts(repo, trees, Slot(), Ability(Means.EACH), home, one_path(home, repository_name))
        return cls(
            repo=repo,
            trees=trees,
            places=places,
            source=replace(source, mounts=none),
            watch=Watch(repo, places.change_id, checkout=checkout),
            surroundings=surroundings,
        )

    @property
    def home(self) -> Path:
        return self.source.home

    def foreign(self, checkout: Checkout | None = None, *, usual: Collection[str] = ()) -> list[Foreign]:
        """What lies around the checkouts and is not of this run; on the level of `checkout`, beside `usual`, too."""
        around = self.surroundings.foreign() if self.surroundings else []
        return [*around, *(foreign_beside(checkout.folder, checkout.path, usual) if checkout else ())]

    def changed_layers(self) -> Mapping[str, str]:
        """The prepared checkouts that were changed since they were made, with what to say of each.

        Nothing that ran over them is proven. They are made again when they are needed.
        """
        if self.source.mounts is None:
            return {}
        self.source.mounts.take_out_changed()
        return self.source.mounts.changed

    def count_deaths(self) -> int:
        """How often the process that mounts views has died in this start."""
        return self.source.mounts.slot.count_deaths() if self.source.mounts else 0

    def set_ref(self, ref: str, commit: str) -> None:
        """Move a ref of our own; the watch over the user's repository expects it then."""
        self.watch.expect(ref, commit)
        self.repo.set_ref(ref, commit)

    def delete_ref(self, ref: str, commit: str) -> None:
        """Remove a ref of our own that is at `commit`; the watch expects it then."""
        self.watch.expect(ref, None)
        self.repo.delete_ref(ref, commit)

    @phase(TimePhase.CHECKOUT)
    def open_checkout(self, name: str, commit: str, *, branch: str = "") -> Checkout:
        """A fresh checkout of a commit, under this name; see `Source.open`."""
        return self.source.open(name, commit, branch=branch)

    @phase(TimePhase.CHECKOUT)
    def put_away(self, name: str, number: int, note: Callable[[str], None]) -> None:
        """Remove a checkout by its name; what cannot be removed (files of root, of a container) is kept and noted."""
        checkout = self.source.place(name)
        ports.give_back(checkout.folder)
        if told := checkout.put_away(number):
            note(told)
        while self.source.mounts and self.source.mounts.told:
            note(self.source.mounts.told.pop())
