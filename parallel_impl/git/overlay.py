"""Other versions of single files in a checkout that is ready, which keeps everything else that set-up made there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.index import CONFIG
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo, encode

NO_ENTRY = "0" * 6


@dataclass(frozen=True, slots=True)
class Version:
    """What stands at a path: mode and object id as in a tree; the mode `000000`: nothing."""

    mode: str = NO_ENTRY
    oid: str = ""

    @property
    def absent(self) -> bool:
        """Whether nothing stands there."""
        return self.mode == NO_ENTRY


def lay(repo: Repo, checkout: Checkout, versions: Mapping[str, Version], env: Mapping[str, str]) -> None:
    """Write these versions to the files of a checkout, and to its own index; what is absent is removed.

    Filters see `env`. GitError when git cannot write a file.
    """
    absent = "0" * len(repo.null)
    lines = (f"{one.mode} {one.oid or absent}\t".encode() + encode(path) for path, one in sorted(versions.items()))
    index, tree, view = checkout.index, checkout.path, checkout.view
    given = b"".join(line + b"\0" for line in lines)
    repo.git("update-index", "-z", "--replace", "--index-info", input=given, index=index, work_tree=tree, view=view)
    for path, one in versions.items():
        if one.absent and _reaches(checkout.files, path):
            remove(checkout.files / path)
    written = b"".join(encode(path) + b"\0" for path, one in versions.items() if not one.absent)
    if written:
        arguments = ("checkout-index", "--force", "--index", "-z", "--stdin")
        repo.git(*arguments, input=written, index=index, work_tree=tree, view=view, config=CONFIG, env=env)


def _reaches(root: Path, path: str) -> bool:
    """Whether something is there, and no link leads there: what a link leads to is not this path."""
    above = root
    for part in path.split("/")[:-1]:
        above = above / part
        if above.is_symlink() or not above.is_dir():
            return False
    return os.path.lexists(root / path)
