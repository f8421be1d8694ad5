"""Sandboxes started inside a view: what they write must be in its upper, and nothing but that.

`python nested.py FOLDER` prints what became of each; any Python that this machine has can run it, as any user.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from parallel_impl.processes import namespace, process
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import View
from tests.views import random_work

BUBBLEWRAP = ("bwrap", "--unshare-all", "--dev-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
# everything read-only but the checkout, and no capability: what agents are to be fenced by
FENCE = (
    "bwrap", "--die-with-parent", "--new-session", "--unshare-user", "--unshare-pid", "--cap-drop", "ALL",
    "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
)  # fmt: skip
WRITE = 'echo inside >"d0/$0"; ! echo x 2>/dev/null >"$1/planted"; grep -q inside "d0/$0"'


def ways(at: Path) -> dict[str, tuple[str, ...]]:
    """The words that come before a program, by what they are called; those that work here outside of a view."""
    found = {"bubblewrap": BUBBLEWRAP, "twice": (*BUBBLEWRAP, *BUBBLEWRAP), "fence": FENCE}
    tried = {name: subprocess.run([*words, "true"], check=False, capture_output=True) for name, words in found.items()}
    worked = {name: words for name, words in found.items() if tried[name].returncode == 0}
    return worked | ({"fence": (*FENCE, "--bind", str(at), str(at), "--chdir", str(at))} if "fence" in worked else {})


def became(view: View, launch: Launch, name: str, words: tuple[str, ...]) -> str:
    """What became of a file that a program behind these words wrote."""
    log = view.store.parent / "log"
    ended = process.run([*words, "sh", "-ec", WRITE, name, str(view.store)], launch, log)
    file = view.store / view.upper / "d0" / name
    return "is in the upper" if ended.exit_code == 0 and file.read_text() == "inside\n" else log.read_text().strip()


def main(folder: Path) -> None:
    view = random_work.lay_out(folder, layers=1, user=os.geteuid() != 0)
    with Slot() as slot:
        opened = slot.open(view)
        for contained in (None, namespace.find().namespace):
            launch = Launch(opened.at, {"PATH": os.environ["PATH"]}, Limits(60), view=opened, namespace=contained)
            for name, words in ways(view.at).items():
                where = f"{name} in a PID namespace" if contained else name
                sys.stdout.write(f"{where}: {became(view, launch, where.replace(' ', '-'), words)}\n")
        opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
