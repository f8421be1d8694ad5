"""What a command left in a checkout: the tracked and unignored files that it changed.

`gates` asks after each verification step. Ignore rules are those of the checkout and of the user.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import decode, encode
from parallel_impl.git.staging import CONFIG
from parallel_impl.git.trees import Trees
from parallel_impl.git.upper_walk import InLayers, UpperWalk
from parallel_impl.git.walk import is_cache, signature
from parallel_impl.views.view import View

Signature = tuple[int, ...]


class Traces:
    """The state of a checkout. Make it after set-up, before the first step.

    `set_up` says that commands have already run there; what they left does not count.
    """

    def __init__(self, trees: Trees, checkout: Checkout, *, set_up: bool) -> None:
        self._trees, self._repo, self._checkout = trees, trees.repo, checkout
        self._index, self._commit, self._environment = checkout.index, checkout.commit, trees.environment
        self._known: dict[str, Signature] = {}
        if self._in_upper() is not None:
            self._known = self._find_written()
        elif set_up or not trees.exact(checkout.commit):
            self._known = self._find()
            pass_tick(checkout.git_dir)  # else an edit of the same size in this tick would look like what was there

    def changed(self) -> dict[str, str]:
        """The paths that differ from the state at the start, sorted, with a digest of mode and content ("": gone).

        Known tool caches are left out. Costs one process, and reading those files; in a view that nobody wrote to
        none.
        """
        now = self._find() if self._in_upper() is None else self._find_written()
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
        self._git(*arguments, input=encode(lines))

    @property
    def _root(self) -> Path:
        return self._checkout.files

    def _in_upper(self) -> View | None:
        """The view, where what was written is told by its upper."""
        mounted = self._checkout.mounted
        return mounted.about if mounted and mounted.upper else None

    def _find(self) -> dict[str, Signature]:
        """The changed, removed and unignored new files, with what lstat says about them."""
        out = self._git("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
        paths = {path for path in out.split(b"\0") if path}
        return {decode(path): signature(self._root, path) for path in paths if not _in_cache(path)}

    def _find_written(self) -> dict[str, Signature]:
        """The same, by the upper of a view: what was written, and is not as in the layers."""
        view, listing = self._in_upper(), self._trees.listing(self._commit)
        assert view is not None  # noqa: S101  (the caller has seen it)
        written = UpperWalk.of(view, listing)
        paths = {path for path in written.files() | written.gone if not _in_cache(path)}
        layers = InLayers(view)
        paths = {path for path in paths if _digest(self._root / decode(path)) != _digest_of(layers.place(path))}
        paths -= self._ignored(sorted(path for path in paths if path not in listing.entries))
        return {decode(path): signature(self._root, path) for path in paths}

    def _ignored(self, paths: Sequence[bytes]) -> set[bytes]:
        if not paths:
            return set()
        # check-ignore refuses literal pathspecs; of their magic it knows only the leading colon
        asked = b"".join(b"./" + path + b"\0" for path in paths)
        arguments, literal = ("check-ignore", "--no-index", "-z", "--stdin"), {"GIT_LITERAL_PATHSPECS": "0"}
        found = self._git(*arguments, input=asked, env=literal, ok=(0, 1)).split(b"\0")
        return {path.removeprefix(b"./") for path in found}

    def _git(
        self, *arguments: str, input: bytes = b"", env: Mapping[str, str] | None = None, ok: Collection[int] = (0,)
    ) -> bytes:
        return self._repo.git(
            *arguments,
            input=input,
            index=self._index,
            work_tree=self._checkout.path,
            view=self._checkout.view,
            config=CONFIG,
            env={**self._environment, **(env or {})},
            ok=ok,
        )


def _digest_of(path: Path | None) -> str:
    return _digest(path) if path else ""


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
