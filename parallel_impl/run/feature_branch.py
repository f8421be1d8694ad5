"""The feature branch as a run knows it: where it may be, and what came with it when somebody moved it.

A commit that a gate or an agent made there and one of the user's look alike, so each halts the run once; the same
command again is the user's consent to exactly that commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parallel_impl.errors import count, printable
from parallel_impl.git.repo import Repo
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.text import shorten

COMMITS, PATHS = 10, 20  # that are named
LONGEST = 100  # characters of a subject


@dataclass(frozen=True, slots=True)
class Move:
    """The branch is at `tip` ("": gone), which nobody agreed to; `before` is where it may be (None: not known).

    `came` and `gone` are the commits that it has now and had then, as `<id> <subject>`; `paths` differ between both.
    """

    branch: str
    tip: str
    before: str | None
    came: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def describe(self, change_id: str) -> str:
        """What was moved, what comes with it, and what to type in either case."""
        return "\n".join([self._what(), *self.details(), *self._what_next(change_id)])

    def details(self) -> Iterator[str]:
        """The commits and paths that came or went, the first of them."""
        yield from _listed("commit", "came with it", self.came, COMMITS)
        yield from _listed("commit", "is not in it any more" if len(self.gone) == 1 else "are not in it any more",
                           self.gone, COMMITS)  # fmt: skip
        yield from _listed("path", "differs" if len(self.paths) == 1 else "differ", self.paths, PATHS)

    def _what(self) -> str:
        if self.before is None:
            return f"{self.branch} is at {self.tip[:12]}; the version that began this run did not record where it was"
        if not self.tip:
            return f"{self.branch} was deleted; it was at {self.before[:12]}"
        if not self.before:
            return f"{self.branch} was made since the run began, at {self.tip[:12]}"
        if self.before == self.tip:
            return f"{self.branch} is at {self.tip[:12]}, which the run did not start from"
        return f"{self.branch} was moved from {self.before[:12]} to {self.tip[:12]}"

    def _what_next(self, change_id: str) -> Iterator[str]:
        yield f"to land on it as it is: parallel-implement {change_id}"
        ref = f"refs/heads/{self.branch}"
        if self.before is None or self.before == self.tip:
            return
        if not self.before:
            yield f"or remove it: git update-ref -d {ref} {self.tip}"
        else:
            yield f"or put it back: git update-ref {ref} {self.before}" + (f" {self.tip}" if self.tip else "")


def find_move(repo: Repo, places: Places, state: State, base: str) -> Move | None:
    """How the branch was moved since the run began, or since the user agreed to where it is; None where it was not.

    Commits that the run itself put together or proved are no move, whoever put the branch there; nor are the user's on
    top of a proven one, and a branch that was made where it holds nothing but what the run started from.
    """
    tip = repo.ref(places.branch_ref) or ""
    if tip == (state.tip or "") or tip in state.candidates or is_taken(repo, state, tip):
        return None
    if state.tip == "" and repo.is_ancestor(tip, base):
        return None
    return describe(repo, places, tip, state.tip, base)


def is_taken(repo: Repo, state: State, tip: str) -> bool:
    """Whether the branch has the commit that is proven: the user took it by hand, or the run was killed at its end."""
    return bool(tip and state.proven) and repo.resolve(state.proven) is not None and repo.is_ancestor(state.proven, tip)


def describe(repo: Repo, places: Places, tip: str, before: str | None, base: str) -> Move:
    """What lies between `before` and `tip`; where one of them is unknown or no commit, the run's base stands for it."""
    there = bool(before) and before != tip and repo.resolve(before or "") is not None  # else it was pruned, say
    old, new = before if before and there else base, tip or base
    known = [f"^{base}"]
    return Move(
        places.branch,
        tip,
        before,
        came=_commits(repo, new, [f"^{old}", *known]) if tip else (),
        gone=_commits(repo, old, [f"^{new}", *known]) if there else (),
        paths=tuple(change.path for change in repo.changes(_fork(repo, old, new), new)),
    )


def agreed(repo: Repo, places: Places, state: State) -> str:
    """The commit of the branch that plan and configuration may be read from; "" where there is none.

    Not one that somebody moved it to since: that is asked first. Nor what the user put on top of a proven commit: all
    has landed by then.
    """
    if state.started is None:
        return repo.ref(places.branch_ref) or ""
    tip = repo.ref(places.branch_ref) or ""
    if tip and is_taken(repo, state, tip):
        return state.proven
    if tip == state.asked or find_move(repo, places, state, state.started.base) is None:
        return tip
    before = state.started.base if state.tip is None else state.tip
    return before if repo.resolve(before) else ""


def _fork(repo: Repo, old: str, new: str) -> str:
    """Where paths are compared from: `old`, or where the two parted: what only `old` has did not come with `new`."""
    if repo.is_ancestor(new, old):
        return old
    return repo.text("merge-base", old, new, ok=(0, 1)).split("\n")[0] or old


def _commits(repo: Repo, tip: str, without: list[str]) -> tuple[str, ...]:
    """The commits that only `tip` has, the newest first, each with its subject."""
    out = repo.text("rev-list", "--no-commit-header", "--format=%H %s", "--end-of-options", tip, *without)
    pairs = (line.partition(" ")[::2] for line in out.split("\n") if line)
    return tuple(shorten(printable(f"{commit[:12]} {subject}"), LONGEST) for commit, subject in pairs)


def _listed(noun: str, verb: str, names: tuple[str, ...], limit: int) -> Iterator[str]:
    if not names:
        return
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    yield f"{count(len(names), noun)} {verb}: {', '.join(printable(name) for name in names[:limit])}{more}"
