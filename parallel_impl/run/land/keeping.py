"""`keep_completed`: the pages of accepted packages in the candidate, in a commit of the orchestrator's own.

They are published with it, so what looks like a key is masked, as in the body of a pull request.

Nothing in them depends on when or how often something was done, so every order of completion gives the same tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.forge import escape
from parallel_impl.git.repo import Change
from parallel_impl.report import completed, summary
from parallel_impl.run.land import assemble
from parallel_impl.run.run import Run

FILE, ABSENT, NOTHING = "100644", "000000", "0" * 40


def pages(run: Run) -> Iterator[tuple[str, str]]:
    """Each package whose work lands, and its page."""
    plan, attempts = run.in_force.plan, run.workspace.places.attempts
    for name in run.in_force.order.topological:
        layer, ended = run.layers.get(name), run.state.packages[name].ended
        if layer and ended:
            result = summary.read_result(attempts / name / str(ended[-1].number))
            page = completed.render(plan.package(name), map(_told, layer.changes), result)
            yield name, escape.masked(page, run.launch.mask)


def _told(change: Change) -> tuple[str, str]:
    """What was done to a path, in a word."""
    if change.new_mode == ABSENT:
        return "removed", change.path
    return ("added" if change.old_mode == ABSENT else "changed"), change.path


def keep(run: Run, candidate: str) -> str:
    """The candidate with the pages of its packages; `candidate` itself where they are not wanted, or there already."""
    repo, places = run.workspace.repo, run.workspace.places
    if not run.spec.config.keep_completed:
        return candidate
    there = repo.entries(candidate, places.kept_pages)
    if there and there[0].kind != "tree":
        run.note(f"{places.kept_pages} is a file: the pages of the packages are in {places.completed} only")
        return candidate
    known = {entry.path: entry for entry in repo.entries(candidate, places.kept_pages, recurse=True)}
    changes = []
    for name, page in pages(run):
        path, old = places.kept_page(name), known.get(places.kept_page(name))
        new = repo.write_blob(page.encode())
        if old is None:
            changes.append(Change(ABSENT, FILE, NOTHING, new, "A", path))
        elif old.oid != new:
            changes.append(Change(old.mode, FILE, old.oid, new, "M", path))
    if not changes:
        return candidate
    message = f"Keep what the packages of {places.change_id} did\n\nChange-Id: {places.change_id}\n"
    return assemble.add(run, candidate, changes, message)
