"""What a package's prompt is made of: the change's documents in the base tree, and what came before."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.agents.prompt import Context
from parallel_impl.contracts import check as contracts
from parallel_impl.openspec import tasks
from parallel_impl.plan.model import Plan
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.spec import Workspace

LARGEST = 200_000  # bytes of one document that are read for a prompt


def collect(workspace: Workspace, job: Job, tree: str) -> Context:
    """The context of one attempt, read from `tree`, the commit that the worktree starts from."""
    folder, previous = workspace.places.folder, job.previous
    return Context(
        package=job.package,
        change_id=workspace.places.change_id,
        proposal=_read(workspace, tree, f"{folder}/proposal.md"),
        design=_read(workspace, tree, f"{folder}/design.md"),
        tasks=_tasks(workspace, job, tree),
        specs=dict(_specs(workspace, tree)),
        contracts=dict(_contracts(workspace, job.in_force.plan, tree)),
        dependencies={layer.package: tuple(change.path for change in layer.changes) for layer in job.above},
        previous=f"{previous.code}: {previous.why}" if previous else "",
        continues=bool(previous and previous.start),
        folder=folder,
    )


def _tasks(workspace: Workspace, job: Job, tree: str) -> str:
    """The tasks of the package; the whole file where the plan gives tasks to nobody."""
    path = workspace.places.tasks_file
    names = {package.id: package.tasks for package in job.in_force.plan.packages}
    if not any(names.values()):
        return _read(workspace, tree, path)
    found = tasks.read(workspace.repo.read(tree, path) or b"")
    own = tasks.excerpt(found, tasks.assign(found, names).tasks[job.package.id])
    return _shown(tasks.encoded(own), path)


def _specs(workspace: Workspace, tree: str) -> Iterator[tuple[str, str]]:
    for entry in workspace.repo.entries(tree, f"{workspace.places.folder}/specs", recurse=True):
        if entry.path.endswith(".md"):
            yield entry.path, _read(workspace, tree, entry.path)


def _contracts(workspace: Workspace, plan: Plan, tree: str) -> Iterator[tuple[str, str]]:
    for path in plan.contracts.files:
        for place in contracts.candidates(plan, path, workspace.places.folder):
            if text := _read(workspace, tree, place):
                yield place, text
                break


def _read(workspace: Workspace, tree: str, path: str) -> str:
    content = workspace.repo.read(tree, path)
    return "" if content is None else _shown(content, path)


def _shown(content: bytes, path: str) -> str:
    if len(content) > LARGEST:
        return f"[{len(content)} bytes, too long to show here; read {path}]"
    return content.decode("utf-8", "replace")
