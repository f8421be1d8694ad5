"""The slot: a small process that mounts views and starts programs in them, each by one fork.

Started as a program of its own by `views.slot`, so it imports nothing of this package and only what starts fast. It has
one thread, as a process that makes or joins a user namespace must have, and it may write its own uid_map, which a fork
of a process that cannot be dumped may not.

A view is a mount namespace that one process holds open: `open` forks it. `start` forks a program into it as a child of
the process that started this one (CLONE_PARENT), so whoever asked waits for it as for its own. `close` ends the holder;
the mount ends with the last process in it. Everything that holds a view ends when this process does, and this one when
its socket hangs up.

A program may be `contained` in a PID namespace: one fork holds that, as `unshare --fork --kill-child` does, and another
is its first process, by the module that is named in the request (`processes.namespace_init`). Python is not started
again for it, which takes 12 ms.

Argument: the descriptor of a socket. Requests and answers are JSON behind four bytes with their length; descriptors
come with the first of these. An answer has `errno` and `what` where something failed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

NEW_MOUNTS, NEW_USER, NEW_PIDS, WITH_SAME_PARENT = 0x20000, 0x10000000, 0x20000000, 0x8000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 1 << 5, 1 << 12, 1 << 14, 1 << 18
NO_SETUID, NO_DEVICES, NO_PROGRAMS = 2, 4, 8
PR_SET_PDEATHSIG = 1
CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220}  # the number of clone(2)
CLONE_HERE = CLONE.get(os.uname().machine)
MOST_DESCRIPTORS = 16
LENGTH = 4
NOT_STARTED = 127
# Python changes these for itself, a program must not inherit that
DEFAULT_AGAIN = (signal.SIGPIPE, signal.SIGXFSZ)
AS_ROOT = "redirect_dir=on,metacopy=off,index=off"
AS_USER = "userxattr"  # without it an ordinary user's mount succeeds, and replacing a folder gives EIO

HOLDERS: set[int] = set()

libc = ctypes.CDLL(None, use_errno=True)
# it keeps the lock of the interpreter, which in a new process nobody else could give back
libc_held = ctypes.PyDLL(None, use_errno=True)
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


class FailedError(Exception):
    """A call that the kernel refused: its error number, and what was tried."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, what)
        self.answer = {"errno": number, "what": what}


def main(descriptor: int) -> None:
    """Answer requests until the socket hangs up."""
    line = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    requests = {"open": open_view, "start": start, "close": close_view}
    gc.disable()  # it would write to every page that a fork has in common with this process
    while (asked := receive(line)) is not None:
        request, descriptors = asked
        try:
            answer = requests[request["do"]](request, descriptors)
        except FailedError as error:
            answer = error.answer
        except OSError as error:
            answer = {"errno": error.errno or 0, "what": str(error)}
        finally:
            for each in descriptors:
                os.close(each)
        send(line, answer)
    for holder in HOLDERS.copy():  # when this process has ended nothing is mounted any more
        close_view({"pid": holder}, [])


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the descriptors that came with it; None when the other side hung up."""
    head, descriptors, _, _ = socket.recv_fds(line, LENGTH, MOST_DESCRIPTORS)
    for each in descriptors:
        os.set_inheritable(each, False)
    head += read_exactly(line, LENGTH - len(head)) if head else b""
    if len(head) < LENGTH:
        return None
    body = read_exactly(line, size := int.from_bytes(head, "big"))
    return (json.loads(body), list(descriptors)) if len(body) == size else None


def read_exactly(line: socket.socket, size: int) -> bytes:
    """So many bytes; fewer only at the end."""
    data = bytearray()
    while len(data) < size and (more := line.recv(min(size - len(data), 1 << 20))):
        data += more
    return bytes(data)


def send(line: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """Send a message, with these descriptors."""
    body = json.dumps(message).encode()
    head = len(body).to_bytes(LENGTH, "big")
    if descriptors:
        socket.send_fds(line, [head], descriptors)
    else:
        line.sendall(head)
    line.sendall(body)


# -- views


def open_view(view: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
    """Mount a view, and leave a process in it that holds it open."""
    ready, told = os.pipe()
    parent = os.getpid()
    holder = os.fork()
    if holder == 0:
        os.close(ready)
        hold(view, told, parent)
    os.close(told)
    with open(ready, "rb") as pipe:  # noqa: PTH123  (a descriptor)
        said = json.loads(pipe.read() or b'{"errno": 0, "what": "the process that mounts it was ended"}')
    if "errno" in said:
        os.waitpid(holder, 0)
        raise FailedError(said["errno"], said["what"])
    HOLDERS.add(holder)
    return {"pid": holder}


def hold(view: dict[str, Any], told: int, parent: int) -> NoReturn:
    """Be the process that holds a view: mount it, say so, and sleep."""
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before it could end this one
            os._exit(1)
        mount_view(view)
        said: dict[str, Any] = {}
    except FailedError as error:
        said = error.answer
    except OSError as error:
        said = {"errno": error.errno or 0, "what": str(error)}
    os.write(told, json.dumps(said).encode())
    os.closerange(0, 1 << 10)
    while not said:
        signal.pause()
    os._exit(1)


def mount_view(view: dict[str, Any]) -> None:
    """Make the namespace, and mount in it: the covers, the level around the one path, the files at it, what is shown.

    The names of layers and upper are relative to the store: neither `:` nor `,` in a home, nor its length, matters.
    They are found from the current folder, and what is bound by descriptors: covers hide all of them.
    """
    enter_namespaces(user=view["user"])
    os.chdir(view["store"])
    at = view["at"]
    around = os.path.dirname(at)  # noqa: PTH120  (pathlib takes 5 ms to import)
    bound = [(os.open(view["level"], os.O_PATH), around)] + [(os.open(one, os.O_PATH), one) for one in view["shown"]]
    for folder in view["covers"]:
        cover(folder, [place for _, place in bound])
    for descriptor, place in bound:
        mount(f"/proc/self/fd/{descriptor}", place, None, BIND)
    if view["copy"]:
        mount(view["copy"], at, None, BIND)
    else:
        own = AS_USER if view["user"] else AS_ROOT
        layers = ":".join(view["layers"])
        mount("overlay", at, "overlay", 0, f"lowerdir={layers},upperdir={view['upper']},workdir={view['work']},{own}")
    os.chdir(at)


def cover(folder: str, places: list[str]) -> None:
    """Hide what is in a folder, but for folders in which these places, as far as they lie below, can be mounted."""
    mount("tmpfs", folder, "tmpfs", 0, "size=64k,mode=555")
    for place in places:
        if place.startswith(f"{folder}/"):
            os.makedirs(place, 0o555, exist_ok=True)  # noqa: PTH103
    mount("tmpfs", folder, None, REMOUNT | READ_ONLY)


def enter_namespaces(*, user: bool) -> None:
    """A mount namespace of its own, and around it a user namespace that maps only this user, where that is needed."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(NEW_MOUNTS | (NEW_USER if user else 0))
    if user:
        for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{file}", "w") as proc:  # noqa: PTH123
                proc.write(text)
    mount("none", "/", None, RECURSIVE | PRIVATE)


def close_view(view: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
    """End the process that holds a view; one that somebody else ended is only reaped, one of an earlier slot is none.

    (Its number may be another process's by now.)
    """
    if view["pid"] not in HOLDERS:
        return {}
    HOLDERS.discard(view["pid"])
    os.kill(view["pid"], signal.SIGKILL)
    os.waitpid(view["pid"], 0)
    return {}


# -- programs


def start(program: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """Start a program in a view; its pid. It is not this process's child: whoever asked has to wait for it.

    Where it could not be started there is a pid as well, of a process that ends at once.
    """
    if program["pid"] not in HOLDERS:
        raise FailedError(errno.ESRCH, "join the view: it is gone")
    if program["contained"]:
        first_process(program["contained"]["module"])  # loaded here, once, and not in each fork
    failed, told = os.pipe()
    child = fork_with_same_parent()
    if child == 0:
        become(program, descriptors, told)
    os.close(told)
    with open(failed, "rb") as pipe:  # noqa: PTH123
        said = pipe.read()
    return {"pid": child, **(json.loads(said) if said else {})}


def fork_with_same_parent() -> int:
    """As `os.fork`, but the new process is a sibling of this one, a child of the same parent."""
    if CLONE_HERE is None:
        raise FailedError(0, f"how to call clone(2) on {os.uname().machine} is not known")
    flags = ctypes.c_ulong(WITH_SAME_PARENT | signal.SIGCHLD)
    pid: int = libc_held.syscall(ctypes.c_long(CLONE_HERE), flags, None, None, None, None)
    checked(pid < 0, "clone")
    return pid


def become(program: dict[str, Any], descriptors: list[int], told: int) -> NoReturn:
    """Join the view, and become the program; or say what was in the way (`joined`: it was the program's own fault)."""
    joined = False
    try:
        join(program["pid"], user=program["user"])
        joined = True
        if program["session"]:
            os.setsid()
        else:
            os.setpgid(0, 0)
        if program["nice"]:
            os.nice(program["nice"])
        for number in DEFAULT_AGAIN:
            signal.signal(number, signal.SIG_DFL)
        told = arrange(descriptors, program["numbers"], told)
        os.chdir(program["cwd"])
        if program["contained"]:
            contain(program, told)
        os.execvpe(program["argv"][0], program["argv"], program["env"])  # noqa: S606  (no shell is wanted)
    except FailedError as error:
        said = error.answer
    except OSError as error:
        said = {"errno": error.errno or 0, "what": os.strerror(error.errno or 0)}
    os.write(told, json.dumps({**said, "joined": joined}).encode())
    os._exit(NOT_STARTED)


def contain(program: dict[str, Any], told: int) -> NoReturn:
    """Make a PID namespace, hold it, and end as its first process does; in that one the program is started.

    What is in the way is raised, also in the first process, until the namespace is complete.
    """
    close_others({*program["numbers"], told})
    unshare(NEW_PIDS)
    child = os.fork()
    if child:
        os.closerange(0, told + 1)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.kill(os.getpid(), os.WTERMSIG(status))
        os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else NOT_STARTED)
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0, "bind the first process to its parent")
    mount("proc", "/proc", "proc", NO_SETUID | NO_DEVICES | NO_PROGRAMS)
    os.close(told)
    contained, code = program["contained"], 1
    environment = {os.fsencode(name): os.fsencode(value) for name, value in program["env"].items()}
    os.environb.clear()
    os.environb.update(environment)  # the program is looked for on its own PATH
    try:
        first_process(contained["module"])(contained["channel"], contained["grace"], program["argv"], environment)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def first_process(module: str) -> Any:
    """The main function of the module in this file: it is loaded once."""
    folder, name = os.path.split(module)
    if folder not in sys.path:
        sys.path.append(folder)
    return __import__(name.removesuffix(".py")).main


def close_others(kept: set[int]) -> None:
    """Close every descriptor but these: this process goes on without an exec, which would."""
    at = 0
    for descriptor in sorted(kept):
        if at < descriptor:  # it takes an empty range at 0 for all
            os.closerange(at, descriptor)
        at = descriptor + 1
    os.closerange(at, os.sysconf("SC_OPEN_MAX"))


def join(holder: int, *, user: bool) -> None:
    """Enter the namespaces of the process that holds a view; what is mounted from now on is only seen here."""
    kinds = (("user", NEW_USER), ("mnt", NEW_MOUNTS)) if user else (("mnt", NEW_MOUNTS),)
    namespaces = [(os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY), flag) for kind, flag in kinds]
    for descriptor, flag in namespaces:
        checked(libc.setns(descriptor, flag) != 0, "join the view")
        os.close(descriptor)
    unshare(NEW_MOUNTS)


def arrange(descriptors: list[int], numbers: list[int], told: int) -> int:
    """Give each descriptor the number that the program knows it by; where `told` is now."""
    above = max([*numbers, *descriptors, told]) + 1
    moved = [duplicate(each, above) for each in descriptors]
    told = duplicate(told, above)
    for descriptor, number in zip(moved, numbers, strict=True):
        os.dup2(descriptor, number)
    return told


def duplicate(descriptor: int, least: int) -> int:
    """A copy with a number of at least `least`, which no program inherits."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


# -- the kernel


def mount(source: str, at: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2)."""
    encoded = [None if one is None else os.fsencode(one) for one in (source, at, kind, options)]
    failed = libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]) != 0
    checked(failed, f"mount {kind or source} at {at}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    checked(libc.unshare(flags) != 0, "unshare")


def checked(failed: bool, what: str) -> None:
    """FailedError with the kernel's words where a call failed."""
    if failed:
        number = ctypes.get_errno()
        raise FailedError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
