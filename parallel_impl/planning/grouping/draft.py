"""A whole draft of a plan: grouped, estimated, held against the rules of plans, and written as text.

What is drafted is read back and checked as any plan is. Where agents beside each other would not pay, the draft is one
package and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parallel_impl.errors import Problem, Severity
from parallel_impl.gates.project_files import Read
from parallel_impl.plan import conflicts, estimate, order
from parallel_impl.plan.estimate import Estimate
from parallel_impl.plan.ids import PLAN_FILE
from parallel_impl.plan.model import Plan
from parallel_impl.plan.reading import load as loading
from parallel_impl.planning.grouping import cohesion, grouping, plan_text, templates, touches, verification
from parallel_impl.planning.grouping.balance import PartitionLimits
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping, in_order
from parallel_impl.planning.grouping.plan_text import PlanOrigin
from parallel_impl.planning.grouping.scopes import TreeIndex
from parallel_impl.planning.grouping.templates import Choice, Template
from parallel_impl.planning.reading.evidence import ClueKind, Table

WORTH_IT = 1.2  # predicted weighted speed-up below which one agent is the better plan
SOURCE = PLAN_FILE
LITTLE = PartitionLimits().worth  # the same for tasks that are not cut at all
TINY = 4  # expected files: below that starting a second agent costs more than it saves


@dataclass(frozen=True, slots=True)
class Assessment:
    """Whether running it beside each other pays (`parallel`); `recommendation` says it, with the reason.

    `considered` is the estimate of the best cut that was found, also where the draft is one package.
    """

    choice: Choice
    recommendation: str
    considered: Estimate | None
    parallel: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted plan; `problems` are those of its text as a plan. None is an error for a table that can be planned."""

    text: str
    plan: Plan | None
    packages: tuple[GroupedPackage, ...]
    grouping: Grouping
    judged: Assessment
    estimate: Estimate | None
    notes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def draft(table: Table, *, template: str = "", read: Read = lambda _: None, origin: PlanOrigin | None = None) -> Draft:
    """Draft a plan from the table; `read` gives a file of the base tree, for verification steps.

    UserError for a template that is none.
    """
    found = touches.find(table)
    choice = templates.choose(
        table, found, len(cohesion.find(table.tasks, found, table.sections, table.files)), template
    )
    cut = settle(table, grouping.group(table, templates.limits(choice.template), templates.bonds(choice.template)))
    considered = of(cut)
    why_alone = _alone(table, cut, considered, choice)
    used = grouping.alone(table) if why_alone else cut
    recommendation = f"one package: {why_alone}"
    if considered and not why_alone:
        recommendation = (
            f"parallel: {len(cut.packages)} packages, {considered.width} at most beside each other, "
            f"about {considered.speedup:.1f} times as fast as one agent"
        )
    return finish(table, used, Assessment(choice, recommendation, considered, not why_alone), read=read, origin=origin)


def finish(
    table: Table,
    used: Grouping,
    judged: Assessment,
    *,
    read: Read = lambda _: None,
    origin: PlanOrigin | None = None,
) -> Draft:
    """The draft of a grouping, whoever made it: its steps, its text, and what reading the text as a plan says."""
    tree = TreeIndex(table.files)
    steps = {
        package.id: package.steps or verification.steps(package.write_allow, package.creates, tree, read, package.named)
        for package in used.packages
    }
    estimated = of(used)
    head = _head(table, used, judged, estimated)
    text = plan_text.text(table, used, steps, head, origin or PlanOrigin())
    plan, problems = loading.load(text.encode(), SOURCE)
    if plan:
        problems = [*problems, *conflicts.problems(plan, order.of(plan))]
    return Draft(
        text=text,
        plan=plan,
        packages=used.packages,
        grouping=used,
        judged=judged,
        estimate=estimated,
        notes=(*table.notes, *used.notes),
        problems=tuple(problem for problem in problems if problem.severity is not Severity.NOTICE),
    )


def of(used: Grouping) -> Estimate | None:
    """What the packages promise in time; None for none."""
    plan = model(used)
    return estimate.estimate(plan) if plan.packages else None


def model(used: Grouping, change_id: str = "draft") -> Plan:
    """The packages as the plan that the checks of plans take."""
    return Plan(change_id, tuple(package.model() for package in used.packages))


def settle(table: Table, used: Grouping) -> Grouping:
    """The grouping with an order between packages that could write one path at the same time."""
    for _ in range(len(used.packages)):
        plan = model(used, table.change_id)
        found = conflicts.find(plan, order.of(plan)).conflicts
        if not found:
            break
        edges: dict[str, dict[str, tuple[str, ...]]] = {}
        for one in found:
            edges.setdefault(one.second.package, {})[one.first.package] = (f"may both write {one.witness}",)
        packages = [replace(one, reasons={**one.reasons, **edges.get(one.id, {})}) for one in used.packages]
        notes = tuple(f"{one.second.package} waits for {one.first.package}: {one.both}" for one in found)
        used = replace(used, packages=tuple(in_order(packages)), notes=(*used.notes, *notes))
    return used


def _alone(table: Table, cut: Grouping, considered: Estimate | None, choice: Choice) -> str:
    """Why one package is better; empty where several are."""
    if considered is None or len(cut.packages) < 2:
        return _one_piece(table, choice, considered)
    if not choice.triggers:
        return "there is too little to do for two agents"
    if considered.total < TINY:
        return f"about {considered.total:.0f} files, which one agent does sooner than a second one starts"
    if considered.speedup < WORTH_IT:
        return (
            f"{len(cut.packages)} packages would be {considered.speedup:.2f} times as fast at best, "
            f"less than {WORTH_IT}: {' -> '.join(considered.critical_path)} wait for each other"
        )
    return ""


def _one_piece(table: Table, choice: Choice, considered: Estimate | None) -> str:
    named = {clue.task for clue in table.evidence if clue.kind is ClueKind.TASK}
    count = sum(task.id in named for task in table.tasks)
    if choice.template is Template.BUG_FIX:
        return "a fix and its regression test are one agent's"
    if count < len(table.tasks) / 2:
        some = (
            f"only {count} of {len(table.tasks)} tasks {'names' if count == 1 else 'name'}"
            if count
            else "no task names"
        )
        return f"{some} a file, so nothing shows which could be done side by side"
    if considered and considered.total <= LITTLE:
        return "there is too little to do for two agents"
    return "the tasks are one piece of work that no two agents can share"


def _head(table: Table, used: Grouping, judged: Assessment, estimated: Estimate | None) -> list[str]:
    """The comment that the file begins with."""
    lines = [
        f"Drafted by parallel-plan from the documents of {table.change_id} and the code; yours to edit.",
        f"Recommended: {judged.recommendation}",
        f"Template: {judged.choice.template}, because {judged.choice.because}",
    ]
    if estimated and len(used.packages) > 1:
        waves = "; ".join(f"{number}. {', '.join(wave)}" for number, wave in enumerate(estimated.waves, 1))
        lines += [
            f"Waves: {waves}",
            f"Heaviest: {estimated.heaviest}, {estimated.share:.0%} of the work: {splitting(used, estimated.heaviest)}",
        ]
    return [*lines, *(f"Note: {note}" for note in used.notes)]


def splitting(used: Grouping, package_id: str) -> str:
    """What would split a package, for a person."""
    package = next(one for one in used.packages if one.id == package_id)
    folders = folders_of(package.write_allow)
    if len(folders) > 1:
        return (
            f"could be split by folder ({', '.join(folders[:3])}) once its tasks say what one part needs of the other"
        )
    return "its files lie in one folder: only a contract between two halves of it would split it"


def folders_of(globs: Sequence[str]) -> list[str]:
    """The folders that scopes lie in, those with most entries first."""
    counted: dict[str, int] = {}
    for glob in globs:
        folder = glob.removesuffix("/**") if glob.endswith("/**") else glob.rpartition("/")[0]
        counted[folder or "."] = counted.get(folder or ".", 0) + 1
    return sorted(counted, key=lambda folder: (-counted[folder], folder))
