"""The boxes of `tasks.md` in the candidate: ticked for accepted packages, in a commit of the orchestrator's own.

It is the last commit before the gates, made from that tree's own file, so what the branch's tip did to the file stays.
Made again after a crash it is the same commit.
"""

from __future__ import annotations

from parallel_impl.git import union
from parallel_impl.git.repo import Change
from parallel_impl.openspec import tasks
from parallel_impl.run.run import Run


def tick(run: Run, candidate: str) -> str:
    """The candidate with the boxes of its packages' tasks ticked; `candidate` itself where there is none to tick."""
    repo, places = run.workspace.repo, run.workspace.places
    names = {package.id: package.tasks for package in run.in_force.plan.packages}
    found = repo.entries(candidate, places.tasks_file)
    content = repo.read(candidate, places.tasks_file)
    if content is None or not any(names.values()):
        return candidate
    listed = tasks.read(content)
    ticked = tasks.tick(listed, tasks.named(listed, names))
    if ticked == content:
        return candidate
    mode, old = found[0].mode, found[0].oid
    change = Change(mode, mode, old, repo.write_blob(ticked), "M", places.tasks_file)
    message = f"Tick the tasks of {places.change_id}\n\nChange-Id: {places.change_id}\n"
    run.workspace.watch.expect_any(places.candidate_ref)
    commit = union.put(
        repo,
        candidate,
        [change],
        message,
        ref=places.candidate_ref,
        date=run.spec.date,
        identity=run.spec.identity,
    )
    run.workspace.watch.expect(places.candidate_ref, commit)
    return commit


def open_tasks(run: Run, commit: str) -> tuple[str, ...]:
    """The tasks whose boxes are not ticked in a commit, as people call them."""
    content = run.workspace.repo.read(commit, run.workspace.places.tasks_file)
    return tasks.still_open(tasks.read(content)) if content is not None else ()
