"""Names that mean `.git` to some file system: a file so called would be a part of a repository there.

As git's own `is_ntfs_dotgit` and `is_hfs_dotgit` read them (path.c, utf8.c): NTFS has the short name `git~1`, drops
blanks and dots at the end, and names streams behind a colon; HFS+ passes over invisible characters.
"""

from __future__ import annotations

import re

INVISIBLE = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
_SUSPECT = re.compile(f"[gG][iI][tT](?:~1|[ .:/]|$)|[\\\\{''.join(map(chr, INVISIBLE))}]")
_STREAM = re.compile(r":\$[A-Za-z_]+\Z")


def is_git_folder(name: str) -> bool:
    """Whether one component of a path is `.git` to some file system."""
    plain = name.translate(INVISIBLE).casefold()
    return any(part.split(":")[0].rstrip(" .") in (".git", "git~1") for part in plain.split("\\"))


def is_in_git_folder(path: str) -> bool:
    """Whether a component of the path is `.git` to some file system."""
    return bool(_SUSPECT.search(path)) and any(map(is_git_folder, path.split("/")))


def without_stream(name: str) -> str:
    """The name without the type of an NTFS stream behind it: `a.py::$DATA` is `a.py` there."""
    return name.partition(":")[0] if _STREAM.search(name) else name
