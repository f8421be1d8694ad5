"""How large the files of packages and of the run become, looked at from time to time where they have a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.run.run import Run
from parallel_impl.storage import size

LEAST, SHARE = 1.0, 20  # seconds between two looks, and how many times as long as a look takes they are at least
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Grown:
    """The files of a package, or ("") of the run, are over their limit: why."""

    package: str
    why: str


@contextmanager
def watching(run: Run, at_work: Callable[[], list[str]], post: Callable[[Grown], None]) -> Iterator[None]:
    """Look at the files of the packages `at_work`, and at the run's, and post what is over a limit; until the end."""
    limits = run.spec.config.limits
    if not any(name in each for each in (limits.package, limits.run) for name in ("output_mb", "disk_mb")):
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_look, args=(run, at_work, post, done), name="sizes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _look(run: Run, at_work: Callable[[], list[str]], post: Callable[[Grown], None], done: threading.Event) -> None:
    limits, places, pause = run.spec.config.limits, run.workspace.places, LEAST
    while not done.wait(pause):
        began = time.monotonic()
        for package in at_work():
            if why := over(limits.package, _output(run, package), _disk(run, package)):
                post(Grown(package, why))
        if why := over(limits.run, [places.attempts], [run.workspace.home, *_written(run), places.client_homes]):
            post(Grown("", why))
        pause = max(LEAST, SHARE * (time.monotonic() - began))


def over(limits: Mapping[str, float], output: Iterable[Path], disk: Iterable[Path]) -> str:
    """Which of the two limits these folders exceed, for people; "" when none."""
    for name, folders in (("output_mb", output), ("disk_mb", disk)):
        if name in limits and (used := sum(map(size, folders)) / MB) > limits[name]:
            return f"{name}: {used:.1f} of {limits[name]:g} MB used"
    return ""


def _output(run: Run, package: str) -> list[Path]:
    """The folders of the attempts that count, with all that the agent and the steps printed."""
    progress = run.state.packages[package]
    numbers = range(progress.counts_from + 1, progress.attempts + 1)
    return [run.workspace.places.attempt(package, number) for number in numbers]


def _disk(run: Run, package: str) -> list[Path]:
    """The worktree, what belongs to it, and the private HOME."""
    places, home = run.workspace.places, run.workspace.home
    names = [*places.checkouts_of(package), f"{package}.git"]
    written = [views / name for views in _written(run) for name in places.checkouts_of(package)]
    return [*(home / name for name in names), *written, places.client_home(package)]


def _written(run: Run) -> list[Path]:
    """The folder with what views write, which lies outside the home."""
    mounts = run.workspace.source.mounts
    return [mounts.views] if mounts else []
