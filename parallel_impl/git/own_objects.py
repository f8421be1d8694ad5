"""The objects that a package's repository holds itself, beside those that it borrows: whatever an agent committed.

They are listed from the files, and read by the user's repository with these objects beside its own: no configuration,
no graph and no index of the agent's is believed, and no program of its choice runs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from parallel_impl.git.checkout import alternate, are
from parallel_impl.git.repo import Repo

LOOSE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38,62}")
LONGEST = 10_000  # bytes of `alternates`, which is one line


class UnreadableError(Exception):
    """The objects are not as git makes them: a FIFO would be waited for, a link leads anywhere."""


def find(repo: Repo, git_dir: Path) -> list[str]:
    """The ids of all objects of the package's repository `git_dir`, which borrows from `repo`; none where it is gone.

    UnreadableError when there is something that git must not open.
    """
    objects = git_dir / "objects"
    if not os.path.lexists(objects):
        return []
    if not are(stat.S_ISDIR, git_dir, objects):
        raise UnreadableError(f"{objects} is no folder")
    try:
        files = list(_files(objects))
    except PermissionError as error:  # the agent's doing, not the machine's
        raise UnreadableError(str(error)) from error
    _check_lender(repo, objects / "info/alternates")
    names = (str(file.relative_to(objects)) for file in files)
    found = [name.replace("/", "") for name in names if LOOSE.fullmatch(name)]
    for file in files:
        if file.parent == objects / "pack" and file.suffix == ".idx":
            lines = repo.git("show-index", f"--object-format={repo.object_format}", stdin=file).decode().splitlines()
            found += [line.split()[1] for line in lines]
    return list(dict.fromkeys(found))


def _files(folder: Path) -> Iterator[Path]:
    """All regular files below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise UnreadableError(f"{entry.path} is neither a file nor a folder")


def _check_lender(repo: Repo, alternates: Path) -> None:
    """The objects of a third repository are not looked through: nobody knows what lies there."""
    if os.path.lexists(alternates) and alternates.read_bytes()[:LONGEST] != alternate(repo.git_dir / "objects"):
        raise UnreadableError(f"{alternates} was changed")
