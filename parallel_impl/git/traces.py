"""What a command left in a checkout: the tracked and unignored files that it changed.

`gates` asks after each verification step. Ignore rules are those of the checkout and of the user.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import decode, encode
from parallel_impl.git.staging import CONFIG
from parallel_impl.git.trees import Trees
from parallel_impl.git.walk import is_cache, signature

Signature = tuple[int, ...]


class Traces:
    """The state of a checkout. Make it after set-up, before the first step.

    `set_up` says that commands have already run there; what they left does not count.
    """

    def __init__(self, trees: Trees, checkout: Checkout, *, set_up: bool) -> None:
        self._repo, self._root = trees.repo, checkout.path
        self._index, self._commit, self._environment = checkout.index, checkout.commit, trees.environment
        self._known: dict[str, Signature] = {}
        if set_up or not trees.exact(checkout.commit):
            self._known = self._find()
            pass_tick(checkout.git_dir)  # else an edit of the same size in this tick would look like what was there

    def changed(self) -> dict[str, str]:
        """The paths that differ from the state at the start, sorted, with a digest of mode and content ("": gone).

        Known tool caches are left out. Costs one process, and reading those files.
        """
        now = self._find()
        differ = sorted(path for path in {*now, *self._known} if now.get(path) != self._known.get(path))
        return {path: _digest(self._root / path) for path in differ}

    def restore(self) -> None:
        """Put the files of the checkout back as they were at the start; ignored ones stay as they are.

        What set-up had made or changed, and was changed again since, stays too: no commit holds it.
        """
        differ = [path for path in self.changed() if path not in self._known]
        if not differ:
            return
        listed = {entry.path for entry in self._repo.entries(self._commit, recurse=True)}
        remove(*(self._root / path for path in differ))
        lines = "".join(f"{path}\0" for path in differ if path in listed)
        arguments = ("checkout-index", "--force", "--quiet", "-z", "--stdin")
        self._repo.git(
            *arguments,
            input=encode(lines),
            index=self._index,
            work_tree=self._root,
            config=CONFIG,
            env=self._environment,
        )

    def _find(self) -> dict[str, Signature]:
        """The changed, removed and unignored new files, with what lstat says about them."""
        arguments = ("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
        out = self._repo.git(*arguments, index=self._index, work_tree=self._root, config=CONFIG)
        paths = {path for path in out.split(b"\0") if path}
        return {decode(path): signature(self._root, path) for path in paths if not _in_cache(path)}


def _digest(path: Path) -> str:
    if not (found := signature(path.parent, os.fsencode(path.name))):
        return ""
    mode = found[0]
    if stat.S_ISLNK(mode):
        return f"{mode:o} {path.readlink()}"
    if not stat.S_ISREG(mode):
        return f"{mode:o}"
    try:
        with path.open("rb") as file:
            return f"{mode:o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except PermissionError:  # a command may leave it so: what lstat says tells whether it is written again
        return f"{mode:o} {signature(path.parent, os.fsencode(path.name))}"


def _in_cache(path: bytes) -> bool:
    return any(is_cache(part) for part in path.split(b"/"))
