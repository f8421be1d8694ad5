"""The real tool in a real process, with every effect made a numbered point at which it can be killed.

A wrapper notes the point, calls the real function, and notes it again: this is instrumentation, nothing is
replaced. A point is `<who>/<kind>/<n>`: `who` is the package whose attempt the thread works on, else the thread,
so threads that run side by side do not renumber each other.

Started by `tests/faults/scene.py`. It serves: each line of its stdin is a JSON object with `folder`, `arguments`,
`environment` and `output` (a file); a fork of it runs the command line there as a process in a session of its own,
and its return code (negative for a signal) is printed. Loading the tool takes as long as a run of three packages, so
it is done once. These variables of `environment` say what happens:

FAULTS_RECORD  a file that gets one line for each point that is passed
FAULTS_AT      `<point>:before` or `<point>:after`, where the fault happens; `#<n>` is the n-th point of all threads
FAULTS_ACTION  `kill` (this process, by SIGKILL), `torn` (half a line of the journal, then the kill), `power` (some
               milliseconds later every process of the session, git's too), `full` (from here on no write succeeds),
               `full-once` (this one does not), `gc` (the user amends their commit and prunes)
FAULTS_SEED    what decides where a line is torn and how many milliseconds pass
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITING_GIT = (
    "commit-tree", "fast-import", "fetch", "hash-object", "index-pack", "merge-tree", "pack-objects", "read-tree",
    "update-index", "update-ref", "write-tree",
)  # fmt: skip
ASKING = (  # what a forge is asked to do or to tell, by the methods of our class for it
    "find", "get", "open", "edit", "comments", "add_comment", "edit_comment", "remove_comment", "add_labels",
    "ask_reviewers", "required_checks", "checks",
)  # fmt: skip
VIEW = "view"  # the threads that draw and write progress.json: nothing relies on what they do
FULL = (
    "fsync",
    "rename",
    "file",
    "object",
    "link",
)  # points that fail here; the journal fails in its write, git by itself


class Points:
    """Numbers the points of this process, and lets the fault happen at one of them."""

    def __init__(self) -> None:
        self._at = self._action = ""
        self._guard = threading.Lock()
        self._numbers: dict[tuple[str, str], int] = {}
        self._passed = 0
        self._here = threading.local()
        self._full = False
        self.folder = "\0"  # nothing lies there

    def begin(self, environment: dict[str, str]) -> None:
        """Watch this process from now on."""
        self._at = environment.get("FAULTS_AT", "")
        self._action = environment.get("FAULTS_ACTION", "kill")
        self._random = random.Random(environment.get("FAULTS_SEED", ""))
        record = environment.get("FAULTS_RECORD", os.devnull)
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.folder = str(Path.cwd().parent)

    @contextmanager
    def working_on(self, package: str) -> Iterator[None]:
        self._here.package = package
        try:
            yield
        finally:
            self._here.package = ""

    @contextmanager
    def around(self, kind: str, what: str) -> Iterator[None]:
        """One effect: a point before it and one after it."""
        if getattr(self._here, "apart", False) or threading.current_thread().name == VIEW:
            yield
            return
        point, nth = self._next(kind)
        self.note(point, what)
        self.reach((f"{point}:before", f"{nth}:before"), kind)
        if self._full and kind in FULL:
            raise _no_space(what)
        try:
            yield
        finally:  # after one that failed too: a lock file that is opened to see whether it is there
            self.reach((f"{point}:after", f"{nth}:after"), kind)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What happens in here is no point: how often it does depends on others."""
        outer, self._here.apart = getattr(self._here, "apart", False), True
        try:
            yield
        finally:
            self._here.apart = outer

    def note(self, point: str, what: str) -> None:
        real_write(self._record, f"{point}\t{what}\n".encode(errors="replace"))

    def reach(self, places: tuple[str, str], kind: str) -> None:
        if self._at not in places:
            return
        self.note("fault", f"{self._action} at {places[0]}")
        if self._action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._action == "torn":
            self._here.tear = True
        elif self._action == "power":
            threading.Thread(target=self._cut_power, daemon=True).start()
        elif self._action in ("full", "full-once"):
            self._fill(kind, places[0])
        elif self._action == "gc":
            self._collect_garbage()
        else:
            raise ValueError(self._action)

    def write(self, descriptor: int, data: Any) -> int:
        """`os.write`: the journal is torn here, and a full disk takes a part of a line first."""
        half = bytes(data[: self._random.randrange(1, max(len(data), 2))])
        if getattr(self._here, "tear", False):
            real_write(descriptor, half)
            os.kill(os.getpid(), signal.SIGKILL)
        if (self._full or getattr(self._here, "full", False)) and self.is_ours(_name(descriptor)):
            self._here.full = False
            real_write(descriptor, half)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(descriptor, data)

    def is_ours(self, path: object) -> bool:
        """Whether a path lies in the folder of this run: the repository, its worktrees, its TMPDIR."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False  # a descriptor: those are pipes
        return os.path.abspath(os.fsdecode(path)).startswith(self.folder)  # noqa: PTH100 - no disk access

    def _next(self, kind: str) -> tuple[str, str]:
        thread = threading.current_thread()
        name = "main" if thread is threading.main_thread() else thread.name.partition("_")[0]
        who = getattr(self._here, "package", "") or name
        with self._guard:
            number = self._numbers[who, kind] = self._numbers.get((who, kind), 0) + 1
            self._passed += 1
            return f"{who}/{kind}/{number}", f"#{self._passed}"

    def _fill(self, kind: str, place: str) -> None:
        """No write succeeds from here on, or not the one at this point; git is told so by `<folder>/<action>/git`."""
        if self._action == "full" or kind == "git-write":
            os.environ["PATH"] = f"{self.folder}/{self._action}{os.pathsep}{os.environ['PATH']}"
        self._full = self._action == "full"
        self._here.full = self._action == "full-once" and kind == "journal"
        if self._action == "full-once" and kind in FULL:
            raise _no_space(place)

    def _cut_power(self) -> None:
        time.sleep(self._random.uniform(0, 0.006))
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                session = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[3])
                if session == os.getsid(0) and int(folder.name) != os.getpid():
                    os.kill(int(folder.name), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _collect_garbage(self) -> None:
        """What a user may do meanwhile: amend the commit that the run started from, and prune everything."""
        with self.apart():
            for arguments in (
                ("commit", "--quiet", "--amend", "--no-verify", "-m", "Said better"),
                ("reflog", "expire", "--expire=now", "--all"),
                ("gc", "--quiet", "--prune=now"),
            ):
                subprocess.run(["git", *arguments], check=True, stdin=subprocess.DEVNULL)


real_write = os.write


def _no_space(what: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)


def _name(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def instrument_system(points: Points) -> None:
    """Files that are opened for writing, fsync, rename, write."""
    real_open, real_os_open, real_fsync = io.open, os.open, os.fsync
    real = {name: getattr(os, name) for name in ("rename", "replace", "unlink", "rmdir")}

    def open_file(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if set(mode) & set("wax+") and points.is_ours(file):
            with points.around("file", f"{mode} {file}"):
                return real_open(file, mode, *args, **more)
        return real_open(file, mode, *args, **more)

    def open_descriptor(path: Any, flags: int, *args: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and points.is_ours(path):
            with points.around("file", f"{flags:o} {path}"):
                return real_os_open(path, flags, *args, **more)
        return real_os_open(path, flags, *args, **more)

    def fsync(fd: Any) -> None:
        with points.around("fsync", _name(fd)):
            real_fsync(fd)

    def moving(name: str) -> Callable[..., None]:
        def move(source: Any, target: Any, **more: Any) -> None:
            with points.around("rename", f"{source} -> {target}"):
                real[name](source, target, **more)

        return move

    def removing(name: str) -> Callable[..., None]:
        def take_away(path: Any, **more: Any) -> None:
            if "dir_fd" not in more and not points.is_ours(path):
                real[name](path, **more)
                return
            with points.around("unlink", str(path)):
                real[name](path, **more)

        return take_away

    io.open = builtins.open = open_file
    os.unlink, os.rmdir = removing("unlink"), removing("rmdir")
    os.open, os.fsync, os.write = open_descriptor, fsync, points.write
    os.rename, os.replace = moving("rename"), moving("replace")


def instrument_tool(points: Points) -> None:
    """The journal, git, processes, removals and attempts: before the modules that import them by name are loaded."""
    from parallel_impl.git import remove as removal
    from parallel_impl.git.repo import Repo
    from parallel_impl.record.events import Watched
    from parallel_impl.record.journal import Journal

    real_append, real_git, real_remove = Journal.append, Repo.git, removal.remove

    def append(self: Journal, *events: Any, **more: Any) -> None:
        if all(isinstance(event, Watched) for event in events):
            real_append(self, *events, **more)  # without a sync: nothing relies on these, and threads mix them
            return
        with points.around("journal", " ".join(type(event).__name__ for event in events)):
            real_append(self, *events, **more)

    def git(self: Repo, *args: str, **more: Any) -> bytes:
        kind = "push" if args[0] == "push" else "git-write" if set(args) & set(WRITING_GIT) else "git"
        with points.around(kind, " ".join(args)[:160]):
            return real_git(self, *args, **more)

    def remove(*places: Path) -> None:
        with points.around("remove", " ".join(str(place) for place in places)), points.apart():
            real_remove(*places)

    Journal.append, Repo.git, removal.remove = append, git, remove  # type: ignore[method-assign]

    instrument_processes(points)
    instrument_slots(points)
    instrument_views(points)
    instrument_shared(points)
    instrument_objects(points)
    instrument_refs(points)
    instrument_forge(points)

    from parallel_impl.run.attempt import attempt

    real_attempt = attempt.run

    def attempted(spec: Any, workspace: Any, launch: Any, job: Any, post: Any) -> Any:
        with points.working_on(job.package.id):
            return real_attempt(spec, workspace, launch, job, post)

    attempt.run = attempted


def instrument_processes(points: Points) -> None:
    """What is started and watched, and its end, in a view or without one."""
    from parallel_impl.processes import orphans, process

    real_run, real_poll = process.run, orphans.poll
    ours = threading.local()

    def run(argv: Any, *given: Any, started: Callable[[int], None] | None = None, **more: Any) -> Any:
        def told(pid: int) -> None:
            if started:
                started(pid)
            begun.__exit__(None, None, None)

        begun = points.around("start", " ".join(argv)[:160])
        begun.__enter__()
        ours.running = True
        try:
            return real_run(argv, *given, started=told, **more)
        finally:
            ours.running = False

    def poll(child: Any, *, wait: bool = False) -> int | None:
        if not wait or not getattr(ours, "running", False):
            return real_poll(child, wait=wait)
        ours.running = False  # the first wait reaps, others find it done
        with points.around("reaped", str(child.args)[:160]):
            return real_poll(child, wait=wait)

    process.run, orphans.poll = run, poll


def instrument_slots(points: Points) -> None:
    """Slots of heavy work: drawn, got, given back; how often a run looks meanwhile depends on others."""
    from parallel_impl.processes.slot_files import SlotFiles

    real_draw, real_start, real_end = SlotFiles.draw, SlotFiles.start, SlotFiles.end

    def draw(self: SlotFiles) -> int:
        with points.around("slot", "draw"), points.apart():
            return real_draw(self)

    def start(self: SlotFiles, *given: Any, **more: Any) -> Any:
        with points.apart():  # it looks as often as it has to
            turn = real_start(self, *given, **more)
        if turn:
            with points.around("slot", "start"):
                pass
        return turn

    def end(self: SlotFiles, number: int) -> bool:
        with points.around("slot", "end"), points.apart():
            return real_end(self, number)

    SlotFiles.draw, SlotFiles.start, SlotFiles.end = draw, start, end  # type: ignore[method-assign]


def instrument_views(points: Points) -> None:
    """Views and layers: mounted, entered, ended, moved out; a layer looked at as a whole; an upper read.

    How a layer is made, put into its place and removed are files, git's writes, renames and removals.
    """
    from parallel_impl.git import layer
    from parallel_impl.git.mounts import Mounts
    from parallel_impl.git.upper_walk import UpperWalk
    from parallel_impl.views.slot import OpenView, Slot

    def effect(owner: Any, name: str, kind: str, what: Callable[[Any], object]) -> None:
        """Calls of it are points, told by their last argument."""
        real = getattr(owner, name)

        def done(*given: Any, **more: Any) -> Any:
            with points.around(kind, str(what(given[-1]))[:160]):
                return real(*given, **more)

        setattr(owner, name, done)

    effect(Slot, "open", "mount", lambda view: view.copy or view.upper)
    effect(OpenView, "start", "enter", " ".join)
    effect(Slot, "close", "unmount", lambda opened: opened.view.copy or opened.view.upper)
    effect(Mounts, "move_out", "keep", lambda level: level)
    effect(layer, "_listing", "seal", lambda files: files)
    real_of = UpperWalk.of

    def of(view: Any, listing: Any) -> UpperWalk:
        with points.around("upper", view.upper):
            return real_of(view, listing)

    UpperWalk.of = of  # type: ignore[method-assign]


def instrument_shared(points: Points) -> None:
    """What is read once for all packages, by whichever comes first, or once for all that ended together."""
    from parallel_impl.git import hooks
    from parallel_impl.git.objects import Objects
    from parallel_impl.git.trees import Trees
    from parallel_impl.git.watch import Watch

    def reading(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def read(*given: Any, **more: Any) -> Any:
            with points.apart():
                return real(*given, **more)

        setattr(owner, name, read)

    once = ((Trees, "read"), (Trees, "listing"), (Objects, "_load"), (hooks, "_parsed"), (Watch, "compare"))
    for owner, name in once:
        reading(owner, name)


def instrument_objects(points: Points) -> None:
    """Objects that are written in this process: the file of another name, then the link that makes it an object."""
    from parallel_impl.git import objects

    real_fill, real_link = objects._fill, os.link

    def fill(file: int, content: bytes) -> None:
        with points.around("object", _name(file).rpartition("/")[0]), points.apart():
            real_fill(file, content)

    def link(source: Any, target: Any, **more: Any) -> None:
        with points.around("link", str(target)):
            real_link(source, target, **more)

    objects._fill, os.link = fill, link  # type: ignore[assignment]


def instrument_refs(points: Points) -> None:
    """Refs that are moved by the git that stays."""
    from parallel_impl.git.repo import Repo

    real_move_ref = Repo._move_ref

    def move_ref(self: Repo, verb: str, name: str, *values: str) -> None:
        with points.around("git-write", f"update-ref {verb} {name} {' '.join(values)}"):
            real_move_ref(self, verb, name, *values)

    Repo._move_ref = move_ref  # type: ignore[method-assign]


def instrument_forge(points: Points) -> None:
    """What GitHub is asked."""
    from parallel_impl.forge.github import GitHub

    def asking(name: str) -> Callable[..., Any]:
        real = getattr(GitHub, name)

        def ask(*given: Any, **more: Any) -> Any:
            with points.around("rest", name):
                return real(*given, **more)

        return ask

    for name in ASKING:
        setattr(GitHub, name, asking(name))


def serve() -> None:
    """Run each command that is asked for in a fork of this process, and print how it ended."""
    points = Points()
    instrument_tool(points)
    instrument_system(points)
    import parallel_impl.run.command  # noqa: F401 - loaded once, before the forks
    from parallel_impl.cli.main import umbrella

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            for number, file in ((0, os.devnull), (1, asked["output"]), (2, asked["output"])):
                os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), number)
            os.chdir(asked["folder"])
            os.environ.clear()
            os.environ.update({k: v for k, v in asked["environment"].items() if not k.startswith("FAULTS_")})
            sys.argv = ["parallel-impl", *asked["arguments"]]
            points.begin(asked["environment"])
            umbrella()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
