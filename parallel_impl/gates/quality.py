"""The quality gates of a repository: which there are, running them side by side on one checkout.

`reports` reads what they print, `verdict` compares.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from parallel_impl import environment, storage
from parallel_impl.config import GATE_MINUTES, GATES, GateCommand, may_be_found, runs_tests, toml_key
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates import lost_tests, programs, pytest_plugin, reports, setup, shell, tool_command
from parallel_impl.gates.found import node, python, repository
from parallel_impl.gates.found.found_gate import ProjectTree, inside
from parallel_impl.gates.found.python import COMMANDS
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test
from parallel_impl.gates.project_files import Read, json_table, table
from parallel_impl.gates.readers.output import GateOutput
from parallel_impl.git.remove import open_folders, remove
from parallel_impl.plan import ids
from parallel_impl.plan.globs import globs
from parallel_impl.processes import cpu_time
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Ended, Reason, run
from parallel_impl.processes.slots import Share, unlimited
from parallel_impl.text import did_you_mean, masked, tail
from parallel_impl.views.slot import OpenView, place_of

INSTALL = {
    "pytest": "python -m pip install pytest",
    "mypy": "python -m pip install mypy",
    "ruff": "python -m pip install ruff",
    "openspec": "npm install -g @fission-ai/openspec",
    "npm": "install Node.js",
    "pnpm": "npm install -g pnpm",
    "yarn": "npm install -g yarn",
    "bun": "npm install -g bun",
    "go": "install Go",
    "cargo": "install Rust",
}
JUNIT_OPTION = re.compile(r"--junit-?xml[= ]([^\s'\"]+)")
NO_JSON = b"unrecognized arguments: --output=json"
NOT_STARTED = (126, 127)
LOG_LIMIT = 50_000_000
IN_MEMORY = 1_000_000  # bytes of what a gate prints
BY_EXIT_CODE = "our pytest plugin cannot be imported there: it counts by its exit code only"
RESERVED = ("setup",)  # the name of the log of set-up in the same folder
RED_UNDER_LOAD = "red under load, green alone"
OFFLINE = {"OPENSPEC_TELEMETRY": "0", "OPENSPEC_NO_UPDATE_CHECK": "1"}  # the CLI asks the network otherwise

OwnCheck = Callable[[Path, str], Sequence[GateFinding]]  # checkout and change folder -> what is wrong with the texts
GateSlot = Callable[["Gate", bool], AbstractContextManager[Share]]  # alone: while nothing else of ours runs


class Gate(msgspec.Struct, frozen=True):
    """One quality gate. `found` says where it comes from, for people; `off`: switched off by name.

    `required`: the configuration names it, so that an absent program is an error and not `not run`. `texts` is the
    change folder whose texts are all that it checks: such a gate proves nothing about the code. `tests`: it runs
    tests. `asked`: somebody wrote that it has to run, the configuration or the texts of every change. `writes` are
    globs of the tracked files that it may change.
    """

    name: str
    command: str = ""
    parser: str = "exit-code"
    found: str = ""
    required: bool = True
    off: bool = False
    absent: bool = False
    texts: str = ""
    tests: bool = True
    asked: bool = True
    minutes: float = GATE_MINUTES
    writes: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether our own check of the texts runs in the place of a program that is not installed."""
        return bool(self.texts) and self.absent and not self.required and not self.off

    @property
    def reader(self) -> str:
        """Who checks the texts, for people; "" for a gate on the code."""
        return "this tool's own rules" if self.is_own else self.name if self.texts else ""

    @property
    def shown(self) -> str:
        """What is run, for people."""
        return f"own check of {self.texts}" if self.is_own else self.command

    @property
    def runs(self) -> bool:
        """Whether it is neither switched off nor without its program, or our own check takes that one's place."""
        return self.is_own or not (self.off or self.absent)


# -- which gates there are


def find(
    read: Read,
    configured: Mapping[str, GateCommand | bool],
    *,
    change_id: str,
    part: str = "",
    paths: Collection[str] = (),
) -> tuple[list[Gate], list[Problem]]:
    """The gates of a repository, and what there is to say about them; `read` gives a file of the base tree.

    Those of our configuration come as they are; the others are found from the repository's own files where ours does
    not speak of them. `part` is the folder of the change's `openspec/`, `paths` are all files of the base tree:
    without them nothing is found in sub-folders.
    """
    tree = ProjectTree(read, paths)
    written = {name: own for name, own in configured.items() if not isinstance(own, GateCommand) or own.command}
    found = {one.name: one for one in repository.gates(tree, written)}
    gates, refused = [], list[tuple[str, Problem]]()
    for name in dict.fromkeys((*GATES, *found, *configured)):
        own = configured.get(name)
        texts = ids.folder(change_id, part) if name == "openspec" else ""
        settings = own if isinstance(own, GateCommand) else GateCommand("")
        limits, tests = {"minutes": settings.minutes, "writes": settings.writes}, runs_tests(name)
        refused += [(name, why) for why in map(globs.problem, settings.writes) if why]
        if settings.command:
            parser = settings.parser or tool_command.parser_of(settings.command)
            gate = Gate(name, settings.command, parser, "configured", texts=texts, tests=tests)
            gates.append(replace(gate, **limits))
        elif own is False:
            gates.append(Gate(name, found="switched off by the configuration", off=True, tests=tests))
        elif name == "openspec":
            command = inside(part, f"openspec validate {shlex.quote(change_id)} --strict --json")
            why = "every change is validated"
            gate = Gate(name, command, name, why, required=False, texts=texts, tests=False)
            gates.append(replace(gate, **limits))
        elif one := found.get(name):
            gate = Gate(name, one.command, one.parser, f"found from {one.where}", one.required, asked=False)
            gates.append(replace(gate, tests=tests, **limits))
    off, running = [gate.name for gate in gates if gate.off], [gate.name for gate in gates if not gate.off]
    unclear = [] if "mypy" in running or "mypy" in off else [*_unclear_mypy(read)]
    said = [*_switched_off(off), *_misspelt(off, running), *_without_command(configured, running, unclear), *unclear]
    said += [dataclasses.replace(why, where=f"gates.{toml_key(name)}.writes") for name, why in refused]
    return gates, [*said, *repository.problems(tree, written, [*found.values()])]


def _unclear_mypy(read: Read) -> Iterator[Problem]:
    if where := python.mypy(read, any_section=True):
        what = f"gate mypy is not run: {where} configures mypy but does not say what to check"
        hint = 'write gates.mypy = {command = "mypy src", parser = "mypy"}, or files = ["src"] for mypy itself'
        yield Problem(what, where=where, hint=hint, severity=Severity.WARNING)


def _without_command(
    configured: Mapping[str, GateCommand | bool], running: Sequence[str], unclear: Sequence[Problem]
) -> Iterator[Problem]:
    """What is said about gates that neither have a command nor were found."""
    for name, own in configured.items():
        if isinstance(own, GateCommand) and name not in running and not (name == "mypy" and unclear):
            what, key = f"no gate {name} is found here, and the configuration has no command for it", toml_key(name)
            hint = f'write gates.{key} = {{command = "…", minutes = {own.minutes:g}}}'
            yield Problem(what, hint=hint, severity=Severity.WARNING)


def _misspelt(off: Sequence[str], running: Sequence[str]) -> Iterator[Problem]:
    """Names that were switched off where a gate of nearly that name runs."""
    for name in off:
        if not may_be_found(name) and (hint := did_you_mean(name, running)):
            yield Problem(
                f"gates.{toml_key(name)} = false: no gate has this name", hint=hint, severity=Severity.WARNING
            )


def _switched_off(names: Sequence[str]) -> Iterator[Problem]:
    """One warning for all of them."""
    if names:
        what = f"gate {names[0]} is" if len(names) == 1 else f"gates {', '.join(names)} are"
        yield Problem(f"{what} switched off by the configuration", severity=Severity.WARNING)


# -- are they there


def check_programs(
    gates: Sequence[Gate], *, checkout: Path, env: Mapping[str, str]
) -> tuple[list[Gate], list[Problem]]:
    """The gates with those marked `absent` whose program is not there; an error for each that is required.

    `checkout` is one of the base after set-up, `env` the environment of gates there.
    """
    surroundings, checked, problems = setup.environment_of(checkout, env), [], []
    for gate in gates:
        gone = [] if gate.off else programs.missing(gate.command, checkout=checkout, env=surroundings)
        names = ", ".join(dict.fromkeys(one.program for one in gone))
        if gone and gate.required:
            program = gone[0].program
            install = INSTALL.get(program, f"install {program}, or let set-up install it into .venv")
            if gone[0].file:
                install = f"{programs.executable(gone[0].path or program)}, and commit that"
            problems.append(
                Problem(
                    f"gate {gate.name} ({gate.found}) needs {names}, which {gone[0].state}",
                    hint=f"{install}   or {switch_off(gate.name)}",
                )
            )
        elif gone and gate.texts:
            what = f"{names} is not installed: this tool's own rules check the texts of the change, and they are fewer"
            problems.append(Problem(what, hint=INSTALL.get(gate.name, ""), severity=Severity.WARNING))
        elif gone:
            what = f"gate {gate.name} is not run: {names} is not there"
            problems.append(Problem(what, hint=INSTALL.get(gate.name, ""), severity=Severity.WARNING))
        elif elsewhere := _elsewhere(gate, checkout, surroundings):
            what = f"gate {gate.name} runs {elsewhere}, which does not see what .venv of the checkout installs"
            hint = f"let set-up install {gate.name} into .venv, or set gates.{gate.name}"
            problems.append(Problem(what, hint=hint, severity=Severity.WARNING))
        checked.append(replace(gate, absent=bool(gone)))
    return checked, problems


def switch_off(name: str) -> str:
    """What to write so that a gate does not run."""
    return f"switch the gate off: gates.{toml_key(name)} = false"


def _elsewhere(gate: Gate, checkout: Path, env: Mapping[str, str]) -> str:
    """The program of a found gate that lies outside the `.venv` that the checkout has."""
    if gate.off or gate.command not in (COMMANDS["pytest"], COMMANDS["mypy"]) or "VIRTUAL_ENV" not in env:
        return ""
    found = shutil.which(gate.name, path=env.get("PATH"))
    return found if found and not Path(found).is_relative_to(checkout) else ""


# -- running them


def run_gates(
    checkout: Path,
    gates: Sequence[Gate],
    *,
    env: Mapping[str, str],
    folder: Path,
    seconds: float = math.inf,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
    own: OwnCheck | None = None,
    started: Callable[[Gate], None] = lambda _gate: None,
    ended: Callable[[GateReport], None] = lambda _report: None,
    slot: GateSlot = lambda _gate, _alone: unlimited(),
    view: OpenView | None = None,
) -> dict[str, GateReport]:
    """Run all gates side by side on one checkout that is ready; one report each, by name, in the gates' order.

    `<folder>/<gate>.log` and report files are overwritten. `seconds` is a limit of each beside its own. `own` checks
    the texts of the change where the program for that is absent. `started` and `ended` hear of each that runs, in its
    own thread. Its time counts from when it has its `slot`. What broke beside other heavy work (its time ran out, say)
    or is red and lists nothing runs again alone. In a `view`, `checkout` is where this process reads its files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        open_folders(folder)  # an earlier gate closed it
    root = place_of(checkout, view)

    def one(gate: Gate) -> GateReport:
        checks_texts = own is not None and gate.is_own
        if not checks_texts and (gate.off or gate.absent):
            return _not_run(gate)
        if own is not None and gate.is_own:
            started(gate)
            report = _check_texts(gate, root, own, _GateFiles.of(gate, folder).log)
        else:
            report = in_slot(gate)
            if report.beside and _shows_nothing(report) and not _stopped(stop):
                again = in_slot(gate, alone=True)
                passed = again.state is GateState.GREEN
                report = replace(again, why=f"{RED_UNDER_LOAD}: {report.why}") if passed else again
        ended(report)
        return report

    def in_slot(gate: Gate, *, alone: bool = False) -> GateReport:
        with slot(gate, alone) as share:
            started(gate)
            limit = min(seconds, gate.minutes * 60)
            session = _GateSession(root, env, _GateFiles.of(gate, folder), limit, stop, mask, view)
            report = _run_and_read(gate, session)
        return replace(report, beside=share.beside or UNSET)

    with ThreadPoolExecutor(max(1, len(gates)), thread_name_prefix="gate") as pool:
        return dict(zip((gate.name for gate in gates), pool.map(cpu_time.for_caller(one), gates), strict=True))


def run_again(
    checkout: Path,
    gates: Sequence[Gate],
    failed: Mapping[str, Sequence[Test]],
    *,
    env: Mapping[str, str],
    folder: Path,
    seconds: float = math.inf,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
    slot: GateSlot = lambda _gate, _alone: unlimited(),
    view: OpenView | None = None,
) -> dict[str, GateReport]:
    """A second session of the gates that `failed` names, only of these tests where our plugin can select them.

    Else the whole command runs once more. Nothing else that is heavy runs beside it. The files are those of the first
    session with `.again` in their names.
    """
    wanted = [gate for gate in gates if gate.name in failed]

    def one(gate: Gate) -> GateReport:
        only = [test.node or test.id for test in failed[gate.name]] if gate.parser == "pytest" else []
        files = _GateFiles.of(gate, folder, ".again")
        storage.write(files.only, json.dumps({"ids": only, "mask": lost_tests.VOLATILE.pattern}).encode())
        limit = min(seconds, gate.minutes * 60)
        root = place_of(checkout, view)
        session = _GateSession(root, env, files, limit, stop, mask, view, selects=bool(only))
        with slot(gate, True):
            return _run_and_read(gate, session)

    with ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="gate") as pool:
        return dict(zip((gate.name for gate in wanted), pool.map(cpu_time.for_caller(one), wanted), strict=True))


@dataclass(frozen=True, slots=True)
class _GateFiles:
    """The files of one session of one gate; no two gates share one, whatever their names are."""

    log: Path
    lines: Path
    report: Path
    only: Path

    @classmethod
    def of(cls, gate: Gate, folder: Path, session: str = "") -> _GateFiles:
        place = re.sub(r"[^a-z0-9_-]+", "-", gate.name)
        if place != gate.name or place in RESERVED:
            place = f"{place}-{hashlib.sha256(gate.name.encode(errors='surrogateescape')).hexdigest()[:8]}"
        endings = (".log", ".tests.jsonl", ".report", ".only.json")
        return cls(*(folder / f"{place}{session}{ending}" for ending in endings))

    def remove(self) -> None:
        remove(self.log, self.lines, self.report)


@dataclass(frozen=True, slots=True)
class _GateSession:
    """What one session of a gate runs with. `selects`: only the tests that `files.only` lists; `plugin`: with ours."""

    checkout: Path
    env: Mapping[str, str]
    files: _GateFiles
    seconds: float
    stop: Stops
    mask: tuple[bytes, ...]
    view: OpenView | None
    selects: bool = False
    plugin: bool = True

    @property
    def seen(self) -> Path:
        """The checkout as its processes call it."""
        return self.view.at if self.view else self.checkout

    def environment(self) -> dict[str, str]:
        """What makes tools write reports that can be read."""
        return setup.environment_of(self.checkout, self.env, self.view) | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PWD": str(self.seen),
            "CI": "true",  # vitest and jest wait for changes otherwise, and snapshots are written
            "RUFF_OUTPUT_FORMAT": "json",
            "MYPY_FORCE_TERMINAL_WIDTH": "10000",  # `pretty = true` breaks lines at the width of a terminal
            **OFFLINE,
            "PARALLEL_IMPL_REPORT": str(self.files.report),
        }


def _run_and_read(gate: Gate, session: _GateSession) -> GateReport:
    """The report of a gate; one that leaves what cannot be looked at is broken. OSError of a disk."""
    try:
        return _run(gate, session)
    except OSError as error:
        if storage.is_of_disk(error):
            raise
        why = f"what it left cannot be looked at: {error}"
        return GateReport(gate.name, GateState.BROKEN, log=str(session.files.log), why=printable(why))


def _run(gate: Gate, session: _GateSession) -> GateReport:
    """The report of one session. Its files are masked when they were read: a value may be a word of the report's own.

    Tests and findings stay as they are, to be compared.
    """
    mask = session.mask
    try:
        report = _observe(gate, session)
    finally:
        _mask(session.files.lines, mask)
        _mask(session.files.report, mask)
    shown = {name: environment.masked(getattr(report, name), mask) for name in ("why", "stopped", "unexplained")}
    return replace(report, **shown)


def _observe(gate: Gate, session: _GateSession) -> GateReport:
    """Start the gate and read what it did; again where something else than its subject kept it from starting."""
    checkout, files, with_plugin = session.checkout, session.files, session.plugin and gate.parser == "pytest"
    files.remove()
    named = _named_junit(gate, checkout)
    stale = storage.signature(named) if named else ()  # one that is committed must not pass for a report
    ended, printed = _start(gate, session, with_plugin=with_plugin)
    report = GateReport(gate.name, GateState.BROKEN, ended.exit_code, round(ended.seconds, 3), str(files.log))
    if ended.reason is Reason.EXITED and with_plugin and pytest_plugin.was_refused(files.log):
        return _observe(gate, dataclasses.replace(session, plugin=False))
    if gate.parser == "pytest" and not gate.asked and not files.lines.exists():
        left_out = f" -p no:{pytest_plugin.unloadable(files.log)}"
        if left_out != " -p no:" and left_out not in gate.command:
            return _without(_observe(replace(gate, command=gate.command + left_out), session), left_out)
    if gate.command == COMMANDS["mypy"] and ended.exit_code == 2 and NO_JSON in printed:  # mypy before 1.11
        return _observe(replace(gate, command="mypy"), session)
    if why := _broken(ended, files):
        return replace(report, why=why)
    written = named if named and not files.report.is_file() and storage.signature(named) != stale else files.report
    is_tool = tool_command.is_tool(gate.command, gate.parser) and _script_is_one(gate, checkout)
    stops = tool_command.stops(gate.command, gate.parser)
    output = GateOutput(printed, ended.exit_code or 0, checkout, files.lines, written, is_tool, stops)
    parser = gate.parser
    if not session.plugin:
        parser = "junit" if written.is_file() else "exit-code"
    found = reports.read(parser, output, report)
    if parser == "exit-code" != gate.parser:
        found = replace(found, why=BY_EXIT_CODE)
    more = f"\n{tail(files.log)}" if found.state is GateState.BROKEN else ""
    return replace(found, why=printable(found.why + more))


def _start(gate: Gate, session: _GateSession, *, with_plugin: bool) -> tuple[Ended, bytes]:
    """How its process ended, and what that printed."""
    inside, files = session.environment(), session.files
    command: str | Sequence[str] = gate.command
    if with_plugin:
        inside = pytest_plugin.environment(inside, files.lines, files.only if session.selects else None)
        command = pytest_plugin.command(gate.command)
    argv = shell.argv(command, inside.get("PATH", os.defpath))
    limits = Limits(session.seconds, log_bytes=LOG_LIMIT)
    with _Printed() as output_as_it_is:
        launch = Launch(session.seen, inside, limits, stop=session.stop, mask=session.mask, view=session.view)
        ended = run(argv, launch, files.log, unmasked=output_as_it_is.write)
        return ended, output_as_it_is.read()


def _broken(ended: Ended, files: _GateFiles) -> str:
    """Why a session did not run to its end, or its output is not whole; "" when neither is so."""
    if ended.reason is not Reason.EXITED:
        return str(ended)
    if ended.exit_code is None or ended.exit_code < 0:
        return f"{ended}\n{tail(files.log)}"
    if ended.truncated:
        return f"it printed more than {LOG_LIMIT // 1_000_000} MB, so its report is not whole"
    if ended.exit_code in NOT_STARTED and not files.lines.exists():
        return f"it could not be started (exit {ended.exit_code})\n{tail(files.log, 5)}"
    return ""


class _Printed:
    """What a gate prints, as it is, up to the limit of its log: no path leads to it, so nothing of it is left."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (this is the context)

    def __enter__(self) -> _Printed:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        with storage.named(Path(tempfile.gettempdir())):
            self._file.write(data[: max(0, LOG_LIMIT - self._file.tell())])

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()


def _script_is_one(gate: Gate, checkout: Path) -> bool:
    """Whether a script of package.json that a configured gate runs is one command; who found a gate has looked."""
    named = tool_command.npm_script(gate.command) if gate.asked else None
    if named is None:
        return True
    file = checkout / named[0] / "package.json"
    scripts = table(json_table(file.read_bytes() if file.is_file() else None), "scripts")
    return node.is_one_command(str(scripts.get(named[1], "")))


def _without(report: GateReport, left_out: str) -> GateReport:
    """The report of a pytest that ran without a plugin, which says so."""
    why = f"with{left_out}, a plugin that this pytest cannot load"
    return replace(report, why="; ".join(filter(None, (why, report.why))))


def _shows_nothing(report: GateReport) -> bool:
    """Whether a gate failed and there is nothing in its report that a second session could look at."""
    unread = report.state is GateState.RED and not (report.explained or report.tests or report.findings)
    return report.state is GateState.BROKEN or unread


def _stopped(stop: Stops) -> bool:
    return any(stop) if isinstance(stop, tuple) else bool(stop)


def _not_run(gate: Gate) -> GateReport:
    why = gate.found if gate.off else "its program is not there"
    return GateReport(gate.name, GateState.OFF if gate.off else GateState.NOT_RUN, why=why)


def _check_texts(gate: Gate, checkout: Path, own: OwnCheck, log: Path) -> GateReport:
    findings = tuple(own(checkout, gate.texts))
    storage.write(log, "".join(f"{printable(str(one))}\n" for one in findings).encode())
    state = GateState.RED if findings else GateState.GREEN
    why = "by this tool's own rules, openspec is not installed"
    return GateReport(gate.name, state, log=str(log), why=why, findings=findings)


def _named_junit(gate: Gate, checkout: Path) -> Path | None:
    """Where a command that does not write JUnit XML to `$PARALLEL_IMPL_REPORT` says that it does."""
    named = JUNIT_OPTION.search(gate.command) if gate.parser in ("pytest", "junit") else None
    return checkout / named[1] if named and "$" not in named[1] else None


def _mask(file: Path, mask: tuple[bytes, ...]) -> None:
    if mask and file.is_file():
        storage.write(file, masked(file.read_bytes(), mask))
