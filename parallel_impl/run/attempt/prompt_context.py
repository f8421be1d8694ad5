"""What a package's prompt is made of: the change's documents in the base tree, and what came before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parallel_impl import storage
from parallel_impl.agents.prompt import Context
from parallel_impl.contracts import check as contracts
from parallel_impl.gates.steps import StepStatus
from parallel_impl.git.repo import decode, encode
from parallel_impl.openspec import tasks
from parallel_impl.plan.globs.globs import covers
from parallel_impl.plan.ids import IMPLEMENTATION_PLAN
from parallel_impl.plan.model import Plan
from parallel_impl.record.result import load
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.on_base import first_word
from parallel_impl.run.spec import RunSpec, Workspace

LARGEST = 200_000  # bytes of one document that are read for a prompt
MOST = 20  # standards, and documents to read
FILES = ("100644", "100755")
DOCUMENTS = (".md", ".rst", ".txt", ".adoc")


def collect(workspace: Workspace, spec: RunSpec, job: Job, tree: str) -> Context:
    """The context of one attempt, read from `tree`, the commit that the worktree starts from."""
    folder, previous, mounts = workspace.places.folder, job.previous, workspace.source.mounts
    return Context(
        package=job.package,
        change_id=workspace.places.change_id,
        proposal=_read(workspace, tree, f"{folder}/proposal.md"),
        design=_read(workspace, tree, f"{folder}/design.md"),
        implementation_plan=_read(workspace, tree, f"{folder}/{IMPLEMENTATION_PLAN}"),
        tasks=_tasks(workspace, job, tree),
        specs=dict(_specs(workspace, tree)),
        contracts=dict(_contracts(workspace, job.in_force.plan, tree)),
        dependencies={layer.package: tuple(change.path for change in layer.changes) for layer in job.above},
        standards=dict(_matching(workspace, tree, spec.config.standards)),
        reading=dict(_to_read(workspace, job, tree)),
        previous=f"{previous.code}: {previous.why}" if previous else "",
        denied=_denied(workspace, job),
        continues=bool(previous and previous.start),
        folder=folder,
        ports=spec.config.ports,
        red_before=dict(_red_before(job)),
        gates=tuple((gate.name, gate.shown) for gate in spec.gates if gate.runs) if spec.single else (),
        renames=mounts is None or mounts.ability.renames,
    )


def _red_before(job: Job) -> Iterator[tuple[str, str]]:
    """The steps that fail on the base, by name, and how, as far as they have run there."""
    for step in job.package.steps:
        result = job.on_base.steps.known(step) if job.on_base else None
        if result and result.status is StepStatus.FAILED:
            yield step.name, first_word(result)


def _tasks(workspace: Workspace, job: Job, tree: str) -> str:
    """The tasks of the package; the whole file where the plan gives tasks to nobody."""
    path = workspace.places.tasks_file
    names = {package.id: package.tasks for package in job.in_force.plan.packages}
    if not any(names.values()):
        return _read(workspace, tree, path)
    found = tasks.read(workspace.trees.read(tree, path) or b"")
    own = tasks.excerpt(found, tasks.assign(found, names).tasks[job.package.id])
    return _shown(tasks.encoded(own), path)


def _matching(
    workspace: Workspace, tree: str, patterns: Sequence[str], *, endings: tuple[str, ...] = ("",)
) -> Iterator[tuple[str, str]]:
    """The files of the tree that the patterns mean (files, folders, globs); beyond MOST or LARGEST only names."""
    if not patterns:
        return
    listing = workspace.trees.listing(tree)
    files = (decode(path) for path in listing.paths if listing.entries[path][0] in FILES)
    paths = [path for path in files if path.endswith(endings)]
    found = [path for path in paths if any(covers(pattern, path) for pattern in patterns)]
    shown, size = 0, 0
    while shown < min(MOST, len(found)) and size < LARGEST:
        text = _read(workspace, tree, found[shown])
        yield found[shown], text
        shown, size = shown + 1, size + len(text)
    if more := found[shown:]:
        yield f"{len(more)} more files", "\n".join(f"- {path}" for path in more)


def _to_read(workspace: Workspace, job: Job, tree: str) -> Iterator[tuple[str, str]]:
    """The documents among what the plan lets the package read; its code is in the worktree."""
    patterns = [pattern for pattern in job.package.scope.read_allow if pattern != "**"]
    found = _matching(workspace, tree, patterns, endings=DOCUMENTS)
    return ((path, text) for path, text in found if not path.startswith(f"{workspace.places.folder}/"))


def _denied(workspace: Workspace, job: Job) -> tuple[str, ...]:
    """The tool calls that were refused in the attempt before."""
    if job.previous is None:
        return ()
    try:
        known = load(storage.read(workspace.places.attempt_files(job.package.id, job.previous.number).result))
    except (OSError, ValueError):
        return ()
    return tuple(dict.fromkeys(f"{one.tool} {one.target}".strip() for one in known.denied))


def _specs(workspace: Workspace, tree: str) -> Iterator[tuple[str, str]]:
    for raw in workspace.trees.listing(tree).below(encode(f"{workspace.places.folder}/specs")):
        if raw.endswith(b".md"):
            yield decode(raw), _read(workspace, tree, decode(raw))


def _contracts(workspace: Workspace, plan: Plan, tree: str) -> Iterator[tuple[str, str]]:
    for path in plan.contracts.files:
        for place in contracts.candidates(plan, path, workspace.places.folder):
            if text := _read(workspace, tree, place):
                yield place, text
                break


def _read(workspace: Workspace, tree: str, path: str) -> str:
    content = workspace.trees.read(tree, path)
    return "" if content is None else _shown(content, path)


def _shown(content: bytes, path: str) -> str:
    if len(content) > LARGEST:
        return f"[{len(content)} bytes, too long to show here; read {path}]"
    return content.decode("utf-8", "replace")
