"""What only Linux tells: which process a pid is, whether it lives, what came from it, what is mounted where.

Another system answers the same questions in its own way. Sources: proc(5), pidfd_open(2), prctl(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

PROC = Path("/proc")
MOUNTS = PROC / "self/mountinfo"
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


def boot_id() -> str:
    """What tells this start of the machine from every other one; "" where the system does not say."""
    with contextlib.suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""


def session(pid: int) -> int | None:
    """The session that a process is in; None when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def environ(pid: int) -> list[bytes]:
    """The environment that a process was started with, `NAME=value` each; [] when it is gone or another user's."""
    try:
        return (PROC / f"{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def with_variable(name: str, word: str) -> list[int]:
    """The processes, this one aside, that were started with `word` in this variable, alone or among others."""
    start = f"{name}=".encode()
    pids = (int(folder.name) for folder in PROC.glob("[0-9]*"))
    marked = (pid for pid in pids if pid != os.getpid())
    return [
        pid
        for pid in marked
        if any(word.encode() in value[len(start) :].split() for value in environ(pid) if value.startswith(start))
    ]


def start_time(pid: int, *, ended: bool = False) -> int:
    """When a process started, in clock ticks since boot (proc(5), stat field 22); 0 when it is over.

    One that nobody has reaped yet is over: in a container the first process may never do it. With `ended` it counts.
    """
    try:
        fields = (PROC / f"{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return 0 if fields[0] in (b"Z", b"X") and not ended else int(fields[19])
    except (OSError, IndexError):
        return 0


def lives(pid: int, *, started: int, boot: str) -> bool:
    """Whether the process that had this pid, `start_time` and `boot_id` runs: one that got the pid since is not it."""
    return boot == boot_id() and start_time(pid) == started > 0


def children(pid: int) -> set[int]:
    """The children of a process, of all its threads."""
    try:
        tasks = [int(task.name) for task in (PROC / f"{pid}/task").iterdir()]
    except OSError:
        return set()  # the process is gone, or /proc does not tell: then there is nothing to find
    return {child for task in tasks for child in children_of_thread(pid, task)}


def children_of_thread(pid: int, thread: int) -> set[int]:
    """The children of one thread; none when it is gone.

    The first thread (its number is the process's) has those too whose parents are gone, if it lives: the kernel looks
    for the first thread that does (find_alive_thread in kernel/exit.c).
    """
    try:
        file = os.open(f"{PROC}/{pid}/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        listed = b""
        while part := os.read(file, 1 << 16):
            listed += part
    except OSError:
        return set()
    finally:
        os.close(file)
    return set(map(int, listed.split()))


def descendants(pid: int) -> set[int]:
    """Everything below a process."""
    found, todo = set[int](), [pid]
    while todo:
        for child in children(todo.pop()) - found:
            found.add(child)
            todo.append(child)
    return found


def cpu_seconds(pid: int, *, above: int = 0) -> float:
    """What a process and everything below it used of the CPU so far, with what ended there and was waited for.

    `above`: so many generations, the process first, are not counted.
    """
    counted = {pid}
    for _ in range(above):
        counted = {child for one in counted for child in children(one)}
    counted |= {one for top in counted for one in descendants(top)}
    return sum(map(_cpu_ticks, counted)) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    try:  # proc(5): utime, stime, cutime and cstime are fields 14 to 17 of stat
        return sum(map(int, (PROC / f"{pid}/stat").read_bytes().rpartition(b")")[2].split()[11:15]))
    except (OSError, ValueError):
        return 0


def group_lives(group: int) -> bool:
    """Whether a process group has a member, whoever it belongs to."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def pidfd(pid: int) -> int | None:
    """A descriptor that can be read from when the process has ended; None where the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def become_subreaper() -> bool:
    """Make this process the parent of its descendants whose parents die; False where the system can't."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def forbid_tracing() -> bool:
    """Let no other process of this user read this one's memory or environment; False where the system can't.

    It costs a core file, and debuggers that attach. Of its own files in /proc a process of an ordinary user reads then
    what all may read, and its descriptors, but not `environ`. Children are as before from their exec on.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def mounts() -> str:
    """What is mounted where, as text in the format of `/proc/self/mountinfo`. OSError where nothing tells."""
    return MOUNTS.read_text("utf-8", "surrogateescape")
