"""The line to the slot, the process that mounts views and starts programs in them (`views.mount`).

One serves a run. When it dies, its views are gone and a new one is started by the next request; what was running in a
view ends as ever.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.processes import cpu_time
from parallel_impl.views import mount
from parallel_impl.views.view import View

SLOT = Path(mount.__file__)
PROC = Path("/proc")
LAST_LINES = 5
MOST_LINKS = 40


class ViewError(UserError):
    """A view that could not be mounted or entered: not the fault of what was to run in it. `words` are the kernel's."""

    def __init__(self, words: str) -> None:
        super().__init__(f"no view for a checkout: {words}", hint='without views it goes by checkouts = "each"')
        self.words = words


class SlotDiedError(ViewError):
    """The slot ended in the middle of a request, or before it."""


@dataclass(frozen=True, slots=True)
class Contained:
    """A PID namespace for a program in a view: the module with its first process, its line to us, seconds of grace."""

    module: Path
    channel: int
    grace: float


@dataclass(frozen=True, slots=True)
class OpenView:
    """A view that is mounted; the process `holder` keeps it so until `close`.

    `mounts` are what was mounted then around the one path and below it. Its slot had died `before` so many times.
    """

    view: View
    slot: Slot
    holder: int
    mounts: frozenset[tuple[bytes, bytes]] = frozenset()
    before: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether its slot has died since: nothing more starts in it, and this process does not see into it."""
        return self.slot.count_deaths() != self.before

    @property
    def at(self) -> Path:
        """Where its processes see it."""
        return self.view.at

    @property
    def files(self) -> Path:
        """Where this process reads its files. (Never a work tree of git's: as a real path it is another folder.)"""
        return self.place(self.view.at)

    def place(self, path: Path) -> Path:
        """Where this process finds what its processes call by this absolute path."""
        return PROC / str(self.holder) / "root" / path.relative_to("/")

    def resolve(self, path: Path) -> Path:
        """The real path of something in it, by its name there or below `files`: links lead where they lead there.

        One that leads to itself stays.
        """
        root, known, links = PROC / str(self.holder) / "root", Path("/"), 0
        inside = path.relative_to(root) if path.is_relative_to(root) else path.relative_to("/")
        waiting = [*reversed(inside.parts)]
        while waiting:
            part = waiting.pop()
            if part == "..":
                known = known.parent
                continue
            try:
                target = Path((root / known.relative_to("/") / part).readlink())
            except OSError:  # no link, or nothing
                known = known / part
                continue
            links += 1
            if links > MOST_LINKS:
                return Path("/", *inside.parts)
            known = Path("/") if target.is_absolute() else known
            waiting += reversed(target.relative_to("/").parts if target.is_absolute() else target.parts)
        return known

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int | IO[bytes] | FileIO,
        stderr: int,
        pass_fds: Sequence[int] = (),
        nice: int = 0,
        contained: Contained | None = None,
        session: bool = True,
    ) -> Entered:
        """Start a program in it; the arguments are those of `subprocess.Popen`.

        It has a session of its own, and whoever hunts what left its parents must know it: a stranger with one is taken
        for that. Without `session` it has only a process group of its own.

        `stderr` may be a descriptor, too. A `contained` one has a PID namespace, which the process holds that is
        returned; its channel is among `pass_fds`.

        OSError where the program cannot be started, ViewError where the view cannot be entered.
        """
        inside = contained and {"module": str(contained.module), "channel": contained.channel, "grace": contained.grace}
        asked = {
            "do": "start",
            "pid": self.holder,
            "user": self.view.user,
            "argv": _checked(argv),
            "env": dict(zip(_checked(env), _checked(env.values()), strict=True)),
            "cwd": str(cwd),
            "nice": nice,
            "session": session,
            "numbers": [0, 1, 2, *pass_fds],
            "contained": inside,
        }
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            source = theirs.enter_context(Path(os.devnull).open("rb")) if stdin == subprocess.DEVNULL else stdin
            stdout, write = _pipe(ours, theirs)
            complaints, error = None, write if stderr == subprocess.STDOUT else stderr
            if stderr == subprocess.PIPE:
                complaints, error = _pipe(ours, theirs)
            descriptors = (source if isinstance(source, int) else source.fileno(), write, error, *pass_fds)
            answer = self.slot.ask(asked, descriptors)
            if "pid" in answer:
                child = Entered(argv, answer["pid"], stdout, complaints)
            if "errno" not in answer:
                ours.pop_all()
                return child
        if "pid" in answer:
            child.wait()
        if not answer.get("joined"):
            raise ViewError(answer["what"])
        raise OSError(answer["errno"], answer["what"], argv[0] if argv else "")

    def call(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Run a short program in it to its end: its exit code, what it printed, what it complained about.

        It shares our session, as every program does that nobody watches; Ctrl-C at a terminal is not for it.
        """
        with FileIO(os.memfd_create("stdin"), "w+") as given, FileIO(os.memfd_create("stderr"), "w+") as complaints:
            given.write(stdin)
            given.seek(0)
            child = self.start(argv, env=env, cwd=cwd, stdin=given, stderr=complaints.fileno(), session=False)
            with child.stdout:
                try:
                    said = child.stdout.readall()
                    code = child.wait()
                except BaseException:  # an interruption: nothing of ours goes on beside the clearing up
                    os.kill(child.pid, signal.SIGTERM)
                    child.wait()
                    raise
            complaints.seek(0)
            return code, said, complaints.readall()

    def is_as_mounted(self) -> bool:
        """Whether nothing was mounted or unmounted in it since, as far as the process that holds it can still tell.

        What its programs mount is theirs alone; only one that entered the namespace of that process changes it.
        """
        return _mounts(self.holder, self.at) in (self.mounts, frozenset())

    def close(self) -> None:
        """End it; the mount goes with the last process in it. Its upper stays."""
        self.slot.close(self)


def place_of(checkout: Path, view: OpenView | None) -> Path:
    """The folder of a checkout to read its files in: what a view shows has another name for its processes."""
    return checkout if view else storage.real(checkout)


def real_path(path: Path, view: OpenView | None) -> Path:
    """The real path of something in a checkout, as its processes know it."""
    return view.resolve(path) if view else storage.real(path)


class Entered:
    """A program that runs in a view: a child of this process, with what is used of `subprocess.Popen`."""

    def __init__(self, args: Sequence[str], pid: int, stdout: FileIO, stderr: FileIO | None) -> None:
        self.args, self.pid, self.stdout, self.stderr = args, pid, stdout, stderr
        self.returncode: int | None = None
        self._guard = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Its exit code, when it has one."""
        code = self._wait(0)
        assert code is not None  # noqa: S101  (it was waited for)
        return code

    def _wait(self, options: int) -> int | None:
        with self._guard:
            if self.returncode is None:
                try:
                    pid, status = cpu_time.reap(self.pid, options)
                except ChildProcessError:  # as Popen: somebody else has reaped it
                    pid, status = self.pid, 0
                if pid == self.pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode


class Slot:
    """The slot of a run, started by the first request. Threads share it.

    `deaths` is how often it died, as far as requests have met it; `last_lines` are what it printed then.
    """

    def __init__(self) -> None:
        self.deaths = 0
        self.last_lines = ""
        self._guard = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._over = threading.Event()

    @property
    def pid(self) -> int:
        """The pid of the process; 0 when there is none."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def open(self, view: View) -> OpenView:
        """Mount a view. ViewError with the kernel's words."""
        asked = {
            "do": "open",
            "at": str(view.at),
            "level": str(view.level),
            "store": str(view.store),
            "layers": view.layers,
            "upper": view.upper,
            "work": view.work,
            "copy": view.copy,
            "covers": [str(folder) for folder in view.covers],
            "shown": [str(folder) for folder in view.shown],
            "user": view.user,
        }
        with self._guard:
            answer = self._ask(asked)
            before = self.deaths
        if "errno" in answer:
            raise ViewError(answer["what"])
        return OpenView(view, self, answer["pid"], _mounts(answer["pid"], view.at), before)

    def count_deaths(self) -> int:
        """How often it died, also where no request has met that yet."""
        with self._guard:
            if self._process is not None and self._process.poll() is not None:
                self._bury()
            return self.deaths

    def close(self, opened: OpenView) -> None:
        """End a view; one of a slot that died is gone already."""
        with self._guard, contextlib.suppress(ViewError):
            if self._process is not None:
                self._ask({"do": "close", "pid": opened.holder})

    def ask(self, asked: dict[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        """What the slot answers to a request that comes with these descriptors."""
        with self._guard:
            return self._ask(asked, descriptors)

    def end(self) -> None:
        """End the slot and all views that it holds."""
        with self._guard:
            self._hang_up()

    # -- under the guard

    def _ask(self, asked: dict[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        if self._process is None:
            self._begin()
        assert self._line is not None  # noqa: S101  (begun)
        try:
            mount.send(self._line, asked, descriptors)
            received = mount.receive(self._line)
        except ConnectionError:
            received = None
        except BaseException:  # an interruption: what it answers later is no answer to the next request
            self._bury()
            raise
        if received is None:
            self._bury()
            raise SlotDiedError(f"the process that mounts views has ended: {self.last_lines}")
        return received[0]

    def _bury(self) -> None:
        """It died: remember what it printed, and let the next request start another one."""
        said, process = self._said(), self._process
        self._hang_up()
        self.deaths += 1
        self.last_lines = said or (f"it printed nothing (exit {process.returncode})" if process else "")

    def _begin(self) -> None:
        """Start it by a thread that stays as long: programs in views are that thread's children.

        (A child may be bound to its parent thread: prctl(2), PDEATHSIG.)
        """
        ours, theirs = socket.socketpair()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the slot)
        begun, self._over = threading.Event(), threading.Event()
        over, complaints = self._over, self._complaints
        failed: list[BaseException] = []

        def parent() -> None:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(SLOT), str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    cwd=os.sep,
                    env={},
                    pass_fds=(theirs.fileno(),),
                    process_group=0,  # Ctrl-C at a terminal is not for it
                )
            except BaseException as error:
                failed.append(error)
            begun.set()
            over.wait()

        threading.Thread(target=parent, name="slot", daemon=True).start()
        begun.wait()
        theirs.close()
        self._line = ours
        if failed:
            self._hang_up()
            raise failed[0]

    def _hang_up(self) -> None:
        self._over.set()
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            try:
                self._process.wait(timeout=2.0)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
        if self._complaints is not None:
            self._complaints.close()
        self._line = self._process = self._complaints = None

    def _said(self) -> str:
        if self._complaints is None:
            return ""
        self._complaints.seek(0)
        return "\n".join(self._complaints.read().decode(errors="replace").splitlines()[-LAST_LINES:])


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[FileIO, int]:
    """The end that is read, and the descriptor of the other one."""
    read, write = os.pipe()
    stream = ours.enter_context(FileIO(read))
    theirs.callback(os.close, write)
    return stream, write


def _mounts(holder: int, at: Path) -> frozenset[tuple[bytes, bytes]]:
    """The mounts at the one path, around it and below it: their numbers, which are never used again, and places.

    Empty when the process that holds the view is gone.
    """
    try:
        lines = (PROC / str(holder) / "mountinfo").read_bytes().splitlines()
    except OSError:
        return frozenset()
    found = {(fields[0], _unquoted(fields[4]).rstrip(b"/") + b"/") for fields in map(bytes.split, lines)}
    here = os.fsencode(at) + b"/"
    return frozenset(one for one in found if one[1].startswith(here) or here.startswith(one[1]))


def _unquoted(place: bytes) -> bytes:
    """A path as proc(5) writes it in mountinfo: blanks and backslashes are octal."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8),)), place)


def _checked(words: Any) -> list[str]:
    found = [os.fsdecode(word) for word in words]
    if any("\0" in word for word in found):
        raise ValueError("embedded null byte")
    return found
