"""A run in a small bare repository, with a real journal: what the tests of the run room act on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from parallel_impl.config import Config
from parallel_impl.git.checkout import Source
from parallel_impl.git.repo import Repo
from parallel_impl.git.trees import Trees
from parallel_impl.git.watch import Watch
from parallel_impl.plan import order
from parallel_impl.plan.model import Package, Plan, Scope
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, read
from parallel_impl.record.state import State, fold
from parallel_impl.report.outline import Outline
from parallel_impl.run.places import Places
from parallel_impl.run.run import Run
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace
from tests.repository import git

CHANGE = "c1"
DATE = 1_700_000_000
RUN_ID = secrets.token_hex(16)  # processes are found by it: tests that run beside these have another


@dataclass
class Recorder:
    """A listener that keeps what it hears."""

    events: list[e.Event] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    earlier: list[e.Event] = field(default_factory=list)
    ended: bool = False

    def begin(self, outline: Outline, earlier: Sequence[e.Event]) -> None:
        self.outlines.append(outline)
        self.earlier += earlier

    def event(self, event: e.Event) -> None:
        self.events.append(event)

    def say(self, text: str) -> None:
        self.said.append(text)

    def end(self) -> None:
        self.ended = True


def make_repository(folder: Path) -> tuple[Repo, str]:
    """A bare repository with one empty commit, and that commit."""
    git(folder.parent, "init", "--quiet", "--bare", str(folder))
    tree = git(folder, "hash-object", "-w", "-t", "tree", "/dev/null")
    return Repo(folder), git(folder, "commit-tree", tree, "-m", "base")


def package(name: str, *above: str, retries: int = 1, priority: int = 5) -> Package:
    """A package that owns the folder of its name; `above` is what it depends on."""
    scope = Scope(write_allow=(f"{name}/**",))
    return Package(name, name, scope, depends_on=above, retry_budget=retries, priority=priority)


def in_force(packages: Sequence[Package], revision: int = 1) -> PlanInForce:
    plan = Plan(CHANGE, tuple(packages), revision=revision)
    return PlanInForce(plan, order.of(plan))


def workspace(repo: Repo, home: Path) -> Workspace:
    places = Places(repo.git_dir, CHANGE)
    watch = Watch(repo, CHANGE)
    return Workspace(repo, Trees(repo, places.trees), places, Source(repo, home, places.indexes, ()), watch)


def first_event(base: str, packages: Sequence[Package], home: Path, *, at: float = 1.0) -> e.RunStarted:
    return e.RunStarted(
        at=at,
        run_id=RUN_ID,
        change_id=CHANGE,
        base=base,
        base_from="HEAD",
        plan_blob="",
        plan_revision=1,
        contracts_revision=1,
        packages={one.id: list(one.depends_on) for one in packages},
        home=str(home),
        date=DATE,
        agent="replay: nothing",
        jobs=2,
        tip="",
    )


def open_run(repo: Repo, base: str, home: Path, *packages: Package, jobs: int = 2) -> Run:
    """A run of these packages as a process finds it: its state is what its journal folds to."""
    place = workspace(repo, home)
    known = read(place.places.journal)
    stop, listener = Stop(), Recorder()
    run = Run(
        spec=RunSpec(base, "HEAD", DATE, RUN_ID, Config()),
        workspace=place,
        launch=Launch(home, {}, Limits(1), stop=stop),
        stop=stop,
        in_force=in_force(packages),
        journal=Journal(place.places.journal),
        state=fold(known) if known else State(),
        listener=listener,
        jobs=jobs,
    )
    if not known:
        run.record(first_event(base, packages, home))
    return run


def heard(run: Run) -> list[e.Event]:
    """What the run's listener heard."""
    assert isinstance(run.listener, Recorder)
    return run.listener.events


def commit(repo: Repo, base: str, files: Mapping[str, str], *, parent: str = "") -> str:
    """A commit on `parent` (default: the base) whose tree is the base's with these files."""
    layers = {
        path: repo.git("hash-object", "-w", "--stdin", input=text.encode()).decode().strip()
        for path, text in files.items()
    }
    index = repo.git_dir / "test.index"
    repo.git("read-tree", base, index=index)
    lines = "".join(f"100644 {oid}\t{path}\n" for path, oid in layers.items())
    repo.git("update-index", "--index-info", input=lines.encode(), index=index)
    tree = repo.git("write-tree", index=index).decode().strip()
    index.unlink()
    return repo.commit_tree(tree, [parent or base], "work", date=DATE)


def move_branch(run: Run, tip: str, *, consented: bool = True) -> str:
    """Somebody moves the feature branch to `tip`, and the user agreed to that."""
    run.workspace.repo.set_ref(run.workspace.places.branch_ref, tip)
    if consented:
        run.record(e.BranchMoveAccepted(at=4.0, commit=tip))
    return tip


def with_retries(run: Run, retries: int) -> None:
    """Change the retries of all packages in the plan in force."""
    packages = tuple(replace(one, retry_budget=retries) for one in run.in_force.plan.packages)
    run.in_force = in_force(packages)
