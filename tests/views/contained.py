"""Contains a program in a view and prints its effective capabilities, whether it can trace the first process, its pid.

That is its number outside. It runs for ten minutes, unless whoever started this is killed. Arguments: a folder, and the
module of the first process. It imports what an ordinary user's Python can.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from parallel_impl.processes import procfs
from parallel_impl.views import trial
from parallel_impl.views.slot import Contained, Slot

TRACE = "import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))"
SCRIPT = f"""
grep ^CapEff /proc/self/status | cut -f2
{sys.executable} -c '{TRACE}'
exec setsid --wait env -i sleep 600
"""


def main(folder: Path, module: Path) -> None:
    """Start the program, print, and stay."""
    ours, theirs = socket.socketpair()
    user = trial.find(folder / "trial").user
    with Slot() as slot, trial._laid_out(folder, user=user) as view:
        child = slot.open(view).start(
            ["sh", "-c", SCRIPT],
            env={"PATH": os.environ["PATH"]},
            cwd=view.at,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            contained=Contained(module, theirs.fileno(), 0.5),
        )
        theirs.close()
        said = b""
        while said.count(b"\n") < 2:
            said += child.stdout.read(1000) or b""
        program = max(procfs.descendants(child.pid), key=procfs.start_time)
        sys.stdout.write(f"{said.decode().replace(chr(10), ' ')} {program}\n")
        sys.stdout.flush()
        signal.pause()
    ours.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
