"""What a package's prompt is made of: the change's documents in the base tree, and what came before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.agents.prompt import Context
from parallel_impl.contracts import check as contracts
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
        tasks=tasks_of(_read(workspace, tree, workspace.places.tasks_file), job.package.tasks),
        specs=dict(_specs(workspace, tree)),
        contracts=dict(_contracts(workspace, job.in_force.plan, tree)),
        dependencies={layer.package: tuple(change.path for change in layer.changes) for layer in job.above},
        previous=f"{previous.code}: {previous.why}" if previous else "",
        continues=bool(previous and previous.start),
        folder=folder,
    )


def tasks_of(text: str, wanted: tuple[str, ...]) -> str:
    """The lines of tasks.md that number the wanted tasks, with what belongs to them; all where none is named."""
    if not wanted:
        return text
    kept, keeping = [], False
    for line in text.splitlines():
        number = re.match(r"\s*[-*] \[[ xX]\] \**([\w.]+)", line)
        heading = re.match(r"#+\s+\**([\w.]+)", line)
        if number:
            keeping = number[1].rstrip(".") in wanted
        elif heading:
            keeping = heading[1].rstrip(".") in wanted
        if keeping:
            kept.append(line)
    return "\n".join(kept) or text


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
    if content is None:
        return ""
    if len(content) > LARGEST:
        return f"[{len(content)} bytes, too long to show here; read {path}]"
    return content.decode("utf-8", "replace")
