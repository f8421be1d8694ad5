"""What makes a valid plan a poor one: everything that a person would want to know before agents are paid. Pure.

Nothing here makes a plan unusable. Each finding is one kind of thing, with everything that is of that kind. What the
bounds come from was measured on 44 plans of one repository: a glob over a tenth of the repository hides what a package
is about; half of what plans missed were tests that lie elsewhere than their source; the heaviest package held 42 % of
the work, and a third of the `depends_on` edges had no reason in the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from parallel_impl.errors import Problem, Severity, count
from parallel_impl.plan import estimate, ids, promises
from parallel_impl.plan.model import Package, Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.paths import Paths
from parallel_impl.text import first_names

BROAD = 0.10  # of the repository's files
FEWEST_FILES = 10  # a glob that matches fewer is not broad, however small the repository
HEAVY = 0.40  # of all work
HEAVY_BESIDE = 1.5  # times the mean of all packages
FEW = 3  # names in a warning of a run


class FindingKind(StrEnum):
    """What may be poor about a plan."""

    BROAD_GLOB = "broad glob"
    TASK = "task without one owner"
    SPLIT_TEST = "test apart from its source"
    UNORDERED = "stated use without order"
    UNOWNED = "named file without owner"
    TESTS = "tests out of scope"
    EDGE = "dependency without evidence"
    NO_DECISION = "no shared decision"
    HEAVY = "heavy package"
    AT_RISK = "file at risk"
    EXISTS = "new file that exists"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one kind: a sentence, the things that it is about, and what to do."""

    kind: FindingKind
    what: str
    names: tuple[str, ...] = ()
    hint: str = ""

    def sentence(self, shown: int) -> str:
        """The finding with the first names, and how many more there are."""
        return f"{self.what}: {first_names(self.names, shown)}" if self.names else self.what


@dataclass(frozen=True, slots=True)
class OwnedTask:
    """A task by its name, with the packages that have it, the tasks that it requires, and its section's title.

    `uses` are the tasks whose work a text says that it uses, with the words.
    """

    name: str
    packages: tuple[str, ...]
    requires: tuple[str, ...] = ()
    section: str = ""
    uses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskOfTests:
    """A task that only tests what another one makes, by the names of both, and the tests that it names."""

    source_task: str
    task: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What a plan is held against. What is not known is empty, and then nothing is found about it.

    `split_tests` are tasks that test what others make: a package has both, or waits for the other.

    `files` are the repository's, without the change folder. `named` maps paths to who names them, `tests` a source
    file to its tests, `at_risk` paths to their kind, `imports` a file to those that it imports (None: not known).
    """

    files: Paths
    tasks: Sequence[OwnedTask] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    tests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    split_tests: Sequence[TaskOfTests] = ()
    at_risk: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, frozenset[str]] | None = None
    has_design: bool = False


def check(plan: Plan, order: Order, facts: PlanFacts) -> list[Finding]:
    """Everything that is poor about a valid plan, one finding of a kind; the weightiest kinds first."""
    checked = _Checked(plan, order, facts)
    found = (
        _broad(checked), _tasks(checked), _shared_tasks(checked), _split_tests(checked), _unordered(checked),
        _unowned(checked), _tests(checked), _edges(checked), _no_decision(checked), _heavy(checked), _at_risk(checked),
        _exist(checked),
    )  # fmt: skip
    return [finding for finding in found if finding]


def problems(findings: Sequence[Finding], source: str, *, brief: bool = True) -> Iterator[Problem]:
    """The findings as warnings: each one line with few names, or (not `brief`) everything and what to do."""
    for finding in findings:
        what, hint = (finding.sentence(FEW), "") if brief else (finding.sentence(len(finding.names)), finding.hint)
        yield Problem(what, source, hint=hint, severity=Severity.WARNING)


class _Checked:
    """A plan beside its facts, with what several checks ask."""

    def __init__(self, plan: Plan, order: Order, facts: PlanFacts) -> None:
        self.plan, self.order, self.facts = plan, order, facts
        self.integration = promises.integrations(order)
        self.parallel = max(order.widths(), default=0) > 1

    @cached_property
    def own_files(self) -> dict[str, frozenset[str]]:
        """The files, existing and new, that each package may write."""
        files = self.facts.files
        return {one.id: frozenset((*files.in_scope(one.scope), *one.creates)) for one in self.plan.packages}

    def beside(self, source: str, task: str) -> Iterator[tuple[str, str]]:
        """The packages of two tasks, where no package has both and that of `task` does not wait for the other."""
        makers, users = self.packages_of.get(source, ()), self.packages_of.get(task, ())
        if not set(makers) & set(users):
            yield from ((one, two) for one in makers for two in users if not self.order.reaches(two, one))

    @cached_property
    def packages_of(self) -> dict[str, tuple[str, ...]]:
        """The packages of each task."""
        return {task.name: task.packages for task in self.facts.tasks}

    def owners(self, path: str) -> list[str]:
        """The packages that may write a path."""
        return [package.id for package in self.plan.packages if not package.scope.refusal(path)]


def _broad(checked: _Checked) -> Finding | None:
    files = checked.facts.files
    least = max(FEWEST_FILES, BROAD * len(files))
    names = tuple(
        f"{pattern} of {package.id} ({number / len(files):.0%})"
        for package in checked.plan.packages
        if package.id not in checked.integration
        for pattern in package.scope.write_allow
        if (number := len(files.matching(pattern))) > least
    )
    hint = "name the folders that the package is about"
    return Finding(FindingKind.BROAD_GLOB, "globs over a tenth of the repository", names, hint) if names else None


def _tasks(checked: _Checked) -> Finding | None:
    tasks = checked.facts.tasks
    if not tasks or len(checked.plan.packages) == 1:
        return None
    if not any(package.tasks for package in checked.plan.packages):
        what = f"no package names its tasks: each is told of all {count(len(tasks), 'task')}"
        return Finding(FindingKind.TASK, what, hint="write tasks: [1.1, …] into each package")
    names = tuple(task.name for task in tasks if not task.packages)
    hint = "name each of them under tasks of the package that does it"
    return Finding(FindingKind.TASK, "tasks that no package names", names, hint) if names else None


def _shared_tasks(checked: _Checked) -> Finding | None:
    """Those of several packages, as far as they are not named twice: packages that name none have what is left."""
    silent = {package.id for package in checked.plan.packages if not package.tasks}
    if len(silent) in (1, len(checked.plan.packages)):
        return None
    names = tuple(task.name for task in checked.facts.tasks if len(silent.intersection(task.packages)) > 1)
    what = f"tasks that {' and '.join(sorted(silent)[:FEW])} are both told of, as they name none"
    return Finding(FindingKind.TASK, what, names, "name each of them under tasks of one package") if names else None


def _split_tests(checked: _Checked) -> Finding | None:
    """Tests in another package than what they test, which does not wait for it."""
    names = tuple(
        f"{', '.join(pair.tests)} of {test} (task {pair.task} tests what {pair.source_task} of {source} makes)"
        for pair in checked.facts.split_tests
        for source, test in checked.beside(pair.source_task, pair.task)
    )
    hint = "put both tasks into one package, or let the one with the test depend on the other"
    what = "tests that are written beside what they test"
    return Finding(FindingKind.SPLIT_TEST, what, names, hint) if names else None


def _unordered(checked: _Checked) -> Finding | None:
    """Packages beside each other of which the one, as a text says, uses what the other makes."""
    names = tuple(
        dict.fromkeys(
            f"{user} on {maker} ({why})"
            for task in checked.facts.tasks
            for used, why in task.uses.items()
            for maker, user in checked.beside(used, task.name)
            if not checked.order.reaches(maker, user)
        )
    )
    hint = "add each to depends_on"
    what = "packages that use what is made beside them"
    return Finding(FindingKind.UNORDERED, what, names, hint) if names else None


def _unowned(checked: _Checked) -> Finding | None:
    rows = checked.facts.named.items()
    names = tuple(f"{path} ({why})" if why else path for path, why in rows if not checked.owners(path))
    hint = "add each to the write_allow of the package that changes it"
    return (
        Finding(FindingKind.UNOWNED, "files that the change names and no package may write", names, hint)
        if names
        else None
    )


def _tests(checked: _Checked) -> Finding | None:
    """Tests that neither their source's package may write, nor one that comes after it."""
    if not checked.facts.tests:
        return None
    names, own = [], checked.own_files  # sets: a hundred packages with a hundred sources each are asked about
    allowed = {
        package.id: [own[one] for one in checked.order.with_descendants([package.id])]
        for package in checked.plan.packages
    }
    for source, tests in checked.facts.tests.items():
        for owner in (package.id for package in checked.plan.packages if source in own[package.id]):
            names += [f"{test} (of {source})" for test in tests if not any(test in one for one in allowed[owner])]
    hint = "add each to the write_allow of its source's package"
    what = "tests whose source is in scope, and they are not"
    return Finding(FindingKind.TESTS, what, tuple(dict.fromkeys(names)), hint) if names else None


def _edges(checked: _Checked) -> Finding | None:
    if checked.facts.imports is None:
        return None
    names = tuple(
        f"{package.id} on {name}"
        for package in checked.plan.packages
        if package.id not in checked.integration
        for name in package.depends_on
        if not _reason(checked, package, checked.plan.package(name))
    )
    hint = "give the reason in `reasons`, or delete it from depends_on"
    return Finding(FindingKind.EDGE, "dependencies that nothing shows a reason for", names, hint) if names else None


def _reason(checked: _Checked, package: Package, other: Package) -> bool:
    """Whether something shows why a package waits for another."""
    if other.foundation or other.id in dict(package.reasons):
        return True
    if any(not other.scope.refusal(path) for path in _contracts(checked.plan)):
        return True
    mine, theirs = checked.own_files[package.id], checked.own_files[other.id]
    imports = checked.facts.imports or {}
    if mine & theirs or any(theirs & imports.get(path, frozenset()) for path in mine):
        return True
    before = {task.name for task in checked.facts.tasks if other.id in task.packages}
    return any(
        before.intersection((*task.requires, *task.uses)) for task in checked.facts.tasks if package.id in task.packages
    )


def _contracts(plan: Plan) -> Iterator[str]:
    """Where contracts may lie: as they are written, and in the change folder."""
    for path in plan.contracts.files:
        yield from (path, f"{ids.folder(plan.feature_id)}/{path}")


def _no_decision(checked: _Checked) -> Finding | None:
    """Agents that share no decision made before the split fail on coupled work."""
    if not checked.parallel or checked.facts.has_design or checked.plan.contracts.files:
        return None
    what = "packages run side by side, and neither design.md nor a contract says what they agree on"
    return Finding(FindingKind.NO_DECISION, what, hint="write the decisions that they share into design.md")


def _heavy(checked: _Checked) -> Finding | None:
    found = estimate.estimate(checked.plan, checked.order)
    mean = found.total / len(found.weights)
    if len(found.weights) == 1 or found.share <= HEAVY or found.weights[found.heaviest] <= HEAVY_BESIDE * mean:
        return None
    package = checked.plan.package(found.heaviest)
    what = f"{found.heaviest} is {found.share:.0%} of the work; {split_of(package, checked.facts.tasks)}"
    return Finding(FindingKind.HEAVY, what, hint="split it, or move tasks to packages that run beside it")


def split_of(package: Package, tasks: Sequence[OwnedTask]) -> str:
    """What would split a package: the sections of its tasks, else the folders of its scope, else a contract."""
    sections = tuple(dict.fromkeys(one.section for one in tasks if package.id in one.packages and one.section))
    if len(sections) > 1:
        return f"its tasks are of {len(sections)} sections: {', '.join(sections[:FEW])}"
    folders = tuple(dict.fromkeys(_folder(pattern) for pattern in package.scope.write_allow))
    if len(folders) > 1:
        return f"its scope has {len(folders)} folders: {', '.join(folders[:FEW])}"
    return "a contract between its layers would split it"


def _folder(pattern: str) -> str:
    """The folder that a glob begins with, two levels deep at most; the glob itself at the top."""
    literal = [part for part in pattern.split("/")[:-1] if not set(part) & set("*?[")]
    return "/".join(literal[:2]) or pattern


def _at_risk(checked: _Checked) -> Finding | None:
    rows = checked.facts.at_risk.items()
    names = tuple(f"{path} ({kind})" for path, kind in rows if not checked.owners(path))
    hint = "give each that the change needs to one package, or list it under shared_files"
    return Finding(FindingKind.AT_RISK, "files beside the scopes that often change too", names, hint) if names else None


def _exist(checked: _Checked) -> Finding | None:
    files = checked.facts.files
    names = tuple(f"{path} of {one.id}" for one in checked.plan.packages for path in one.creates if path in files)
    hint = "move each from creates to write_allow"
    return Finding(FindingKind.EXISTS, "files to be created that are there already", names, hint) if names else None
