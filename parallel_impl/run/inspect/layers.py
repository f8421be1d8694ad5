"""The layers that a repository keeps between runs: prepared checkouts, which the next run finds ready."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.errors import count
from parallel_impl.git import home as homes
from parallel_impl.git import layer, mounts
from parallel_impl.git.repo import Repo
from parallel_impl.run.inspect import run_status
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.text import size

COMMAND = "parallel-cleanup --layers"
ANY = "any"  # change: their homes lie side by side


@dataclass(frozen=True, slots=True)
class Layers:
    """How many layers there are, and how many bytes they use of the disk."""

    number: int
    bytes: int

    def __str__(self) -> str:
        return f"{count(self.number, 'layer')} ({size(self.bytes)})"


@dataclass(frozen=True, slots=True)
class Overview:
    """The runs of a repository, and what is kept for the next ones."""

    runs: list[RunStatus]
    layers: Layers


def overview(folder: Path) -> Overview:
    """Of the repository that `folder` lies in, which is opened once."""
    common = Repo.discover(folder).git_dir
    runs = run_status.runs(common)
    main = common.parent if common.name == ".git" else common
    return Overview(runs, _counted(_stores(common, main, runs)))


def left_beside(home: Path, *, but: str) -> str:
    """What a clean-up of one change leaves for others, with the line that removes it; "" where there is nothing.

    `but`: what serves this run alone goes.
    """
    found = _counted([mounts.store_of(home)], but=but)
    return f"{found} of set-up stay for other runs; to remove them: {COMMAND}" if found.number else ""


def _counted(stores: list[Path], *, but: str = "") -> Layers:
    found = [layer.count(store, but=but) for store in stores]
    return Layers(sum(number for number, _ in found), sum(used for _, used in found))


@dataclass(slots=True)
class Emptying:
    """What went, or would, and what stays, as lines for people."""

    removed: Layers
    dry_run: bool
    kept: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        verb = "would remove" if self.dry_run else "removed"
        gone = [f"{verb} {self.removed}"] if self.removed.number else []
        return [*gone, *(f"kept {what}" for what in self.kept)] or ["there are no layers to remove"]


def empty(folder: Path, *, dry_run: bool) -> Emptying:
    """Remove the layers of the repository that `folder` lies in; those that are in use, or needed, are named."""
    repo = Repo.discover(folder)
    stores = _stores(repo.git_dir, repo.worktrees()[0].path, run_status.runs(repo.git_dir))
    number = used = 0
    kept = list[str]()
    for store in stores:
        found = layer.empty(store, dry_run=dry_run)
        number, used = number + len(found.removed), used + found.bytes
        kept += [f"{place}: {why}" for place, why in found.left.items()]
        if not dry_run:
            mounts.remove_empty(store)  # it lies as the home of a change would
            with contextlib.suppress(OSError):  # a home lies beside it
                store.parent.rmdir()
    return Emptying(Layers(number, used), dry_run, kept)


def _stores(common: Path, main: Path, runs: Iterable[RunStatus]) -> list[Path]:
    """Where the layers of a repository may lie: beside the homes of its runs, and where a run would put its home."""
    above = [*homes.possible(common, main), *(Path(run.state.home).parent for run in runs if run.state.home)]
    return [store for folder in dict.fromkeys(above) if (store := mounts.store_of(folder / ANY)).is_dir()]
