"""Hooks in a package's repository: what its set-up installed there, and that none of it runs.

What an agent commits is thrown away, so the user's rules for commits do not decide about it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.checkout import Checkout, are
from parallel_impl.git.repo import Repo, decode

NOWHERE = "/dev/null"
HERE = b"\0checkout\0"


@dataclass(frozen=True, slots=True)
class Installed:
    """What set-up made of hooks: values of `core.hooksPath`, and the hooks by their names, in any checkout.

    A path into the checkout is written as a mark in both, so that those of two checkouts can be compared.
    """

    paths: frozenset[bytes] = frozenset()
    hooks: Mapping[str, frozenset[bytes]] = field(default_factory=dict)


def switch_off(checkout: Checkout) -> None:
    """No hook runs in the checkout from now on. After set-up: before it `pre-commit install` would refuse to work.

    What an installer writes later (husky, in an agent's `npm install`) goes into the repository's configuration; the
    worktree's own comes after that. A file that is no plain one any more is left alone: through a link of somebody's
    making we would write anywhere.
    """
    admin = checkout.admin
    if not are(stat.S_ISDIR, checkout.git_dir, admin.parent, admin):
        return
    config, nothing = checkout.git_dir / "config", f"[core]\n\thooksPath = {NOWHERE}\n"
    known = _values(config)
    own = "[extensions]\n\tworktreeConfig = true\n" if "extensions.worktreeconfig" not in known else ""
    # never a second value: `git config core.hooksPath …` refuses to overwrite two
    _append(config, own + (nothing if "core.hookspath" not in known else ""))
    _append(admin / "config.worktree", nothing)


def _append(file: Path, text: str) -> None:
    if os.path.lexists(file) and not stat.S_ISREG(file.lstat().st_mode):
        return
    temporary = file.with_name(f"{file.name}.new")
    temporary.unlink(missing_ok=True)
    storage.write(temporary, (file.read_bytes() if file.exists() else b"") + f"\n{text}".encode())
    temporary.replace(file)


def installed(checkout: Checkout) -> Installed:
    """The hooks that set-up installed in a checkout."""
    values = _values(checkout.git_dir / "config").get("core.hookspath", ())
    paths = [path for path in values if path != NOWHERE]
    found: dict[str, set[bytes]] = {}
    for folder in (checkout.git_dir / "hooks", *(checkout.files / storage.expand(path) for path in paths)):
        for path, content in files(folder):
            found.setdefault(path.name, set()).add(anywhere(content, [checkout.path]))
    named = frozenset(anywhere(os.fsencode(path), [checkout.path]) for path in paths)
    return Installed(named, {name: frozenset(contents) for name, contents in found.items()})


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The hooks in a folder and their contents, in order; samples and what is no file are none."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix != ".sample" and path.is_file():
            try:
                yield path, path.read_bytes()
            except OSError:
                continue


def anywhere(content: bytes, checkouts: Iterable[Path]) -> bytes:
    """The content with a mark in place of a checkout's path: what an installer writes depends on where it ran."""
    for checkout in checkouts:
        content = content.replace(os.fsencode(checkout), HERE)
    return content


def _values(file: Path) -> Mapping[str, tuple[str, ...]]:
    """The values in a file of configuration by key, as git prints it; none where git cannot read it."""
    content = file.read_bytes() if file.is_file() else b""
    return _parsed(content) if content else {}


@lru_cache(maxsize=16)
def _parsed(content: bytes) -> Mapping[str, tuple[str, ...]]:
    """Read by git once: without a set-up that changes it, it is the same in all checkouts of a run."""
    arguments = ("config", "--no-includes", "--file", "-", "-z", "--list")
    out = Repo(Path(os.sep)).git(*arguments, input=content, ok=(0, 1, 3, 128), discover=True)
    found: dict[str, tuple[str, ...]] = {}
    for key, _, value in (item.partition("\n") for item in decode(out).split("\0")):
        if value:
            found[key] = (*found.get(key, ()), value)
    return found
