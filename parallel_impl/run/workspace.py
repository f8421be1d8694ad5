"""What a run works on: the user's repository, the places of its change, and the checkouts of its packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.repo import Repo
from parallel_impl.git.trees import Trees
from parallel_impl.git.watch import Watch
from parallel_impl.run.places import Places


@dataclass(frozen=True, slots=True)
class Workspace:
    """One repository and one change in it. Threads share it."""

    repo: Repo
    trees: Trees
    places: Places
    source: Source
    watch: Watch

    @classmethod
    def open(cls, repo: Repo, places: Places, base: str, home: Path, *, checkout: Path | None) -> Workspace:
        """Read what packages' repositories carry over at `base`, and the user's side as it is now.

        `home` is the folder of the worktrees, `checkout` the user's, whose files are watched too.
        """
        return cls(
            repo=repo,
            trees=Trees(repo, places.trees),
            places=places,
            source=Source.prepare(repo, base, home, indexes=places.indexes),
            watch=Watch(repo, places.change_id, checkout=checkout),
        )

    @property
    def home(self) -> Path:
        return self.source.home

    def set_ref(self, ref: str, commit: str) -> None:
        """Move a ref of our own; the watch over the user's repository expects it then."""
        self.watch.expect(ref, commit)
        self.repo.set_ref(ref, commit)

    def delete_ref(self, ref: str, commit: str) -> None:
        """Remove a ref of our own that is at `commit`; the watch expects it then."""
        self.watch.expect(ref, None)
        self.repo.delete_ref(ref, commit)


def put_away(checkout: Checkout, number: int, note: Callable[[str], None]) -> None:
    """Remove a checkout; what cannot be removed (files of root, of a container) goes to `.kept` and is noted."""
    try:
        checkout.remove()
    except OSError as error:
        note(f"{error}; moved to {checkout.keep(number)}")
