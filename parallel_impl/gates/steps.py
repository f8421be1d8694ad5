"""Verification: the steps of a package, in order, in a checkout that is ready, until one fails.

What is a step's own fault is data in `Verification`; only a bug raises.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.gates import evidence, pytest_plugin, reports, setup, shell, start_failure, tool_command
from parallel_impl.gates.gate_report import GateReport, GateState, Test
from parallel_impl.gates.readers.output import GateOutput
from parallel_impl.git.remove import open_folders, remove
from parallel_impl.git.repo import GitError
from parallel_impl.git.walk import is_cache
from parallel_impl.plan.model import Package, Step, StepKind
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Ended, Reason, run
from parallel_impl.processes.slots import Share, unlimited
from parallel_impl.text import first_names, masked, tail
from parallel_impl.views.slot import OpenView, place_of, real_path

RESULT_FILE = "PARALLEL_IMPL_RESULT_FILE"
SIGPIPE = 141
SHOWN = 20
MAY_WRITE = "declare them as artifacts, ignore them, or write `writes: true`"
OldFailures = Callable[[Step], Collection[str]]
SlotFor = Callable[[Step], AbstractContextManager[Share]]
Changed = Callable[[], Mapping[str, str]]  # path to what tells one content of it from the next


class StepStatus(StrEnum):
    """How a step ended; a step for a person never counts as passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"
    FOR_A_PERSON = "for-a-person"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step. `exit_code` as a shell reports it (a signal is 128 + its number); `why` is empty when it passed.

    `artifacts` are paths in the checkout, kept below the folder of the verification; `keys` are the declared
    result keys that are known, `not_reported` the others. `tests` are those that passed in its sessions of pytest.
    `changed` are files of the checkout that it may not change; `cannot_start` is what of its own command could not be
    started ("": it ran). `failing` are the tests whose failures explain how it ended, all of them; `excused` those of
    them that its plan lets fail. `beside`: other heavy work of ours ran at the same time; `red_under_load`: it did not
    pass so, and passed alone.
    """

    name: str
    kind: StepKind
    status: StepStatus
    command: str | tuple[str, ...] = ""
    exit_code: int | None = None
    seconds: float = 0.0
    log: Path | None = None
    artifacts: tuple[str, ...] = ()
    keys: Mapping[str, object] = field(default_factory=dict)
    not_reported: tuple[str, ...] = ()
    why: str = ""
    changed: tuple[str, ...] = ()
    cannot_start: str = ""
    tests: tuple[Test, ...] = ()
    failing: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()
    beside: bool = False
    red_under_load: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """All steps of one attempt. `tier` is the required one when it was reached, else empty.

    `keys` holds every known key of all steps; `not_reported` the declared ones (of steps and of the package's
    outputs) that nobody wrote where no result file was written. `stopped`: the run was asked to end.
    """

    passed: bool
    steps: tuple[StepResult, ...]
    tier: str = ""
    keys: Mapping[str, object] = field(default_factory=dict)
    not_reported: tuple[str, ...] = ()
    why: str = ""
    stopped: bool = False

    @property
    def for_a_person(self) -> tuple[str, ...]:
        """The names of the steps that a person has to check."""
        return tuple(step.name for step in self.steps if step.status is StepStatus.FOR_A_PERSON)

    @property
    def unstarted(self) -> StepResult | None:
        """The step whose own command could not be started, which ended the verification; None where there is none."""
        return next((step for step in self.steps if step.cannot_start), None)

    @property
    def red_beside(self) -> str:
        """The name of the step that failed while other heavy work of ours ran: that shows nothing yet."""
        return next((step.name for step in self.steps if step.status is StepStatus.FAILED and step.beside), "")

    def after(self, first: Verification) -> Verification:
        """This one, of steps that ran alone, with what passes now and did not beside other work."""
        red = first.red_beside
        steps = tuple(
            replace(step, red_under_load=step.name == red and step.status is StepStatus.PASSED) for step in self.steps
        )
        return replace(self, steps=steps)


def not_run(package: Package) -> Verification:
    """The verification of a package that has no step for us: passed, with what a person has to check."""
    steps = tuple(
        StepResult(step.name, step.kind, _unstarted(step), step.command, why=step.instructions)
        for step in package.steps
    )
    commands = [step.name for step in package.steps if step.kind is StepKind.COMMAND]
    return Verification(not commands, steps, not_reported=package.output_keys, why=", ".join(commands))


def run_steps(
    package: Package,
    *,
    checkout: Path,
    folder: Path,
    env: Mapping[str, str],
    changed: Changed,
    before: Mapping[str, str] | None = None,
    files_modified: int | None = None,
    made: Collection[str] = (),
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
    started: Callable[[Step, int], None] = lambda _step, _place: None,
    ended: Callable[[StepResult], None] = lambda _result: None,
    old: OldFailures = lambda _step: (),
    slot: SlotFor = lambda _step: unlimited(),
    view: OpenView | None = None,
) -> Verification:
    """Run the package's steps in `checkout`, logs in `<folder>/steps/`, evidence in `<folder>/artifacts/`.

    `env` is the allow-listed environment of steps; `changed` names the tracked or unignored files of the
    checkout that differ from its commit, and `before` is what it would name now (None: it is asked); `files_modified`
    is how many files the attempt changed and `made` which: an artifact that was there before the steps is evidence
    only if it is among these. `started` hears of each step that runs, with its place from 1, `ended` how it ended; its
    time counts from when it has its `slot`. `old` tells which tests of a step that allows old failures fail on the
    base, each of two times: it is asked before the step has a slot, since what it waits for may need one. In a `view`,
    `checkout` is where this process reads its files.
    """
    runner = _Runner(place_of(checkout, view), folder, env, changed, files_modified, stop, mask, view, before=before)
    there = evidence.signatures(runner.checkout, package.steps, view)
    runner.stale = {file: signature for file, signature in there.items() if file not in made}
    results: list[StepResult] = []
    failed: StepResult | None = None
    for number, step in enumerate(package.steps, 1):
        if step.kind is not StepKind.COMMAND or failed:
            why = (
                step.instructions
                if step.kind is not StepKind.COMMAND
                else f"after {failed.name!r} failed"
                if failed
                else ""
            )
            results.append(StepResult(step.name, step.kind, _unstarted(step), step.command, why=why))
            continue
        runner.excusable = frozenset(old(step)) if step.old_failures else frozenset()
        with slot(step) as share:
            started(step, number)
            result = runner.run(number, step)
        result = replace(result, beside=share.beside)
        ended(result)
        results.append(result)
        failed = result if result.status is not StepStatus.PASSED else None
    return _summed_up(
        package,
        results,
        failed,
        wrote=runner.wrote,
        known={**runner.reported, **runner.measured},
        stopped=runner.stopped,
    )


def try_step(
    step: Step,
    place: int,
    *,
    checkout: Path,
    folder: Path,
    env: Mapping[str, str],
    changed: Changed,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
    view: OpenView | None = None,
) -> StepResult:
    """Run one step by itself, to see what it does; the arguments are those of `run_steps`.

    What it changed in its checkout is told even where it ended with another exit code than it should.
    """
    runner = _Runner(place_of(checkout, view), folder, env, changed, None, stop, mask, view)
    runner.stale = evidence.signatures(runner.checkout, [step], view)
    result = runner.run(place, step)
    if result.status is StepStatus.FAILED and runner.before is not None and not result.changed:
        try:
            return replace(result, changed=runner.written_to(step))
        except (GitError, OSError) as error:
            _odd(error)
    return result


def _unstarted(step: Step) -> StepStatus:
    return StepStatus.NOT_RUN if step.kind is StepKind.COMMAND else StepStatus.FOR_A_PERSON


def _summed_up(
    package: Package,
    results: Sequence[StepResult],
    failed: StepResult | None,
    *,
    wrote: bool,
    known: Mapping[str, object],
    stopped: bool,
) -> Verification:
    missing = [key for key in package.output_keys if key not in known]
    not_reported = dict.fromkeys(key for result in results for key in result.not_reported)
    why = f"step {failed.name!r}: {failed.why}" if failed else ""
    if missing and wrote and not failed:
        why = f"the package declares result keys that its steps did not write: {', '.join(missing)}"
    elif not failed:
        not_reported |= dict.fromkeys(missing)
    ran = any(result.kind is StepKind.COMMAND for result in results)
    tier = package.tier_required if ran and not why else ""
    return Verification(not why, tuple(results), tier, dict(known), tuple(not_reported), printable(why), stopped)


@dataclass(slots=True)
class _Runner:
    """Runs steps one after the other and remembers what they left."""

    checkout: Path
    folder: Path
    env: Mapping[str, str]
    changed: Changed
    files_modified: int | None
    stop: Stops
    mask: tuple[bytes, ...]
    view: OpenView | None = None
    wrote: bool = False
    stopped: bool = False
    reported: dict[str, object] = field(default_factory=dict)
    measured: dict[str, object] = field(default_factory=dict)
    before: Mapping[str, str] | None = None
    stale: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    excusable: frozenset[str] = frozenset()

    def run(self, number: int, step: Step) -> StepResult:
        """Run a step and judge it; OSError of a disk. What it leaves closed, odd or broken is its own failure."""
        log = self.folder / "steps" / f"{number}-{_slug(step.name)}.log"
        result = StepResult(step.name, step.kind, StepStatus.FAILED, step.command, log=log)
        try:
            return self._run(log, step, result)
        except (GitError, OSError) as error:
            return replace(result, why=f"what it left cannot be looked at: {_odd(error)}")

    def _run(self, log: Path, step: Step, result: StepResult) -> StepResult:
        place, written, lines = log.stem, log.with_suffix(".keys.json"), log.with_suffix(".tests.jsonl")
        log.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(log.parent, os.R_OK | os.W_OK | os.X_OK):
            open_folders(log.parent)  # an earlier step closed it
        remove(log, written, lines)
        folder, root = self.checkout / step.cwd, real_path(self.checkout, self.view)
        cwd = real_path(folder, self.view)  # of a link to itself: that link
        if not os.path.isdir(folder) or not cwd.is_relative_to(root):  # noqa: PTH112 - a folder may be closed
            return replace(result, log=None, why=f"its cwd {step.cwd!r} is not a folder of the checkout")
        if self.before is None:
            self.before = self.changed()
        ended = self._start(step, cwd, log, written, lines)
        if not self.stopped and pytest_plugin.was_refused(log):
            ended = self._start(step, cwd, log, written, None)
        code = _shell_code(ended)
        failing = self._failing(step, code, log, lines)  # before the report is masked
        result = replace(result, exit_code=code, seconds=ended.seconds, tests=self._tests(lines), failing=failing)
        if self.stopped:
            return replace(result, status=StepStatus.NOT_RUN, why="the run was stopped")
        if why := _wrong_end(step, ended, code):
            if result.failing and self.excusable.issuperset(result.failing):
                return self._judge(replace(result, excused=result.failing), step, place, written)
            gone = start_failure.find(step, ended, log)
            return replace(result, why=f"{why}; log: {log}\n{tail(log)}", cannot_start=gone)
        return self._judge(result, step, place, written)

    def _start(self, step: Step, cwd: Path, log: Path, written: Path, lines: Path | None) -> Ended:
        """Run a step, its sessions of pytest with our plugin where there are `lines` to write to."""
        env = setup.environment_of(self.checkout, self.env, self.view)
        env |= {"PYTHONDONTWRITEBYTECODE": "1", RESULT_FILE: str(written), "PWD": str(cwd)} | dict(step.env)
        command = step.command
        if lines:
            env, command = pytest_plugin.environment(env, lines), pytest_plugin.command(command)
        argv = shell.argv(command, env.get("PATH", os.defpath))
        limits = Limits(step.timeout_minutes * 60)
        ended = run(argv, Launch(cwd, env, limits, stop=self.stop, mask=self.mask, view=self.view), log)
        self.stopped = ended.reason is Reason.STOPPED
        return ended

    def _failing(self, step: Step, code: int | None, log: Path, lines: Path) -> tuple[str, ...]:
        """The tests that failed, where they are the whole reason why the step ended as it did."""
        if not code or step.expect_exit_code or not lines.is_file():
            return ()
        command = step.command if isinstance(step.command, str) else shlex.join(step.command)
        is_tool = tool_command.is_tool(command, "pytest")
        output = GateOutput(log.read_bytes(), code, self.checkout, lines, None, is_tool)
        found = reports.read("pytest", output, GateReport(step.name, GateState.BROKEN, code))
        explained = found.state is GateState.RED and found.explained and not found.stopped
        return tuple(test.id for test in found.failed) if explained else ()

    def _tests(self, lines: Path) -> tuple[Test, ...]:
        """What passed in its sessions of pytest; the report is masked once it was read."""
        passed = reports.passed_tests(lines, self.checkout)
        if self.mask and lines.is_file():
            storage.write(lines, masked(lines.read_bytes(), self.mask))
        return passed

    def _judge(self, result: StepResult, step: Step, place: str, written: Path) -> StepResult:
        """A step that ended as expected passes when it left its evidence and nothing else."""
        found = evidence.find(self.checkout, step.artifacts, step.cwd, self.view)
        there = list(dict.fromkeys(file for files in found.values() for file in files))
        files = [file for file in there if not self._is_stale(file)]
        if there and not files:
            why = f"its declared artifacts were there before it, and it did not write them: {', '.join(there[:SHOWN])}"
            return replace(result, why=why)
        try:
            left_out = evidence.keep(self.checkout, files, self.folder / "artifacts" / place)
        except evidence.ClosedArtifactError as error:
            return replace(result, why=f"its declared artifact {error}")
        result = replace(result, artifacts=tuple(file for file in files if file not in left_out))
        if gone := [pattern for pattern, files in found.items() if not files]:
            return replace(result, why=f"declared artifacts are not there afterwards: {', '.join(gone)}")
        if fresh := self.written_to(step):
            return replace(result, why=_forbidden(fresh), changed=fresh)
        return self._keys(result, step, written)

    def _is_stale(self, file: str) -> bool:
        """Whether a file of the base was there before the first step, as it is now: it is no evidence of any step."""
        return storage.signature(self.checkout / file) == self.stale.get(file, ())

    def written_to(self, step: Step) -> tuple[str, ...]:
        """The files of the checkout that changed since this was asked last, and that the step may not change."""
        assert self.before is not None  # noqa: S101  (run set it)
        before, self.before = self.before, self.changed()
        differ = {path for path in {*before, *self.before} if before.get(path) != self.before.get(path)}
        fresh = sorted(path for path in differ if not _is_tools(path))
        fresh = evidence.undeclared(fresh, step.artifacts, step.cwd)
        return () if step.writes else tuple(fresh)

    def _keys(self, result: StepResult, step: Step, written: Path) -> StepResult:
        try:
            own = evidence.read_result_file(written)
        except evidence.ResultFileError as error:
            return replace(result, why=f"its result file {error}")
        assert result.log is not None  # noqa: S101  (run set it)
        words = step.command if isinstance(step.command, str) else " ".join(step.command)
        measured = evidence.computed(result.log, result.exit_code, self.files_modified)
        named = {key: evidence.known_as(key, words, measured) for key in step.result_keys}
        measured |= {key: value for key, value in named.items() if value is not None}
        keys = {**(own or {}), **measured}
        missing = tuple(key for key in step.result_keys if key not in keys)
        self.wrote = self.wrote or own is not None
        self.reported |= own or {}
        self.measured |= {**measured, **{f"{result.name}.{key}": value for key, value in measured.items()}}
        if missing and own is not None:
            why = f"it wrote a result file without the declared keys {', '.join(missing)}"
            return replace(result, why=why)
        return replace(result, status=StepStatus.PASSED, keys=keys, not_reported=missing)


def _odd(error: GitError | OSError) -> str:
    """What is wrong with what a step left; raised again where it is the disk that refuses."""
    if isinstance(error, OSError) and storage.is_of_disk(error):
        raise error
    return str(error)


def _shell_code(ended: Ended) -> int | None:
    """The exit code as a shell shows it: bash replaces itself by the last command, which a signal may end."""
    code = ended.exit_code if ended.reason is Reason.EXITED else None
    return 128 - code if code is not None and code < 0 else code


def _wrong_end(step: Step, ended: Ended, code: int | None) -> str:
    if ended.reason is Reason.TIMEOUT:
        return f"it took more than {step.timeout_minutes} minutes and was ended"
    if ended.reason is not Reason.EXITED or code is None:
        return str(ended)
    if code == step.expect_exit_code:
        return ""
    said = str(ended) if ended.exit_code == code else f"{ended} (exit {code})"  # a signal by its name, where it has one
    wanted = f", expected {step.expect_exit_code}" if step.expect_exit_code else ""
    if code == SIGPIPE:
        return (
            f"{said}{wanted}: SIGPIPE: the reader of a pipe stopped early (`… | head -3`) and pipefail counts it; "
            "let the last command read all (`… | sed -n 1,3p`)"
        )
    return said + wanted


def _forbidden(changed: Sequence[str]) -> str:
    return f"it changed files of its checkout: {listed(changed)}; {MAY_WRITE}"


def listed(paths: Sequence[str]) -> str:
    """As many of these paths as are named."""
    return first_names(paths, SHOWN)


def _is_tools(path: str) -> bool:
    return any(is_cache(os.fsencode(part)) for part in path.split("/"))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "step"
