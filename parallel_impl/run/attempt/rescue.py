"""Work that an attempt left elsewhere than in its worktree: kept on refs of ours before its repository goes.

One ref for each place, beside the attempt's own: `attempts/<package>/<n>.<name>`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.git import side_work
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.own_objects import UnreadableError
from parallel_impl.git.repo import GitError
from parallel_impl.git.side_work import SideWork, TakenTree
from parallel_impl.record.result import SideWorkRecord
from parallel_impl.run.spec import RunSpec, Workspace

SHOWN = 20  # paths of one place


def save(
    spec: RunSpec,
    workspace: Workspace,
    checkout: Checkout,
    taken: TakenTree,
    *,
    package: str,
    number: int,
    note: Callable[[str], None],
) -> tuple[SideWorkRecord, ...]:
    """Keep what was not taken and say where.

    A repository that cannot be looked through is kept whole, and so is one that the agent made beside its worktree.
    OSError when a disk is full, UserError when a lock of git is in the way: then everything is where it was.
    """
    places = workspace.places
    refs = workspace.repo.refs(places.attempt_refs)
    prefix = places.side_ref(package, number, "")
    known = {ref.removeprefix(prefix): refs[ref] for ref in places.side_refs_of(package, number, refs)}
    try:
        found = side_work.find(workspace.trees, checkout, taken, date=spec.date, known=known)
        if found:
            commits = [one.commit for one in found]
            side_work.bring(workspace.repo, checkout.git_dir, commits, scratch=workspace.trees.scratch)
        kept = tuple(_keep(spec, workspace, package, number, one) for one in found)
    except (GitError, UnreadableError, OSError) as error:
        if isinstance(error, OSError) and storage.problem(error):
            raise
        note(f"its repository cannot be looked through ({error}) and is kept whole: {checkout.keep(number)}")
        return ()
    for one in kept:
        note(f"it left work elsewhere than in its worktree: {_line(one)}, kept on {one.ref}")
    if made := _repository_beside(spec, checkout):
        note(f"it made a repository beside its worktree ({printable(made)}): kept whole: {checkout.keep(number)}")
    return kept


def _repository_beside(spec: RunSpec, checkout: Checkout) -> str:
    """The name of a repository that goes with the level of the worktree, and that set-up did not make; "" for none."""
    try:
        beside = checkout.beside()
    except OSError:  # the agent removed the level, or made a file of it
        return ""
    made = (path.name for path in beside if path.name not in spec.beside and (path / ".git").is_dir())
    return next(made, "")


def _keep(spec: RunSpec, workspace: Workspace, package: str, number: int, found: SideWork) -> SideWorkRecord:
    """Put it on its ref, and see that it is whole there."""
    ref = workspace.places.side_ref(package, number, found.name)
    workspace.set_ref(ref, found.commit)
    if missing := workspace.repo.missing(found.commit, known=spec.base):
        workspace.delete_ref(ref, found.commit)  # it would fail every gc of the user's
        raise GitError(("rev-list", "--missing=print", found.commit), 1, f"objects vanish: {missing[:3]}".encode())
    return SideWorkRecord(found.where, ref, found.commit, found.paths)


def describe(kept: Sequence[SideWorkRecord]) -> str:
    """Where the work lay, for the next attempt and for people; "" for none."""
    lines = (f"  {_line(one)}; see: git show {one.commit[:12]}" for one in kept)
    return "\n".join(["\nwork that it left elsewhere, where it is not taken:", *lines]) if kept else ""


def _line(one: SideWorkRecord) -> str:
    more = f" and {len(one.paths) - SHOWN} more" if len(one.paths) > SHOWN else ""
    return printable(f"{one.where}: {', '.join(one.paths[:SHOWN])}{more}".replace("\n", "\\n"))
