"""What keeps git from working and is neither the package's fault nor a bug: a full or read-only disk, a lock.

Such a failure must cost no attempt and must not look like work that cannot be taken. The texts are those of git in the
C locale (strerror, and `unable_to_lock_message` of its lockfile.c).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from parallel_impl.errors import UserError

DISK: Mapping[bytes, int] = {
    b": No space left on device": errno.ENOSPC,
    b": Disk quota exceeded": errno.EDQUOT,
    b": Read-only file system": errno.EROFS,
}
# git says no reason here; checkout opens the file before (that would be told), so the write itself has failed
UNSAID = re.compile(
    rb"^error: unable to write file |^fatal: sha1 file .* write error|Out of diskspace|: couldn't write '"
    rb"|^(fatal|error): [Uu]nable to write new.index.?file",
    re.MULTILINE,
)
LOCKED = re.compile(rb"Unable to create '(.+\.lock)': File exists")


def find(stderr: bytes, git_dir: Path) -> OSError | UserError | None:
    """What to raise instead of a git error, from what git said about the repository `git_dir`; None for nothing."""
    for line in stderr.splitlines():
        for text, number in DISK.items():
            if line.endswith(text):
                return OSError(number, os.strerror(number), str(git_dir))
    if UNSAID.search(stderr):
        return OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (or a quota is used up)", str(git_dir))
    if held := LOCKED.search(stderr):
        lock = os.fsdecode(held[1])
        return UserError(
            "another git command holds a lock, or was killed and left it",
            where=lock,
            hint=f"when no git command runs there: rm '{lock}'; then give the same command again, it goes on",
        )
    return None
