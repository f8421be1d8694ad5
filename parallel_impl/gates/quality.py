"""The quality gates of a repository: which there are, running them side by side on one checkout.

`reports` reads what they print, `verdict` compares.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from parallel_impl import storage
from parallel_impl.config import GATES, GateCommand, may_be_found, runs_tests, toml_key
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates import programs, reports, setup, shell
from parallel_impl.gates.found import python, repository
from parallel_impl.gates.found.found_gate import ProjectTree, inside
from parallel_impl.gates.found.python import COMMANDS
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState
from parallel_impl.gates.project_files import Read
from parallel_impl.gates.readers.output import GateOutput
from parallel_impl.plan import ids
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Reason, run
from parallel_impl.processes.slots import Share, unlimited
from parallel_impl.text import masked, tail

PLUGIN = Path(__file__).with_name("plugin")
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
RED_UNDER_LOAD = "red under load, green alone"
OFFLINE = {"OPENSPEC_TELEMETRY": "0", "OPENSPEC_NO_UPDATE_CHECK": "1"}  # the CLI asks the network otherwise

OwnCheck = Callable[[Path, str], Sequence[GateFinding]]  # checkout and change folder -> what is wrong with the texts
GateSlot = Callable[["Gate", bool], AbstractContextManager[Share]]  # alone: while nothing else of ours runs


class Gate(msgspec.Struct, frozen=True):
    """One quality gate. `found` says where it comes from, for people; `off`: switched off by name.

    `required`: the configuration names it, so that an absent program is an error and not `not run`. `texts` is the
    change folder whose texts are all that it checks: such a gate proves nothing about the code. `tests`: it runs
    tests. `asked`: somebody wrote that it has to run, the configuration or the texts of every change.
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
    found = {one.name: one for one in repository.gates(tree, configured)}
    gates = []
    for name in dict.fromkeys((*GATES, *found, *configured)):
        own = configured.get(name)
        texts = ids.folder(change_id, part) if name == "openspec" else ""
        if isinstance(own, GateCommand):
            gates.append(Gate(name, own.command, own.parser, "configured", texts=texts, tests=runs_tests(name)))
        elif own is False:
            gates.append(Gate(name, found="switched off by the configuration", off=True, tests=runs_tests(name)))
        elif name == "openspec":
            command = inside(part, f"openspec validate {shlex.quote(change_id)} --strict --json")
            why = "every change is validated"
            gates.append(Gate(name, command, name, why, required=False, texts=texts, tests=False))
        elif one := found.get(name):
            where = f"found from {one.where}"
            tests = runs_tests(name)
            gates.append(Gate(name, one.command, one.parser, where, one.required, tests=tests, asked=False))
    said = [] if "mypy" in found or "mypy" in configured else [*_unclear_mypy(read)]
    said += repository.problems(tree, configured, [*found.values()])
    return gates, [*_switched_off([gate.name for gate in gates if gate.off]), *said]


def _unclear_mypy(read: Read) -> Iterator[Problem]:
    if where := python.mypy(read, any_section=True):
        what = f"gate mypy is not run: {where} configures mypy but does not say what to check"
        hint = 'write gates.mypy = {command = "mypy src", parser = "mypy"}, or files = ["src"] for mypy itself'
        yield Problem(what, where=where, hint=hint, severity=Severity.WARNING)


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
    """What to write so that a gate does not run: one that is only configured is taken out."""
    key = f"gates.{toml_key(name)}"
    return f"switch the gate off: {key} = false" if may_be_found(name) else f"take the gate out: delete {key}"


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
    seconds: float = 3600,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
    own: OwnCheck | None = None,
    started: Callable[[Gate], None] = lambda _gate: None,
    ended: Callable[[GateReport], None] = lambda _report: None,
    slot: GateSlot = lambda _gate, _alone: unlimited(),
) -> dict[str, GateReport]:
    """Run all gates side by side on one checkout that is ready; one report each, by name, in the gates' order.

    `<folder>/<gate>.log` and report files are overwritten. `seconds` is the limit of each. `own` checks the texts of
    the change where the program for that is absent. `started` and `ended` hear of each that runs, in its own thread.
    Its time counts from when it has its `slot`. What broke beside other heavy work (its time ran out, say) runs again
    alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = checkout.resolve()

    def one(gate: Gate) -> GateReport:
        checks_texts = own is not None and gate.is_own
        if not checks_texts and (gate.off or gate.absent):
            return _not_run(gate)
        if own is not None and gate.is_own:
            started(gate)
            report = _check_texts(gate, root, own, _file(gate, folder, ".log"))
        else:
            report = in_slot(gate)
            if report.state is GateState.BROKEN and report.beside and not _stopped(stop):
                again = in_slot(gate, alone=True)
                passed = again.state is GateState.GREEN
                report = replace(again, why=f"{RED_UNDER_LOAD}: {report.why}") if passed else again
        ended(report)
        return report

    def in_slot(gate: Gate, *, alone: bool = False) -> GateReport:
        with slot(gate, alone) as share:
            started(gate)
            report = _run(gate, root, env=env, folder=folder, seconds=seconds, stop=stop, mask=mask)
        return replace(report, beside=share.beside or UNSET)

    with ThreadPoolExecutor(max(1, len(gates)), thread_name_prefix="gate") as pool:
        return dict(zip((gate.name for gate in gates), pool.map(one, gates), strict=True))


def _run(
    gate: Gate,
    checkout: Path,
    *,
    env: Mapping[str, str],
    folder: Path,
    seconds: float,
    stop: Stops,
    mask: tuple[bytes, ...],
) -> GateReport:
    log, lines, junit = (_file(gate, folder, end) for end in (".log", ".tests.jsonl", ".report"))
    for old in (log, lines, junit):
        old.unlink(missing_ok=True)
    inside = _environment(gate, checkout, env, lines, junit)
    argv = shell.argv(gate.command, inside.get("PATH", os.defpath))
    limits = Limits(seconds, log_bytes=LOG_LIMIT)
    named = _named_junit(gate, checkout)
    stale = storage.signature(named) if named else ()  # one that is committed must not pass for a report
    ended = run(argv, Launch(checkout, inside, limits, stop=stop, mask=mask), log)
    report = GateReport(gate.name, GateState.BROKEN, ended.exit_code, round(ended.seconds, 3), str(log))
    if ended.reason is not Reason.EXITED or ended.exit_code is None or ended.exit_code < 0:
        return replace(report, why=f"{ended}\n{tail(log)}" if ended.reason is Reason.EXITED else str(ended))
    printed = log.read_bytes()
    if gate.command == COMMANDS["mypy"] and ended.exit_code == 2 and NO_JSON in printed:  # mypy before 1.11
        plain = replace(gate, command="mypy")
        return _run(plain, checkout, env=env, folder=folder, seconds=seconds, stop=stop, mask=mask)
    if ended.truncated:
        return replace(report, why=f"it printed more than {LOG_LIMIT // 1_000_000} MB, so its report is not whole")
    if ended.exit_code in NOT_STARTED and not lines.exists():
        return replace(report, why=f"it could not be started (exit {ended.exit_code})\n{tail(log, 5)}")
    _mask(lines, mask)
    _mask(junit, mask)
    written = named if named and not junit.is_file() and storage.signature(named) != stale else junit
    output = GateOutput(printed, ended.exit_code, checkout, lines, written)
    found = reports.read(gate.parser, output, report)
    more = f"\n{tail(log)}" if found.state is GateState.BROKEN else ""
    return replace(found, why=printable(found.why + more))


def _stopped(stop: Stops) -> bool:
    return any(stop) if isinstance(stop, tuple) else bool(stop)


def _file(gate: Gate, folder: Path, ending: str) -> Path:
    place = re.sub(r"[^A-Za-z0-9_-]+", "-", gate.name) or "gate"
    return folder / f"{place}{ending}"


def _not_run(gate: Gate) -> GateReport:
    why = gate.found if gate.off else "its program is not there"
    return GateReport(gate.name, GateState.OFF if gate.off else GateState.NOT_RUN, why=why)


def _check_texts(gate: Gate, checkout: Path, own: OwnCheck, log: Path) -> GateReport:
    findings = tuple(own(checkout, gate.texts))
    log.write_text("".join(f"{printable(str(one))}\n" for one in findings))
    state = GateState.RED if findings else GateState.GREEN
    why = "by this tool's own rules, openspec is not installed"
    return GateReport(gate.name, state, log=str(log), why=why, findings=findings)


def _environment(gate: Gate, checkout: Path, env: Mapping[str, str], lines: Path, junit: Path) -> dict[str, str]:
    """The environment of one gate: what makes tools write reports that can be read."""
    inside = setup.environment_of(checkout, env) | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PWD": str(checkout),
        "CI": "true",  # vitest and jest wait for changes otherwise, and snapshots are written
        "RUFF_OUTPUT_FORMAT": "json",
        "MYPY_FORCE_TERMINAL_WIDTH": "10000",  # `pretty = true` breaks lines at the width of a terminal
        **OFFLINE,
        "PARALLEL_IMPL_REPORT": str(junit),
    }
    if gate.parser == "pytest":
        inside["PARALLEL_IMPL_PYTEST_REPORT"] = str(lines)
        inside["PYTEST_ADDOPTS"] = f"{env.get('PYTEST_ADDOPTS', '')} -p parallel_impl_report".strip()
        inside["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PLUGIN), env.get("PYTHONPATH"))))
    return inside


def _named_junit(gate: Gate, checkout: Path) -> Path | None:
    """Where a command that does not write JUnit XML to `$PARALLEL_IMPL_REPORT` says that it does."""
    named = JUNIT_OPTION.search(gate.command) if gate.parser in ("pytest", "junit") else None
    return checkout / named[1] if named and "$" not in named[1] else None


def _mask(file: Path, mask: tuple[bytes, ...]) -> None:
    if mask and file.is_file():
        file.write_bytes(masked(file.read_bytes(), mask))
