"""The plan that `parallel-plan` proposes for a change: a fresh one, or the one that is there with what it lacks.

What is proposed is text; everything else about it (the plan, what is wrong, what is poor, the screen to sign off) comes
from reading that text, so that an edit of it is judged as the draft was.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from parallel_impl import config, storage
from parallel_impl.contracts import plan_check
from parallel_impl.errors import Problem, Severity, UserError, count
from parallel_impl.openspec import plan_age, task_names, tasks
from parallel_impl.openspec.tasks import TaskList
from parallel_impl.plan import check, ids
from parallel_impl.plan.check import Finding
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.planning import addition, plan_facts, sign_off, sources
from parallel_impl.planning.grouping import draft
from parallel_impl.planning.grouping.draft import Draft
from parallel_impl.planning.grouping.plan_text import PlanOrigin
from parallel_impl.planning.preparation import implementation_plan
from parallel_impl.planning.reading import snapshot, table
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.evidence import Table
from parallel_impl.planning.reading.phases import Phases
from parallel_impl.planning.sources import ChangeSources

Drafting = Callable[["Subject", PlanOrigin], Draft]


class Subject:
    """A change that is being planned: its sources, and what is read of them when it is asked for.

    `phases`: what it means that one section of the task list stands behind another.
    """

    def __init__(self, sources: ChangeSources, phases: Phases | None = None) -> None:
        self.sources = sources
        self.phases = phases

    @cached_property
    def code(self) -> Code:
        """The code at HEAD."""
        return snapshot.take(self.sources.repo, self.sources.commit)

    @cached_property
    def tasks(self) -> TaskList:
        """The change's tasks."""
        return tasks.read(self.sources.tasks or b"")

    @cached_property
    def table(self) -> Table:
        """The evidence table."""
        found = self.sources
        return table.build(found.change_id, found.documents, self.code, change_path=found.folder, phases=self.phases)

    @property
    def source(self) -> str:
        """The plan as messages call it, from the root of the repository."""
        return self.sources.plan_file.relative_to(self.sources.top).as_posix()

    def written(self) -> list[str]:
        """The files that writing the plan writes, from the root of the repository."""
        found = self.sources
        files = (found.tasks_file, found.plan_file) if found.made_tasks else (found.plan_file,)
        return [file.relative_to(found.top).as_posix() for file in files]

    def read(self, path: str) -> bytes | None:
        """A file of the code."""
        return self.sources.repo.read(self.sources.commit, path)


@dataclass(frozen=True, slots=True)
class ProposedPlan:
    """A plan as it would be written. `plan` and `order` are None where `problems` has an error.

    `recommendation` says whether it is worth running in parallel (`parallel`); `notes` are for a person; `added` are
    the packages that were put behind those of a plan that was there (None for a fresh plan).
    """

    content: bytes
    plan: Plan | None
    order: Order | None
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    recommendation: str
    parallel: bool
    notes: tuple[str, ...] = ()
    added: tuple[str, ...] | None = None

    def screen(self) -> list[str]:
        """The lines that a person signs off; none where the plan cannot be used."""
        if self.plan is None or self.order is None:
            return []
        return sign_off.screen(self.plan, self.order, self.findings, self.recommendation)


def by_code(subject: Subject, origin: PlanOrigin, *, template: str = "") -> Draft:
    """The draft that code makes by itself."""
    return draft.draft(subject.table, template=template, read=subject.read, origin=origin)


def require_tasks(subject: Subject) -> None:
    """UserError where there is nothing to plan."""
    if not subject.tasks.tasks:
        where = f"{subject.sources.folder}/tasks.md"
        found = subject.sources
        what = "there is no box in it" if found.tasks is not None else "there is no tasks.md"
        if found.tasks_file.exists() and (found.tasks is None or b"\0" in found.tasks):
            what = "it is no text file"
        hint = (
            "write what is to be done as boxes:   - [ ] 1.1 …\n"
            f"or take them from a spec's tickets:  parallel-plan {found.change_id} --from FILE --write\n"
            f"or do the change as one package:     parallel-implement {found.change_id} --single"
        )
        raise UserError(f"nothing to plan: {what}", where=where, hint=hint)


def fresh(subject: Subject, drafting: Drafting) -> ProposedPlan:
    """A plan made from the change alone, whatever plan it has. UserError where there are no tasks."""
    require_tasks(subject)
    made = drafting(subject, PlanOrigin(subject.sources.commit, tasks.tasks_hash(subject.tasks)))
    judged = made.judged
    return _examined(subject, made.text.encode(), judged.recommendation, parallel=judged.parallel, notes=made.notes)


def extended(subject: Subject, content: bytes) -> ProposedPlan:
    """The plan that the change has, with packages for the tasks that nobody has. UserError where it cannot be used."""
    checked = _check(subject, content)
    if checked.plan is None:
        raise UserError(checked.problems)
    plan, owned = checked.plan, list(plan_facts.owned(checked.plan, subject.table, subject.tasks))
    found = addition.add(content, subject.source, plan, subject.table, owned, read=subject.read)
    said = f"{count(len(found.packages), 'package')} added: {', '.join(found.packages)}" if found.packages else ""
    recommendation = said or "the plan as it is: no task is without a package"
    proposal = _examined(subject, found.content, recommendation, parallel=True, added=found.packages)
    return replace(proposal, problems=(*proposal.problems, *age(subject, plan)))


def again(subject: Subject, before: ProposedPlan, content: bytes) -> ProposedPlan:
    """A proposal whose text a person edited."""
    return _examined(
        subject, content, before.recommendation, parallel=before.parallel, notes=before.notes, added=before.added
    )


def examine(subject: Subject, plan: Plan, order: Order) -> list[Finding]:
    """What is poor about a plan of the change, held against its texts and the code."""
    found = subject.sources
    facts = plan_facts.find(plan, subject.table, subject.tasks, subject.code.read, has_design=found.has_design)
    return check.check(plan, order, facts)


def documents(subject: Subject) -> list[Problem]:
    """Warnings about the documents: those that are not committed, and what an implementation plan lacks."""
    found = subject.sources
    prepared = [one for one in found.documents if one.path == ids.IMPLEMENTATION_PLAN]
    lacks = (implementation_plan.problems(one.text, f"{found.folder}/{one.path}") for one in prepared)
    return [*found.problems(), *(problem for each in lacks for problem in each)]


def age(subject: Subject, plan: Plan) -> list[Problem]:
    """Warnings where a plan is older than its tasks, or than what it names at HEAD."""
    found = subject.sources
    return list(plan_age.problems(found.repo, plan, found.commit, found.tasks))


def write(subject: Subject, content: bytes, folder: Path) -> tuple[str, str]:
    """Write the plan, and nothing else; the two lines that commit it, as they are typed in `folder`.

    A task list that was made from an implementation spec is written beside it: the plan names its boxes.
    """
    found = subject.sources
    check_untouched(found.plan_file, content, found.plan)
    if found.made_tasks:
        put_file(found.tasks_file, found.made_tasks, None)
    put_file(found.plan_file, content, found.plan)
    wanted = found.plan_file.parent if found.uncommitted or found.made_tasks else found.plan_file
    return plan_check.commit_lines(shlex.quote(os.path.relpath(wanted, folder)), found.change_id)


def put_file(file: Path, content: bytes, before: bytes | None) -> None:
    """Write a file of the change folder for whoever owns that: they will want to edit it. See `check_untouched`."""
    check_untouched(file, content, before)
    existed = file.exists()
    owner = file.stat() if existed else file.parent.stat()
    storage.write_atomically(file, content)
    if os.geteuid() == 0:
        os.chown(file, owner.st_uid, owner.st_gid)
    if existed:
        file.chmod(owner.st_mode)


def check_untouched(file: Path, content: bytes, before: bytes | None) -> None:
    """UserError where a file is not as it was `before` (None: it was not there), nor has this content already.

    Somebody may have edited it while a plan was made, or read at a terminal. And where it is a link.
    """
    if file.is_symlink():
        raise UserError("it is a link, and is not written", where=str(file), hint="put the file itself in its place")
    if sources.content(file) not in (before, content):
        what = "it was changed while this was being made, and is left as it is now"
        raise UserError(what, where=str(file), hint="give the command again")


def _examined(
    subject: Subject,
    content: bytes,
    recommendation: str,
    *,
    parallel: bool,
    notes: Sequence[str] = (),
    added: tuple[str, ...] | None = None,
) -> ProposedPlan:
    checked = _check(subject, content)
    findings = examine(subject, checked.plan, checked.order) if checked.plan and checked.order else []
    return ProposedPlan(
        content=content,
        plan=checked.plan,
        order=checked.order,
        problems=checked.problems,
        findings=tuple(findings),
        recommendation=recommendation,
        parallel=parallel,
        notes=tuple(notes),
        added=added,
    )


def _check(subject: Subject, content: bytes) -> plan_check.Checked:
    """A plan held against the rules of plans, with the contracts as they lie in the work tree."""
    found = subject.sources
    read = plan_check.reader(found.top)
    settings = config.read(read(config.FILE), read("pyproject.toml"))
    checked = plan_check.check(
        content, subject.source, read, folder=found.folder, openapi_seconds=settings.openapi_seconds
    )
    if checked.plan is None:
        return checked
    named = tuple(task_names.problems(found.tasks, f"{found.folder}/tasks.md", checked.plan))
    misnamed = tuple(_misnamed(checked.plan, found.change_id))
    problems = (*checked.problems, *named, *misnamed)
    usable = all(problem.severity is not Severity.ERROR for problem in problems)
    plan, order = (checked.plan, checked.order) if usable else (None, None)
    return plan_check.Checked(checked.source, plan, order, problems)


def _misnamed(plan: Plan, change_id: str) -> list[Problem]:
    if plan.feature_id == change_id:
        return []
    what = f"feature.id is {plan.feature_id!r}, but the change is {change_id!r}"
    return [Problem(what, plan.where("feature", "id"), hint=f"write feature.id: {change_id}")]
