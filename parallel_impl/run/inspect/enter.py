"""Where the checkout of a package is now: at work, left by a run that was killed, or kept whole. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.errors import UserError, printable
from parallel_impl.gates import setup
from parallel_impl.git import layer, mounts
from parallel_impl.git.home import KEPT
from parallel_impl.git.layer import LAYERS
from parallel_impl.git.repo import Repo
from parallel_impl.run.inspect import run_status
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.run.resume import leftovers
from parallel_impl.views import entry
from parallel_impl.views.entry import LeftView


@dataclass(frozen=True, slots=True)
class Room:
    """A checkout that can be gone into, in `folder`, and in a line what it is.

    `holder` is the process that holds its view (0: none), `left` what a view has left (None: nothing has). `counts`:
    what is changed there is taken as the attempt's.
    """

    folder: Path
    about: str
    holder: int = 0
    left: LeftView | None = None
    counts: bool = False

    def go_in(self) -> None:
        """Take this process there. UserError where that cannot be."""
        if self.holder:
            entry.join(self.holder, self.folder)
        elif self.left:
            entry.look(self.left)
        else:
            entry.go_to(self.folder)


def find(folder: Path, change_id: str, package: str) -> Room:
    """The checkout of a package. UserError where there is no such package, nothing of it, or not all that it needs."""
    run = run_status.run(folder, change_id)
    known = [*run.state.packages, *run.state.removed]
    if package not in known:
        if not known and run.owner:
            raise UserError(f"the run of {change_id} is being made ready", hint="try again when packages are listed")
        raise UserError(f"{change_id} has no package {package!r}", hint=f"packages: {', '.join(known)}")
    repo = Repo.discover(folder)
    home = leftovers.find_home(repo, run.places, run.state, checkout=repo.top(folder)).path
    name = run.state.started.repository_name if run.state.started else ""
    rooms = [*_open(run, home, name, package), *_kept(home, name, package)]
    live = [room for room in rooms if room.holder]
    if found := next(iter([*live, *rooms]), None):
        return found
    raise UserError(
        f"there is no checkout of {package}: nobody works at it, and of no attempt it had to be kept whole",
        where=change_id,
        hint=_taken(run, package),
    )


def _taken(run: RunStatus, package: str) -> str:
    """Where the work of its last attempt is; "" where it had none."""
    ended = run.state.packages[package].ended if package in run.state.packages else []
    refs = [run.places.attempt_ref(package, one.number) for one in ended if one.commit]
    return f"what its last attempt did: git show {refs[-1]}" if refs else ""


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program in the checkout that this process is in: its `.venv` first on PATH."""
    return setup.environment_of(Path.cwd(), env)


def _open(run: RunStatus, home: Path, name: str, package: str) -> Iterator[Room]:
    """The checkouts that attempts at the package have open, or had when the run was killed."""
    at, working = mounts.one_path(home, name), f"parallel-implement {run.places.change_id} goes on with it"
    for checkout in run.places.checkouts_of(package):
        level, written = home / checkout, mounts.written_in(home, checkout)
        what = f"{package}, {'its attempt' if checkout == package else 'its verification'}"
        if holder := entry.find(level, at):
            yield Room(
                at, f"{what}, at work: until it ends, what you change here counts as changed by it", holder, counts=True
            )
        elif (written / LAYERS).is_file():
            yield _left(at, level, home, written, f"{what}, as a killed run has left it, to be read; {working}")
        elif not written.exists() and (level / name).is_dir():
            state = "at work" if run.owner else f"as a killed run has left it; {working}"
            yield Room(level / name, f"{what}, {state}: what you change here counts as changed by it", counts=True)


def _kept(home: Path, name: str, package: str) -> Iterator[Room]:
    """What could not be taken, the last one first."""
    found = {path: path.name.removeprefix(f"{package}.") for path in (home / KEPT).glob(f"{package}.*")}
    numbers = {int(number): path for path, number in found.items() if number.isdecimal()}
    for number in sorted(numbers, reverse=True):
        level = numbers[number]
        about = f"{package}, attempt {number}, which could not be taken"
        if (level / LAYERS).is_file():
            at = mounts.one_path(home, name)
            yield _left(at, level, home, level, f"{about}, to be read", upper=level / name)
        elif (level / name).is_dir():
            yield Room(level / name, about)


def _left(at: Path, level: Path, home: Path, written: Path, about: str, *, upper: Path | None = None) -> Room:
    upper = upper or next(written / part for part in (mounts.UPPER, mounts.COPY) if (written / part).exists())
    names = layer.names_in(written / LAYERS)
    layers = tuple(mounts.layer_of(home, name, written) for name in names)
    if gone := [place for place in layers if not place.is_dir()]:
        raise UserError(
            f"a layer that it was changed against is gone: {printable(str(gone[0]))}",
            where=str(upper),
            hint=f"what was changed lies as plain files in {upper}",
        )
    return Room(at, about, left=LeftView(at, level, home, upper, layers))
