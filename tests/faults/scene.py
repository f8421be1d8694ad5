"""A run that is disturbed, gone on with, and compared with one that nothing disturbed. Used by the tests here.

A trial is a fresh copy of one prepared repository, a run of `driver.py` with a fault, and then the same command again
until nothing is left to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from parallel_impl.git import layer, mounts
from parallel_impl.record.events import AttemptStarted, Event, PackageAccepted
from parallel_impl.record.journal import read
from parallel_impl.record.state import fold
from parallel_impl.run.claims import ledger
from parallel_impl.run.places import LOCKS
from tests.repository import FIXTURES, command, contents, git, make_repository, users_side

DRIVER = Path(__file__).with_name("driver.py")
CHANGE = "join-lists"
PACKAGES = ("wp-left", "wp-right", "wp-both")
REPLAY = FIXTURES / "crash/replay"
AGENT = f"""
echo "$1 $2" >>"$HOME/agent.log"
cp -R '{REPLAY}/'"$1"/1/. .
[ ! -f DELETE ] || {{ xargs rm -f <DELETE; rm DELETE; }}
"""


NO_ROOM = """#!/bin/sh
for argument; do
    case $argument in
    commit-tree | fast-import | hash-object | merge-tree | read-tree | update-index | update-ref | write-tree)
        if {condition}; then
            echo "fatal: write error: No space left on device" >&2
            exit 128
        fi ;;
    esac
done
exec {real} "$@"
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens where: `place` is `<point>:before` or `<point>:after`, `action` one of the driver's."""

    place: str
    action: str = "kill"
    seed: str = ""

    def __str__(self) -> str:
        return f"{self.action} at {self.place}" + (f" (seed {self.seed})" if self.seed else "")


class Driver:
    """The serving process of `driver.py`."""

    def __enter__(self) -> Self:
        # measuring coverage in a process that is killed gives nothing and takes time
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        self._process = subprocess.Popen(
            [sys.executable, str(DRIVER)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def run(self, folder: Path, *arguments: str, environment: Mapping[str, str], output: Path) -> int:
        """Run the command line in `folder`; its return code, negative for a signal."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"folder": str(folder), "arguments": arguments, "environment": dict(environment), "output": str(output)}
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


VIEWS = ("attempts", "progress.json")  # how many there were, and what a run that is watched shows of itself


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a landed run leaves, apart from dates and ids: equal for every run, disturbed or not."""

    landed: str
    packages: Mapping[str, str]
    states: Mapping[str, tuple[str, int]]
    run: str
    files: frozenset[str]
    summary: tuple[object, ...]


@dataclass
class Scene:
    """One repository in a folder of its own, with HOME and TMPDIR beside it."""

    driver: Driver
    folder: Path
    agent: Path  # the script, the same one for all copies: a run remembers its agent
    options: tuple[str, ...] = ()
    keeps: bool = False  # layers stay for the next run
    runs: int = field(default=0, init=False)

    @property
    def repo(self) -> Path:
        return self.folder / "crash"

    @property
    def state(self) -> Path:
        return self.repo / ".git/parallel-impl" / CHANGE

    @property
    def home(self) -> Path:
        return self.folder / "crash.worktrees" / CHANGE

    @cached_property
    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        own = {"HOME": str(home), "TMPDIR": str(self.folder / "tmp"), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
        return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")} | own

    @classmethod
    def prepare(cls, driver: Driver, folder: Path, agent: str = AGENT) -> Self:
        """The prepared repository, of which trials are copies; `agent` is a shell script."""
        scene = cls(driver, folder, folder / "agent.sh")
        for part in ("home", "tmp"):
            (folder / part).mkdir(parents=True)
        shutil.copy(Path.home() / ".gitconfig", folder / "home")
        make_repository("crash", folder)
        command(scene.agent, agent)
        shutil.rmtree(folder / "crash/.git/hooks")
        for name, condition in (("full", "true"), ("full-once", 'rmdir "$0.once" 2>/dev/null')):
            (folder / name / "git.once").mkdir(parents=True)
            (folder / name / "git").write_text(NO_ROOM.format(condition=condition, real=shutil.which("git")))
            (folder / name / "git").chmod(0o755)
        return scene

    def copy(self, folder: Path) -> Scene:
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        for file in (*folder.glob("points.*"), *folder.glob("said.*")):
            file.unlink()
        return Scene(self.driver, folder, self.agent, self.options, self.keeps)

    def implement(self, fault: Fault | None = None) -> int:
        """One start of the run; its return code."""
        agent = f"command: sh {self.agent} {{package_id}} {{attempt}}"
        return self.start("implement", CHANGE, "--agent", agent, "--jobs", "2", *self.options, fault=fault)

    def start(self, *arguments: str, fault: Fault | None = None) -> int:
        """One start of the command line; its return code."""
        self.runs += 1
        asked = {"FAULTS_AT": fault.place, "FAULTS_ACTION": fault.action, "FAULTS_SEED": fault.seed} if fault else {}
        return self.driver.run(
            self.repo,
            *arguments,
            environment={**self.environment, **asked, "FAULTS_RECORD": str(self.folder / f"points.{self.runs}")},
            output=self.folder / f"said.{self.runs}",
        )

    def points(self) -> dict[str, str]:
        """The points that the last run passed, in that order, and what was done there; `fault` is the fault itself."""
        lines = (self.folder / f"points.{self.runs}").read_text(errors="replace").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def said(self) -> str:
        """What the last run printed."""
        return (self.folder / f"said.{self.runs}").read_text()

    def refs(self) -> dict[str, str]:
        lines = git(self.repo, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)

    def events(self) -> list[Event]:
        return list(read(self.state / "journal.jsonl"))

    def started(self) -> list[str]:
        """`<package> <attempt>` of every agent that was started, in that order."""
        return self.home_lines("agent.log")

    def home_lines(self, name: str) -> list[str]:
        """The lines of a file in HOME."""
        log = self.folder / "home" / name
        return log.read_text().splitlines() if log.exists() else []

    def outcome(self) -> Outcome:
        """What the run left; OSError, KeyError or CalledProcessError when it is not there."""
        own = f"refs/parallel-impl/{CHANGE}/packages/"
        state = fold(self.events())
        names = (path.relative_to(self.state) for path in self.state.rglob("*") if path.is_file())
        summary = json.loads((self.state / "summary.json").read_bytes())
        return Outcome(
            landed=git(self.repo, "rev-parse", f"openspec/{CHANGE}^{{tree}}"),
            packages={name: git(self.repo, "rev-parse", f"{own}{name}^{{tree}}") for name in PACKAGES},
            states={name: (str(progress.state), progress.failures) for name, progress in state.packages.items()},
            run=str(state.run),
            files=frozenset(str(name) for name in names if not _varies(name)),
            summary=(
                summary["status"],
                [(one["id"], one["state"], one["files"], one["steps"][0]["passed"]) for one in summary["packages"]],
                [(one["name"], one["verdict"]) for one in summary["gates"]],
                (self.state / "summary.md").is_file(),
            ),
        )


def _varies(name: Path) -> bool:
    """Whether a file of the state may be there or not: a view, or a step on the base, where those that are left run."""
    return name.parts[0] in VIEWS or name.suffix == ".tmp" or name.parts[:2] == ("gates", "base-steps")


@dataclass(frozen=True, slots=True)
class Midway:
    """What stood when a run had been disturbed, which must stand in the end too.

    `accepted` counts the agents that had been started when the package was found accepted; `done` names the
    attempts whose agent had done all its work in a worktree that is still there; `aside` are commits that lay on the
    branch of that name in the repository of a package. `set_ups` has the whole layers, and how often set-up had run.
    """

    refs: Mapping[str, str]
    journal: bytes
    accepted: Mapping[str, int]
    done: frozenset[str]
    aside: frozenset[str]
    set_ups: tuple[frozenset[str], int] = (frozenset(), 0)

    @classmethod
    def of(cls, scene: Scene) -> Midway:
        journal = scene.state / "journal.jsonl"
        content = journal.read_bytes() if journal.exists() else b""
        started = scene.started()
        accepted = {e.package: len(started) for e in scene.events() if isinstance(e, PackageAccepted)}
        last = {line.split()[0]: line for line in started}
        done = frozenset(line for package, line in last.items() if _is_done(scene, package))
        refs = scene.refs()
        aside = frozenset(_asides(scene)) - set(refs.values())  # not one that stands where the attempt began
        set_ups = frozenset(made(scene)), len(scene.home_lines("set-ups"))
        return cls(refs, content[: content.rfind(b"\n") + 1], accepted, done, aside, set_ups)


def made(scene: Scene) -> Iterator[str]:
    """What set-up wrote about itself, for each layer that is whole: what it read."""
    for record in scene.home.parent.glob(f"{mounts.STORE}/*/*/{layer.RECORD}"):
        if (file := record.with_name(layer.FILES) / "made/it").exists():
            yield f"{hashlib.sha256(file.read_bytes()).hexdigest()}  -"


def _asides(scene: Scene) -> Iterator[str]:
    for branch in scene.home.glob("*.git/refs/heads/aside"):
        yield branch.read_text().strip()


def _is_done(scene: Scene, package: str) -> bool:
    replay, worktree = contents(REPLAY / package / "1"), _written(scene, package)
    removed = replay.pop("DELETE", (0, b""))[1].decode().split()
    try:
        there = contents(worktree) if (worktree / ".git").exists() else {}
    except FileNotFoundError:
        return False  # the agent outlived the run and is still at work
    index = scene.state / "indexes" / package / "index"
    whole = all(there.get(path) == content for path, content in replay.items()) and index.is_file()
    return whole and "DELETE" not in there and all(_is_gone(worktree, path) for path in removed)


def _written(scene: Scene, package: str) -> Path:
    """Where the files lie that the agent of a package wrote."""
    there = (mounts.written_in(scene.home, package) / name for name in (mounts.UPPER, mounts.COPY))
    return next((one for one in there if one.exists()), scene.home / package / scene.repo.name)


def _is_gone(worktree: Path, name: str) -> bool:
    """Whether a file of the base was removed: in an upper there is a mark for that."""
    there = os.path.lexists(worktree / name)
    return there and stat.S_ISCHR((worktree / name).lstat().st_mode) if worktree.name == mounts.UPPER else not there


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """The run to compare with: its outcome, the points that it passed, the user's side and files."""

    outcome: Outcome
    points: Mapping[str, str]
    side: Mapping[str, object]

    @classmethod
    def of(cls, template: Scene, folder: Path) -> Undisturbed:
        scene = template.copy(folder)
        assert scene.implement() == 0, scene.said()
        found = cls(scene.outcome(), scene.points(), users_side(template.repo))
        assert list(losses(scene, found, [])) == []
        return found


@dataclass(frozen=True, slots=True)
class Trial:
    """How one trial went: all that is wrong, in words, and the number of starts of the command."""

    losses: tuple[str, ...]
    redone: tuple[str, ...]
    runs: int


def try_faults(template: Scene, folder: Path, undisturbed: Undisturbed, *faults: Fault) -> Trial:
    """Run with each of the faults in turn, then once more without one, and compare. The folder is removed if all held.

    A fault whose place is not reached (the second of a pair may aim behind the end) leaves an ordinary run.
    """
    scene, midways, wrong = template.copy(folder), list[Midway](), list[str]()
    amended = any(fault.action == "gc" for fault in faults)
    for fault in faults:
        code = scene.implement(fault)
        midways.append(Midway.of(scene))
        wrong += [f"{fault}: {what}" for what in _unexpected(scene, undisturbed, fault, code)]
    if (code := scene.implement()) != 0:
        wrong.append(f"gone on with: exit {code}: {scene.said()}")
    wrong += losses(scene, undisturbed, midways, amended=amended)
    trial = Trial(tuple(wrong), tuple(redone(scene, midways)), scene.runs)
    if not trial.losses and not trial.redone:
        shutil.rmtree(folder)
    return trial


def _unexpected(scene: Scene, undisturbed: Undisturbed, fault: Fault, code: int) -> Iterator[str]:
    """What is wrong about the end of the disturbed run itself."""
    said, fired = scene.said(), "fault" in scene.points()
    if not fired:
        if not fault.place.startswith("#"):
            yield "was not reached: points are not numbered the same in every run"
        if code != 0:
            yield f"was not reached, and the run ended with {code}: {said}"
    elif fault.action in ("kill", "torn", "power"):
        if code != -9:
            yield f"ended with {code}: {said}"
    elif fault.action == "gc":
        if code not in (0, 2):
            yield f"ended with {code}: {said}"
    elif code == 0 and "No space left on device" in said and "Landed:" in said:
        return  # it was full only when what had landed gave its claims up
    elif code == 0 and fault.action == "full-once":  # what failed was tried otherwise; the run must be whole by itself
        yield from (f"survived, but: {what}" for what in losses(scene, undisturbed, []))
    elif code != 2 or "No space left on device" not in said or "nothing is lost" not in said:
        yield f"ended with {code}: {said}"


def redone(scene: Scene, midways: list[Midway]) -> Iterator[str]:
    """Packages of which an attempt started, by the journal or in fact, after they had been accepted."""
    accepted = set[str]()
    for event in scene.events():
        if isinstance(event, AttemptStarted) and event.package in accepted:
            yield f"{event.package}: attempt {event.number} after it was accepted, by the journal"
        if isinstance(event, PackageAccepted):
            if event.package in accepted:
                yield f"{event.package}: accepted twice"
            accepted.add(event.package)
    for midway in midways:
        for package, count in midway.accepted.items():
            for line in scene.started()[count:]:
                if line.split()[0] == package:
                    yield f"agent started again after the acceptance: {line}"
        there, count = midway.set_ups
        yield from (f"set-up again: {line}" for line in scene.home_lines("set-ups")[count:] if line in there)


def losses(scene: Scene, undisturbed: Undisturbed, midways: list[Midway], *, amended: bool = False) -> Iterator[str]:
    """Everything that is not as it would be without the fault. `amended`: the user changed their side meanwhile."""
    try:
        outcome = scene.outcome()
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        yield f"no outcome: {error}"
        return
    for one in fields(Outcome):
        found, expected = getattr(outcome, one.name), getattr(undisturbed.outcome, one.name)
        if isinstance(found, frozenset):
            yield from (f"file too many or missing: {name}" for name in sorted(found ^ expected))
        elif one.name == "states":
            yield from _not_so_far(found, expected)
        elif found != expected:
            yield f"{one.name}: {found}, not {expected}"
    yield from _not_kept(scene, undisturbed, midways)
    if not amended and users_side(scene.repo) != undisturbed.side:
        yield "the user's side of the repository changed"
    checked = subprocess.run(["git", "fsck", "--full"], cwd=scene.repo, capture_output=True, text=True, check=False)
    yield from (line for line in (checked.stdout + checked.stderr).splitlines() if not line.startswith("dangling"))
    yield from (f"left behind: {what}" for what in left_behind(scene))


def _not_so_far(found: Mapping[str, tuple[str, int]], expected: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """Packages that ended otherwise, or failed oftener; an attempt that was interrupted before it failed costs none."""
    for name in found.keys() | expected.keys():
        is_so, should = found.get(name, ("absent", 0)), expected.get(name, ("absent", 0))
        if is_so[0] != should[0] or is_so[1] > should[1]:
            yield f"{name}: {is_so}, not {should}"


def _not_kept(scene: Scene, undisturbed: Undisturbed, midways: list[Midway]) -> Iterator[str]:
    """Commits, lines of the journal and work in worktrees that were there midway and are not any more."""
    refs, journal = scene.refs(), (scene.state / "journal.jsonl").read_bytes()
    for midway in midways:
        kept = {name: oid for name, oid in midway.refs.items() if "/packages/" in name or "/attempts/" in name}
        yield from (f"{name} was {oid}, is {refs.get(name)}" for name, oid in kept.items() if refs.get(name) != oid)
        if not journal.startswith(midway.journal):
            yield "the journal does not begin with what was in it"
        yield from (f"the work on {commit} is on no ref" for commit in midway.aside - set(refs.values()))
        for attempt in midway.done:
            package, number = attempt.split()
            ref = f"refs/parallel-impl/{CHANGE}/attempts/{package}/{number}"
            if ref not in refs:
                yield f"the work of {attempt} was done and is on no ref"
            elif git(scene.repo, "rev-parse", f"{ref}^{{tree}}") != undisturbed.outcome.packages[package]:
                yield f"the work of {attempt} was done and is not what is on its ref"


def mounted(folder: Path) -> Iterator[str]:
    """What any process of this machine has mounted at or from a folder."""
    word = os.fsencode(folder).replace(b" ", b"\\040")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            for line in (process / "mountinfo").read_bytes().splitlines():
                if any(path.startswith(word) for path in line.split(b" ")[3:5]) or word in line.rpartition(b" - ")[2]:
                    yield f"mounted for {process.name}: {line.decode(errors='replace')}"


def _is_kept(scene: Scene, path: Path) -> bool:
    """Whether a path lies in a whole layer, or above one, that stays for the next run."""
    records = scene.home.parent.glob(f"{mounts.STORE}/*/*/{layer.RECORD}") if scene.keeps else ()
    return any(path.is_relative_to(one.parent) or one.is_relative_to(path) for one in records)


def left_behind(scene: Scene) -> Iterator[str]:
    """Files, processes and mounts of the run that should be gone."""
    yield from mounted(scene.folder)
    yield from (str(path) for path in (scene.folder / "crash.worktrees").rglob("*") if not _is_kept(scene, path))
    for path in (scene.folder / "tmp").iterdir():
        # `tempfile.gettempdir` tries the folder with a file of eight letters, and nobody can know whose it is
        if path.is_dir() or len(path.name) != 8 or path.read_bytes() not in (b"", b"blat"):
            yield str(path)
    yield from (str(path) for path in (scene.repo / ".git").rglob("*.lock") if ".locks" not in path.parts)
    yield from (f"claims: {entry}" for entry in ledger.read(scene.state.parent / LOCKS))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(f"TMPDIR={scene.folder}") in (folder / "environ").read_bytes():
                yield f"process {folder.name}: {(folder / 'cmdline').read_bytes()!r}"
        except OSError:
            continue  # another user's, or gone
