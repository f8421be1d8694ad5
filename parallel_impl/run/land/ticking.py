"""The boxes of `tasks.md` in the candidate: ticked for accepted packages, in a commit of the orchestrator's own.

It is the last commit before the gates, made from that tree's own file, so what the branch's tip did to the file stays.
Made again after a crash it is the same commit.
"""

from __future__ import annotations

from parallel_impl.git.repo import Change
from parallel_impl.openspec import tasks
from parallel_impl.run.land import assemble
from parallel_impl.run.run import Run


def tick(run: Run, candidate: str, whole: str = "") -> str:
    """The candidate with the boxes of its packages' tasks ticked; `candidate` itself where there is none to tick.

    The one package of a run without a plan has all tasks, whatever it could name. `whole` is the accepted work before
    its merge with the branch's tip ("": there was none): what a task's name means is read there, for the tip may have
    numbered its tasks anew, and nobody did what only the tip's list asks for.
    """
    repo, places = run.workspace.repo, run.workspace.places
    names = {package.id: package.tasks for package in run.in_force.plan.packages}
    found = repo.entries(candidate, places.tasks_file)
    content = repo.read(candidate, places.tasks_file)
    if content is None or not (run.spec.single or any(names.values())):
        return candidate
    known = tasks.read(repo.read(whole, places.tasks_file) or b"" if whole else content)
    done = range(len(known.tasks)) if run.spec.single else tasks.named(known, names)
    listed = tasks.read(content)
    ticked = tasks.tick(listed, tasks.same(known, done, listed))
    if ticked == content:
        return candidate
    mode, old = found[0].mode, found[0].oid
    change = Change(mode, mode, old, repo.write_blob(ticked), "M", places.tasks_file)
    message = f"Tick the tasks of {places.change_id}\n\nChange-Id: {places.change_id}\n"
    return assemble.add(run, candidate, [change], message)


def open_tasks(run: Run, commit: str) -> tuple[str, ...]:
    """The tasks whose boxes are not ticked in a commit, as people call them."""
    content = run.workspace.repo.read(commit, run.workspace.places.tasks_file)
    return tasks.still_open(tasks.read(content)) if content is not None else ()
