"""The first process of a PID namespace: starts one program in it, and ends the whole of it.

Started as a program of its own by `processes.namespace`, or by a fork in a view; so it imports nothing of this package,
and only what starts fast. A namespace ends with its first process, and the kernel then ends everything in it: also what
changed its session and cleared its environment. The program itself cannot be the first process: the kernel keeps from
that one every signal that it does not catch, so TERM would not end it.

Its program has a number that no other namespace's is likely to have; for that an ordinary user's first process is
started with capabilities in its user namespace, which it gives up before the program starts.

Arguments: the descriptor of a socket, seconds of grace, the program and its arguments. The other end of the socket hung
up (asked to end, or killed) means: TERM to everything here, after the grace the end. What is written to the socket, a
line each: `equal-numbers NUMBER` when the kernel refused other numbers, by which error; `started`; `exit CODE LEFT`
(CODE negative for a signal, LEFT: how many processes the program left behind, which are ended); or `errno NUMBER` when
the program could not be started.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps, in twice the time of everything else here
import _thread
import os
import sys
import time

DEFAULT_AGAIN = (2, 13, 25)  # INT, PIPE and XFSZ: Python changes these for itself, the program must not inherit that
LEFT_BEHIND_SECONDS = 0.5
PR_SET_DUMPABLE, PR_CAPBSET_DROP, CAP_SYS_PTRACE = 4, 24, 19
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, CAPABILITY_VERSION_3 = 47, 4, 0x20080522
FIRST_NUMBER, ROOM = 300, 2_000  # below it the kernel numbers nothing after a wrap; what one agent may start before it


def main(channel: int, grace: float, argv: list[str], environment: dict[bytes, bytes]) -> None:
    """Run the program, with exactly this environment, to its end; returning ends the namespace."""
    if os.getpid() != 1:  # never outside: what is asked to end below is everything that this process can see
        sys.exit("this is not the first process of a namespace")
    os.set_inheritable(channel, False)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # which the kernel keeps from a first process
    _number_from_anywhere(channel)
    _give_up()
    try:
        program = os.posix_spawnp(argv[0], argv, environment, setsid=True, setsigdef=DEFAULT_AGAIN)
    except OSError as error:
        _tell(channel, f"errno {error.errno}")
        return
    _tell(channel, "started")
    _thread.start_new_thread(_end_on_hang_up, (channel, grace))
    code = _wait(program)
    _tell(channel, f"exit {code} {_end_others()}")


def own_environment() -> dict[bytes, bytes]:
    """What this process was given: Python may have added LC_CTYPE to `os.environ` (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  (pathlib takes as long to import as all of this)
        pairs = (item.partition(b"=") for item in file.read().split(b"\0") if item)
        return {name: value for name, _, value in pairs}


def _number_from_anywhere(channel: int) -> None:
    """Let the next process have any number, so that `file.<pid>` is another one in each namespace."""
    try:
        with open("/proc/sys/kernel/pid_max") as file:  # noqa: PTH123
            last = int(file.read())
        number = FIRST_NUMBER + int.from_bytes(os.urandom(4), "big") % max(1, last - FIRST_NUMBER - ROOM)
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:  # noqa: PTH123
            file.write(str(number))
    except OSError as error:
        _tell(channel, f"equal-numbers {error.errno}")


def _give_up() -> None:
    """Give up the capabilities that were only for the numbers; and nothing in here may trace or read this process.

    One that was attached to and left so reports no end, ever. It is made non-dumpable (then its own /proc/self/environ
    is not readable either), which root could still trace: so the program is started without that capability. It may
    trace what it starts itself all the same. Ends here where capabilities stay: no program is started with them.
    """
    import ctypes  # noqa: PLC0415  (3 ms, and outside a namespace nothing is done)

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0)  # refused to another user than root, whose programs have none
    if os.geteuid() != 0:  # root has its own, on purpose
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        none = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
        cleared = libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0
        if not cleared or libc.capset(header, none) != 0:
            sys.exit(f"capabilities could not be given up: {os.strerror(ctypes.get_errno())}")


def _wait(program: int) -> int:
    """Reap everything that ends here until the program does; its exit code."""
    while True:
        pid, status = os.wait()
        if pid == program:
            return os.waitstatus_to_exitcode(status)


def _end_others() -> int:
    """Ask what the program left behind to end, and wait a little; how many there were."""
    left = _others()
    until = time.monotonic() + LEFT_BEHIND_SECONDS
    _ask_all() if left else None
    while _others() and time.monotonic() < until:
        time.sleep(0.01)
    return left


def _others() -> int:
    """The living processes here, without this one."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return sum(name.isdigit() and name != "1" for name in os.listdir("/proc"))  # noqa: PTH208


def _end_on_hang_up(channel: int, grace: float) -> None:
    try:  # noqa: SIM105
        os.read(channel, 1)
    except ConnectionError:  # so it ends when what was told here had not been read
        pass
    _ask_all()
    time.sleep(grace)
    os._exit(1)


def _ask_all() -> None:
    if os.getpid() != 1:
        os._exit(1)
    try:  # noqa: SIM105  (contextlib imports as much as all of this)
        os.kill(-1, _signal.SIGTERM)  # everything in this namespace but its first process
    except ProcessLookupError:
        pass


def _tell(channel: int, line: str) -> None:
    try:  # noqa: SIM105
        os.write(channel, f"{line}\n".encode())
    except ConnectionError:
        pass  # whoever started this was killed; the hang-up says so too


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:], own_environment())
