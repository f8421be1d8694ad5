"""Starts a command and appends what it cost to a file, as one line of JSON: seconds of wall and of CPU time, memory.

`measured.py FILE COMMAND…`; the exit code is the command's. CPU time is that of all processes that came of the command,
also of those that it left behind: they become children of this process, which waits for them. A program of its own,
because only the parent of a process is told what it used, and it must not be counted itself.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
SECONDS = 60  # for what a command leaves behind: afterwards this process ends by SIGALRM, and nothing is measured


def main(file: str, *command: str) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status = os.waitpid(child, 0)
    wall = time.perf_counter() - began
    signal.alarm(SECONDS)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss // 1024}
    with open(file, "a") as costs:  # noqa: PTH123 - pathlib takes longer to import than all else
        costs.write(json.dumps(line) + "\n")
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
