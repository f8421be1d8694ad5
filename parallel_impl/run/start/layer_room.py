"""Room for the layers of a run: what is missing of it ends the run before an agent is paid, with what makes room.

`layers_gb` bounds what stays between runs, never what a run may use: with all layers in use there is more, and one that
is larger goes when its run ends.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from parallel_impl import storage
from parallel_impl.config import Config
from parallel_impl.errors import Problem, Severity, UserError, count, first_line
from parallel_impl.git import layer
from parallel_impl.git.mounts import Mounts
from parallel_impl.git.repo import GitError
from parallel_impl.run.inspect import layers
from parallel_impl.text import size

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def needed(mounts: Mounts | None, tree_bytes: int, config: Config) -> Iterator[None]:
    """In here the first layer is found or made. UserError where there is no room for it.

    It needs `tree_bytes` at least. A disk is full too where a program said so that has removed what it wrote since.
    """
    if mounts is None or not mounts.active:
        yield
        return
    free = shutil.disk_usage(storage.nearest(mounts.store)).free
    if not mounts.ready and free < tree_bytes:
        raise _no_room(mounts, f"{size(tree_bytes)} are needed for the files alone, {size(free)} are free", config)
    try:
        yield
    except (OSError, GitError, UserError) as error:
        if not _is_full(mounts, error):
            raise
        full = os.strerror(errno.ENOSPC)
        why = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else first_line(str(error))
        raise _no_room(mounts, why if full in why else f"{full}: {why}", config) from error


def problems(mounts: Mounts | None, config: Config) -> Iterator[Problem]:
    """A notice where there are more layers than are kept between runs."""
    if mounts is None or not mounts.active:
        return
    _, used = layer.count(mounts.store)
    if used > mounts.limit:
        what = (
            f"layers use {size(used)}, more than layers_gb = {config.layers_gb:g}: those that no run uses any more go"
        )
        hint = "with a larger layers_gb the next run would find them ready"
        yield Problem(what, where=str(mounts.store), hint=hint, severity=Severity.NOTICE)


def _is_full(mounts: Mounts, error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    if any(word in str(error) for number in FULL for word in (os.strerror(number), errno.errorcode[number])):
        return True
    try:
        storage.check_full(mounts.store)
    except OSError:
        return True
    return False


def _no_room(mounts: Mounts, why: str, config: Config) -> UserError:
    number, used = layer.count(mounts.store)
    kept = f"{count(number, 'layer')} with {size(used)} are kept there (layers_gb = {config.layers_gb:g})"
    return UserError(
        f"no space for a layer, the checkout that set-up makes ready for all: {why}",
        where=str(mounts.store),
        hint=f"{kept}; to remove those that no run uses: {layers.COMMAND}\n"
        "    or free some space, then give the same command again",
    )
