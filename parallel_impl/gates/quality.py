"""The quality gates of a repository: which there are, running them side by side on one checkout.

`reports` reads what they print, `verdict` compares.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from parallel_impl import storage
from parallel_impl.config import GATES, GateCommand
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates import programs, pytest_plugin, reports, setup, shell, tool_command
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test
from parallel_impl.gates.project_files import Read, Table, sections, table, toml
from parallel_impl.gates.reports import GateOutput
from parallel_impl.plan import ids
from parallel_impl.plan.globs import globs
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Reason, run
from parallel_impl.text import masked, tail

COMMANDS = {"pytest": "pytest -q", "mypy": "mypy --output=json", "ruff": "ruff check --output-format=json"}
INSTALL = {
    "pytest": "python -m pip install pytest",
    "mypy": "python -m pip install mypy",
    "ruff": "python -m pip install ruff",
    "openspec": "npm install -g @fission-ai/openspec",
}
JUNIT_OPTION = re.compile(r"--junit-?xml[= ]([^\s'\"]+)")
NO_JSON = b"unrecognized arguments: --output=json"
NOT_STARTED = (126, 127)
LOG_LIMIT = 50_000_000
BY_EXIT_CODE = "our pytest plugin cannot be imported there: it counts by its exit code only"
RESERVED = ("setup",)  # the name of the log of set-up in the same folder
OFFLINE = {"OPENSPEC_TELEMETRY": "0", "OPENSPEC_NO_UPDATE_CHECK": "1"}  # the CLI asks the network otherwise

OwnCheck = Callable[[Path, str], Sequence[GateFinding]]  # checkout and change folder -> what is wrong with the texts


class Gate(msgspec.Struct, frozen=True):
    """One quality gate. `found` says where it comes from, for people; `off`: switched off by name.

    `required`: the configuration names it, so that an absent program is an error and not `not run`. `texts` is the
    change folder whose texts are all that it checks: such a gate proves nothing about the code. `writes` are globs of
    the tracked files that it may change.
    """

    name: str
    command: str = ""
    parser: str = "exit-code"
    found: str = ""
    required: bool = True
    off: bool = False
    absent: bool = False
    texts: str = ""
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
    read: Read, configured: Mapping[str, GateCommand | bool], *, change_id: str, part: str = ""
) -> tuple[list[Gate], list[Problem]]:
    """The gates of a repository, and what there is to say about them; `read` gives a file of the base tree.

    Those of our configuration come as they are; pytest, mypy, ruff and openspec are found from the
    repository's own configuration where ours does not speak of them. `part` is the folder of the change's `openspec/`.
    """
    gates, said, off = [], [], list[str]()
    detected = {"pytest": _pytest, "mypy": _mypy, "ruff": _ruff}
    for name in dict.fromkeys((*GATES, *configured)):
        own = configured.get(name)
        texts = ids.folder(change_id, part) if name == "openspec" else ""
        if isinstance(own, GateCommand):
            gates.append(Gate(name, own.command, own.parser, "configured", texts=texts, writes=own.writes))
            refused = filter(None, map(globs.problem, own.writes))
            said += [dataclasses.replace(why, where=f"gates.{name}.writes") for why in refused]
        elif own is False:
            gates.append(Gate(name, found="switched off by the configuration", off=True))
            off.append(name)
        elif name == "openspec":
            inside = f"cd {shlex.quote(part)} && " if part else ""
            command = f"{inside}openspec validate {shlex.quote(change_id)} --strict --json"
            gates.append(Gate(name, command, name, "every change is validated", required=False, texts=texts))
        elif where := detected[name](read):
            required = not where.endswith("conftest.py")
            gates.append(Gate(name, COMMANDS[name], name, f"found from {where}", required))
        elif name == "mypy" and (where := _mypy(read, any_section=True)):
            what = f"gate mypy is not run: {where} configures mypy but does not say what to check"
            hint = 'write gates.mypy = {command = "mypy src", parser = "mypy"}, or files = ["src"] for mypy itself'
            said.append(Problem(what, where=where, hint=hint, severity=Severity.WARNING))
    return gates, [*_switched_off(off), *said]


def _switched_off(names: Sequence[str]) -> Iterator[Problem]:
    """One warning for all of them."""
    if names:
        what = f"gate {names[0]} is" if len(names) == 1 else f"gates {', '.join(names)} are"
        yield Problem(f"{what} switched off by the configuration", severity=Severity.WARNING)


def _pytest(read: Read) -> str | None:
    """Where pytest looks for its configuration (its reference, "Configuration file formats"), then conftest.py."""
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"):
        if read(name) is not None:
            return name
    if "pytest" in _tools(read):
        return "pyproject.toml"
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if section in sections(read(name)):
            return name
    return next(("conftest.py" for name in ("conftest.py", "tests/conftest.py") if read(name) is not None), None)


def _mypy(read: Read, *, any_section: bool = False) -> str | None:
    """mypy's own order of files; only a section that names files makes a bare `mypy` work (else exit 2)."""
    known: dict[str, Table | None] = {name: sections(read(name)).get("mypy") for name in ("mypy.ini", ".mypy.ini")}
    tool = _tools(read).get("mypy")
    known["pyproject.toml"] = tool if isinstance(tool, dict) else None
    known["setup.cfg"] = sections(read("setup.cfg")).get("mypy")
    for name, section in known.items():
        if section is not None and (any_section or any(section.get(key) for key in ("files", "packages", "modules"))):
            return name
    return None


def _ruff(read: Read) -> str | None:
    for name in (".ruff.toml", "ruff.toml"):
        if read(name) is not None:
            return name
    return "pyproject.toml" if "ruff" in _tools(read) else None


def _tools(read: Read) -> Table:
    return table(toml(read("pyproject.toml")), "tool")


# -- are they there


def check_programs(
    gates: Sequence[Gate], *, checkout: Path, env: Mapping[str, str]
) -> tuple[list[Gate], list[Problem]]:
    """The gates with those marked `absent` whose program is not there; an error for each that is required.

    `checkout` is one of the base after set-up, `env` the environment of gates there.
    """
    inside, checked, problems = setup.environment_of(checkout, env), [], []
    for gate in gates:
        gone = [] if gate.off else programs.missing(gate.command, checkout=checkout, env=inside)
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
        elif elsewhere := _elsewhere(gate, checkout, inside):
            what = f"gate {gate.name} runs {elsewhere}, which does not see what .venv of the checkout installs"
            hint = f"let set-up install {gate.name} into .venv, or set gates.{gate.name}"
            problems.append(Problem(what, hint=hint, severity=Severity.WARNING))
        checked.append(replace(gate, absent=bool(gone)))
    return checked, problems


def switch_off(name: str) -> str:
    """What to write so that a gate does not run: one that is only configured is taken out."""
    return f"switch the gate off: gates.{name} = false" if name in GATES else f"take the gate out: delete gates.{name}"


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
) -> dict[str, GateReport]:
    """Run all gates side by side on one checkout that is ready; one report each, by name, in the gates' order.

    `<folder>/<gate>.log` and report files are overwritten. `seconds` is the limit of each. `own` checks the texts of
    the change where the program for that is absent. `started` and `ended` hear of each that runs, in its own thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = checkout.resolve()

    def one(gate: Gate) -> GateReport:
        checks_texts = own is not None and gate.is_own
        if not checks_texts and (gate.off or gate.absent):
            return _not_run(gate)
        started(gate)
        if own is not None and gate.is_own:
            report = _check_texts(gate, root, own, _GateFiles.of(gate, folder).log)
        else:
            files = _GateFiles.of(gate, folder)
            report = _run(gate, root, env=env, files=files, seconds=seconds, stop=stop, mask=mask)
        ended(report)
        return report

    with ThreadPoolExecutor(max(1, len(gates)), thread_name_prefix="gate") as pool:
        return dict(zip((gate.name for gate in gates), pool.map(one, gates), strict=True))


def run_again(
    checkout: Path,
    gates: Sequence[Gate],
    failed: Mapping[str, Sequence[Test]],
    *,
    env: Mapping[str, str],
    folder: Path,
    seconds: float = 3600,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
) -> dict[str, GateReport]:
    """A second session of the gates that `failed` names, only of these tests where our plugin can select them.

    Else the whole command runs once more. The files are those of the first session with `.again` in their names.
    """
    wanted = [gate for gate in gates if gate.name in failed]

    def one(gate: Gate) -> GateReport:
        only = [test.node or test.id for test in failed[gate.name]] if gate.parser == "pytest" else []
        files = _GateFiles.of(gate, folder, ".again")
        files.only.write_text(json.dumps(only))
        return _run(
            gate, checkout.resolve(), env=env, files=files, seconds=seconds, stop=stop, mask=mask, selects=bool(only)
        )

    with ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="gate") as pool:
        return dict(zip((gate.name for gate in wanted), pool.map(one, wanted), strict=True))


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
        for old in (self.log, self.lines, self.report):
            old.unlink(missing_ok=True)


def _run(
    gate: Gate,
    checkout: Path,
    *,
    env: Mapping[str, str],
    files: _GateFiles,
    seconds: float,
    stop: Stops,
    mask: tuple[bytes, ...],
    selects: bool = False,
    plugin: bool = True,
) -> GateReport:
    files.remove()
    again = partial(_run, checkout=checkout, env=env, files=files, seconds=seconds, stop=stop, mask=mask)
    inside = _environment(checkout, env, files)
    command: str | Sequence[str] = gate.command
    if gate.parser == "pytest" and plugin:
        inside = pytest_plugin.environment(inside, files.lines, files.only if selects else None)
        command = pytest_plugin.command(gate.command)
    argv = shell.argv(command, inside.get("PATH", os.defpath))
    limits = Limits(seconds, log_bytes=LOG_LIMIT)
    named = _named_junit(gate, checkout)
    stale = storage.signature(named) if named else ()  # one that is committed must not pass for a report
    ended = run(argv, Launch(checkout, inside, limits, stop=stop, mask=mask), files.log)
    report = GateReport(gate.name, GateState.BROKEN, ended.exit_code, round(ended.seconds, 3), str(files.log))
    if ended.reason is Reason.EXITED and gate.parser == "pytest" and plugin and pytest_plugin.was_refused(files.log):
        return again(gate, plugin=False)
    if ended.reason is not Reason.EXITED or ended.exit_code is None or ended.exit_code < 0:
        return replace(report, why=f"{ended}\n{tail(files.log)}" if ended.reason is Reason.EXITED else str(ended))
    printed = files.log.read_bytes()
    if gate.command == COMMANDS["mypy"] and ended.exit_code == 2 and NO_JSON in printed:  # mypy before 1.11
        return again(replace(gate, command="mypy"))
    if ended.truncated:
        return replace(report, why=f"it printed more than {LOG_LIMIT // 1_000_000} MB, so its report is not whole")
    if ended.exit_code in NOT_STARTED and not files.lines.exists():
        return replace(report, why=f"it could not be started (exit {ended.exit_code})\n{tail(files.log, 5)}")
    written = named if named and not files.report.is_file() and storage.signature(named) != stale else files.report
    is_tool = tool_command.is_tool(gate.command, gate.parser)
    output = GateOutput(printed, ended.exit_code, checkout, files.lines, written, is_tool)
    parser = gate.parser
    if not plugin:
        parser = "junit" if written.is_file() else "exit-code"
    found = reports.read(parser, output, report)
    if parser == "exit-code" != gate.parser:
        found = replace(found, why=BY_EXIT_CODE)
    _mask(files.lines, mask)  # read first: a value may be a word of the report's own
    _mask(files.report, mask)
    more = f"\n{tail(files.log)}" if found.state is GateState.BROKEN else ""
    return replace(found, why=printable(found.why + more))


def _not_run(gate: Gate) -> GateReport:
    why = gate.found if gate.off else "its program is not there"
    return GateReport(gate.name, GateState.OFF if gate.off else GateState.NOT_RUN, why=why)


def _check_texts(gate: Gate, checkout: Path, own: OwnCheck, log: Path) -> GateReport:
    findings = tuple(own(checkout, gate.texts))
    log.write_text("".join(f"{printable(str(one))}\n" for one in findings))
    state = GateState.RED if findings else GateState.GREEN
    why = "by this tool's own rules, openspec is not installed"
    return GateReport(gate.name, state, log=str(log), why=why, findings=findings)


def _environment(checkout: Path, env: Mapping[str, str], files: _GateFiles) -> dict[str, str]:
    """The environment of one gate: what makes tools write reports that can be read."""
    return setup.environment_of(checkout, env) | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PWD": str(checkout),
        "RUFF_OUTPUT_FORMAT": "json",
        "MYPY_FORCE_TERMINAL_WIDTH": "10000",  # `pretty = true` breaks lines at the width of a terminal
        **OFFLINE,
        "PARALLEL_IMPL_REPORT": str(files.report),
    }


def _named_junit(gate: Gate, checkout: Path) -> Path | None:
    """Where a command that does not write JUnit XML to `$PARALLEL_IMPL_REPORT` says that it does."""
    named = JUNIT_OPTION.search(gate.command) if gate.parser in ("pytest", "junit") else None
    return checkout / named[1] if named and "$" not in named[1] else None


def _mask(file: Path, mask: tuple[bytes, ...]) -> None:
    if mask and file.is_file():
        file.write_bytes(masked(file.read_bytes(), mask))
