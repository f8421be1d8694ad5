"""A repository that was moved between two starts, and the package repositories that still point to its old place.

Nothing of value lies in those alone (accepted work is on refs of the user's repository), except what a killed attempt
had done and worktrees that were kept whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.git import home as homes
from parallel_impl.git import mounts
from parallel_impl.git.checkout import alternate, are, folder_of, point_again
from parallel_impl.git.home import KEPT, Home
from parallel_impl.git.repo import Repo


def home(
    repo: Repo, change_id: str, journalled: str, *, checkout: Path | None = None, gates: Collection[str] = ()
) -> Home:
    """The folder of a run's worktrees: where it was at the first start, as long as something of this run lies there.

    Else it is chosen again; `why` says so when that is another place (the repository was moved, its worktrees with
    it or not). A copy of a repository does not take the worktrees of the original for its own. `journalled` is ""
    for a run that has not started; `gates` are the names of checkouts that are in nobody's way.
    """
    former = Path(journalled)
    if journalled and any(_is_of(repo, alternates) for _, alternates in _package_repositories(former)):
        return Home(former)
    found = homes.home(repo, change_id, checkout=checkout)
    if not journalled:
        return _unused(repo, change_id, found, gates)
    if found.path == former:
        return found
    return Home(found.path, f"worktrees were in {journalled} and are in {found.path} from now on")


def repair(home: Path, repo: Repo, repository_name: str) -> None:
    """Make what lies in `home` borrow from the repository where it is now, and worktrees point to where they are.

    `repository_name` is the name of the worktrees' folders on their levels ("": the level is the worktree). Worktrees
    that an agent made itself are left as they are: what lies in one is found by where its record says that it is.
    """
    for git_dir, alternates in _package_repositories(home):
        wanted = alternate(repo.git_dir / "objects")
        if alternates.read_bytes() != wanted:
            _replace(alternates, wanted)
        folder = folder_of(git_dir)
        name = folder.name.rpartition(".")[0] if folder.parent.name == KEPT else folder.name
        point_again(folder, folder / repository_name, git_dir / "worktrees" / name)


def _unused(repo: Repo, change_id: str, chosen: Home, gates: Collection[str]) -> Home:
    """A folder for a run that starts: never one with worktrees that it did not make, somebody may be at work there.

    UserError where they are this repository's: then the journal of their run was lost.
    """
    ours = {str(git_dir) for git_dir, alternates in _package_repositories(chosen.path) if _is_of(repo, alternates)}
    names = [path for path in sorted(chosen.path.iterdir()) if path.name != KEPT] if chosen.path.is_dir() else []
    checked = {path for path in names if path.name.removesuffix(".git") in gates}
    strange = [path for path in names if path not in checked or not _is_removable(path, ours)]
    written = mounts.written_in(chosen.path)
    mine = [path.with_suffix("") for path in strange if str(path) in ours]
    mine += [path for path in sorted(written.glob("[!.]*")) if path.name not in gates]
    if mine:
        aside = f"mv '{chosen.path}' '{chosen.path}.old'" if chosen.path.is_dir() else ""
        if written.is_dir():
            aside = f"mv '{written}' '{chosen.path}/views' && {aside}" if aside else f"mv '{written}' '{written}.old'"
        raise UserError(
            f"worktrees of a run of {change_id} lie here, whose journal is gone: {mine[0].name}",
            where=str(chosen.path),
            hint=f"see that no agent works there; then: {aside}",
        )
    if not strange:
        return chosen
    other = homes.away(repo, change_id)
    why = f"worktrees are in {other}: in {chosen.path} lie those of another repository"
    if other == chosen.path or (other.is_dir() and any(other.iterdir())):
        raise UserError(why, where=str(other), hint=f"see what is in there; then: mv '{other}' '{other}.old'")
    return Home(other, why)


def _is_removable(place: Path, ours: Collection[str]) -> bool:
    """Whether a checkout for gates, or its repository, is in nobody's way.

    It is ours, or whoever made it was killed before it wrote where it borrows from: that comes before any file of the
    worktree.
    """
    git_dir = place.with_name(f"{place.name.removesuffix('.git')}.git")
    if str(git_dir) in ours:
        return True
    alternates = git_dir / "objects/info/alternates"
    told = os.path.lexists(alternates) and not (are(stat.S_ISREG, alternates) and alternates.stat().st_size == 0)
    return not told and not any(files for _, _, files in os.walk(folder_of(git_dir)))


def _package_repositories(home: Path) -> Iterator[tuple[Path, Path]]:
    """The repositories in `home` and their `alternates`, as far as an agent has not made something else of them."""
    for folder in (home, home / KEPT):
        for git_dir in sorted(folder.glob("*.git")) if are(stat.S_ISDIR, folder) else ():
            alternates = git_dir / "objects/info/alternates"
            if are(stat.S_ISDIR, git_dir, git_dir / "objects", alternates.parent) and are(stat.S_ISREG, alternates):
                yield git_dir, alternates


def _is_of(repo: Repo, alternates: Path) -> bool:
    """Whether it borrows from this repository, or from a place where there is none any more."""
    objects = repo.git_dir / "objects"
    content = alternates.read_bytes()
    if content == alternate(objects):
        return True
    lender = Path(os.fsdecode(_path(content)))
    return not lender.is_dir() or lender.samefile(objects)


def _path(content: bytes) -> bytes:
    """The path in a line that `alternate` wrote."""
    line = content.removesuffix(b"\n")
    if not line.startswith(b'"'):
        return line
    parts = line[1:-1].split(b"\\")
    return parts[0] + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in parts[1:])


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_name(f"{file.name}.new")
    temporary.unlink(missing_ok=True)
    storage.write(temporary, content)
    temporary.replace(file)
