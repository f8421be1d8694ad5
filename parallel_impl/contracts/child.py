"""The child process in which contracts are read and checked, so that no document can hurt anybody else.

A script of its own: `python -I -B child.py`. Jobs come on stdin: a line `[path, bytes, seconds, megabytes]` and that
many bytes. Another file is asked for by a line `{"read": path}`, answered by a line with a size (-1: there is none)
and the bytes. Each job is answered by one line. After its seconds SIGALRM ends the process, also inside a regular
expression; an audit hook refuses sockets, other programs, and files outside the Python installation.
"""

from __future__ import annotations

import gc
import json
import math
import mimetypes
import os
import resource
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

REFUSED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "ftplib.", "http.")


def main() -> None:
    sys.path.append(str(Path(__file__).parents[2]))
    sys.setrecursionlimit(4_000)  # one level of a schema takes about eight frames
    warnings.simplefilter("ignore")  # the libraries' own deprecations are no news for a user
    mimetypes.init([])  # urllib, by which a library reads its own schemas, would have it read /etc
    gc.disable()  # short-lived, and limited in memory anyway
    guard()
    while line := sys.stdin.buffer.readline():
        path, size, seconds, megabytes = json.loads(line)
        content = sys.stdin.buffer.read(size)
        limit(seconds, megabytes)
        found = verdict(path, content)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer(found)


def verdict(path: str, content: bytes) -> dict[str, Any]:
    """The problems of one document, or the name of what a library broke with (where it reported nothing before)."""
    found: list[dict[str, Any]] = []
    try:
        from parallel_impl.contracts import documents, reading, references  # noqa: PLC0415  (within its limits)
        from parallel_impl.errors import UserError  # noqa: PLC0415

        files = references.Files(ask)
        try:
            file = files.known[path] = reading.read(path, content)
            for one in documents.problems(file, files):
                found += [asdict(one)] if asdict(one) not in found else []
                if len(found) >= documents.MAX_ERRORS:
                    break
        except UserError as error:
            found = [asdict(one) for one in error.problems]
    except Exception as error:  # foreign code on a foreign document: RecursionError, KeyError, MemoryError were seen
        return {"problems": found} if found else {"broken": type(error).__name__}
    return {"problems": found}


def ask(path: str) -> bytes | None:
    """The content of another file, from the parent."""
    answer({"read": path})
    size = int(sys.stdin.buffer.readline())
    return None if size < 0 else sys.stdin.buffer.read(size)


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201  (stdout is the way to the parent)


def limit(seconds: float, megabytes: int) -> None:
    """What the next document may use: time from now on, and memory."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, value in (
        (resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds) + 1),
        (resource.RLIMIT_AS, megabytes * 2**20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def guard() -> None:
    """From now on this process opens nothing but its own installation's files. Hooks cannot be removed."""
    own = tuple({os.path.realpath(path) + os.sep for path in (sys.prefix, sys.base_prefix, *sys.path) if path})

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = os.fsdecode(arguments[0]) if event == "open" and isinstance(arguments[0], (str, bytes)) else ""
        if event.startswith(REFUSED) or (opened and not os.path.realpath(opened).startswith(own)):
            raise PermissionError(event)

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
