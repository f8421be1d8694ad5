"""What a package's prompt is made of: the change's documents in the base tree, and what came before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.agents.prompt import Context
from parallel_impl.contracts import check as contracts
from parallel_impl.git.union import Layer
from parallel_impl.plan.model import Package
from parallel_impl.run.run import Ground

LARGEST = 200_000  # bytes of one document that are read for a prompt


def collect(
    ground: Ground, package: Package, tree: str, above: tuple[Layer, ...], *, previous: str, continues: bool
) -> Context:
    """The context of one attempt, read from `tree`, the commit that the worktree starts from."""
    folder = ground.places.folder
    tasks = _read(ground, tree, f"{folder}/tasks.md")
    return Context(
        package=package,
        change_id=ground.places.change_id,
        proposal=_read(ground, tree, f"{folder}/proposal.md"),
        design=_read(ground, tree, f"{folder}/design.md"),
        tasks=tasks_of(tasks, package.tasks),
        specs=dict(_specs(ground, tree)),
        contracts=dict(_contracts(ground, tree)),
        dependencies={layer.package: tuple(change.path for change in layer.changes) for layer in above},
        previous=previous,
        continues=continues,
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


def _specs(ground: Ground, tree: str) -> Iterator[tuple[str, str]]:
    for entry in ground.repo.entries(tree, f"{ground.places.folder}/specs", recurse=True):
        if entry.path.endswith(".md"):
            yield entry.path, _read(ground, tree, entry.path)


def _contracts(ground: Ground, tree: str) -> Iterator[tuple[str, str]]:
    for path in ground.plan.contracts.files:
        for place in contracts.candidates(ground.plan, path, ground.places.folder):
            if text := _read(ground, tree, place):
                yield place, text
                break


def _read(ground: Ground, tree: str, path: str) -> str:
    content = ground.repo.read(tree, path)
    if content is None:
        return ""
    if len(content) > LARGEST:
        return f"[{len(content)} bytes, too long to show here; read {path}]"
    return content.decode("utf-8", "replace")
