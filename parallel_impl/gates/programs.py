"""Whether the programs that steps and gates call are there, looked up before any agent is paid.

They are looked up in a checkout of the base that set-up has made ready. What only shows when a script runs is a
notice, never an error.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path

from parallel_impl import config
from parallel_impl.config import SetupCommand
from parallel_impl.errors import Problem, Severity
from parallel_impl.gates import node_manager, requirements, script, shell, start_failure
from parallel_impl.plan.model import Package, Plan, Step, StepKind, yaml_path
from parallel_impl.plan.order import Order
from parallel_impl.views.slot import OpenView

# a package that may change one of these may make set-up install what is missing now
INSTALLERS = (
    "pyproject.toml", "uv.lock", "setup.py", "setup.cfg", *requirements.FILES, "package.json", *node_manager.LOCKS,
)  # fmt: skip
INSTALLED = re.compile(r"(^|(?<=/))(\.venv|venv|node_modules)/")  # never in a commit: set-up makes it
NOT_FOUND = 127
IS_NOWHERE = 43  # our own exit code: no other failure of Python looks like it
FINDS = f"import sys, importlib.util as i; sys.exit(0 if i.find_spec(sys.argv[1]) else {IS_NOWHERE})"


@dataclass(frozen=True, slots=True)
class Missing:
    """A program that is not there: as written, and as a path from the root of the checkout ("" for a bare name).

    `file`: it is there, and only not executable.
    """

    program: str
    path: str
    file: bool = False

    @property
    def state(self) -> str:
        """What is wrong with it, for people."""
        return "is not executable" if self.file else "is not there"

    @property
    def environment(self) -> SetupCommand | None:
        """The set-up that makes the environment which it belongs to; None where it belongs to none."""
        if not (inside := INSTALLED.search(self.path)):
            return None
        run = "npm ci" if inside[2] == "node_modules" else "uv sync --frozen"
        return SetupCommand(run, self.path[: inside.start()].rstrip("/") or ".")

    @property
    def by_set_up(self) -> bool:
        """Whether set-up may make it: it lies in an environment, or is looked for in one."""
        return self.environment is not None or (not self.path and ("/" not in self.program or " -m " in self.program))


Gone = dict[Missing, list[tuple[str, partial[Problem]]]]  # what is missing, and each step that calls it


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What is wrong with the steps of a plan: `missing` are the errors about programs, the first call of each."""

    problems: tuple[Problem, ...]
    missing: tuple[tuple[Problem, Missing], ...]


def check(
    plan: Plan,
    order: Order,
    env: Mapping[str, str],
    checkout: Path | None,
    *,
    commands: Sequence[SetupCommand] = (),
    view: OpenView | None = None,
) -> list[Problem]:
    """As `look_up`, with all that is wrong in one list."""
    found = look_up(plan, order, env, checkout, commands=commands, view=view)
    return [*found.problems, *(problem for problem, _ in found.missing)]


def look_up(
    plan: Plan,
    order: Order,
    env: Mapping[str, str],
    checkout: Path | None,
    *,
    commands: Sequence[SetupCommand],
    view: OpenView | None = None,
) -> LookedUp:
    """Everything that is wrong with the plan's steps as shell, each with position and the next move.

    `order` is the plan's; `env` and `checkout` are those that steps will have, after set-up; without a checkout only
    the syntax is checked. `commands` are set-up's: where there are any, a package may change what they install. In a
    `view`, `checkout` is where this process reads its files, and `env` names those places.
    """
    steps = [
        (number, package, index, step)
        for number, package in enumerate(plan.packages)
        for index, step in enumerate(package.steps)
        if step.kind is StepKind.COMMAND
    ]
    broken = shell.parse_errors((step.command for *_, step in steps if isinstance(step.command, str)), env)
    found: list[Problem] = []
    gone: Gone = {}
    looking = None
    if checkout:
        looking = (_Scopes(plan, order, checkout, set_up=bool(commands)), _Lookup(checkout, env, view))
    for number, package, index, step in steps:
        path = ("packages", number, "verification", "steps", index, "command")
        problem = partial(Problem, where=plan.where(*path), path=yaml_path(path))
        if isinstance(step.command, str) and step.command in broken:
            what = f"step {step.name!r} of {package.id} is not a shell script: {broken[step.command]}"
            found.append(problem(what, hint="correct the quoting, or write the command as a list"))
        elif looking:
            found += _programs(package, step, looking, problem=problem, errors=gone)
    return LookedUp(tuple(found), tuple(_not_there(gone, commands)))


def _not_there(gone: Gone, commands: Sequence[SetupCommand]) -> Iterator[tuple[Problem, Missing]]:
    """One error for one program: the first step that calls it, and how many others (121 steps of 31 real plans).

    Programs of several environments are one error, whose hint is the one line that makes all of them.
    """
    several = {missing: missing.environment for missing in gone if missing.environment}
    one_line = len(set(several.values())) > 1
    for missing, calls in gone.items():
        step, problem = calls[0]
        more = f" (and so do {len(calls) - 1} more)" if len(calls) > 1 else ""
        what = f"{step} calls {missing.program!r}, which {missing.state}{more}"
        if not (one_line and missing in several):
            yield problem(what, hint=_hint(missing, commands)), missing
        elif missing == next(iter(several)):
            others = ", ".join(repr(other.program) for other in list(several)[1:])
            what += f"; the same of {others}"
            yield problem(what, hint=_environments_hint(several.values(), commands)), missing


def _programs(
    package: Package,
    step: Step,
    looking: tuple[_Scopes, _Lookup],
    *,
    problem: partial[Problem],
    errors: Gone,
) -> Iterator[Problem]:
    """What is missing for one step goes to `errors`; what is not decidable is a notice."""
    scopes, lookup = looking
    reading = _reading(step)
    unknown = [] if reading.whole else ["parts of the script"]
    for call in reading.calls:
        if call.program is None:
            unknown.append("a command whose name is only known when it runs")
        elif (gone := lookup.missing(call, step.cwd)) is None:
            unknown += _module(package, step, call, looking, problem=problem, errors=errors)
        elif not call.sure or step.expect_exit_code == NOT_FOUND:
            unknown.append(f"{call.program!r} (not there, but called on a condition)")
        elif gone.path and not INSTALLED.search(gone.path) and scopes.may_write(package, gone.path):
            continue
        elif scopes.may_install(package, gone, step.cwd):
            unknown.append(f"{call.program!r} (not there now; {package.id} may change what is installed)")
        else:
            errors.setdefault(gone, []).append((f"step {step.name!r} of {package.id}", problem))
    if unknown:
        what = f"step {step.name!r} of {package.id}: not checked: {', '.join(dict.fromkeys(unknown))}"
        yield problem(what, severity=Severity.NOTICE)


def _module(
    package: Package,
    step: Step,
    call: script.Call,
    looking: tuple[_Scopes, _Lookup],
    *,
    problem: partial[Problem],
    errors: Gone,
) -> Iterator[str]:
    """What is not decidable about the module that Python is told to run; one that can be nowhere is an error.

    It may be written by a package, here or where an installation finds it, so its name decides, not one path.
    """
    scopes, lookup = looking
    if not call.module or lookup.importable(call, step):
        return
    name, gone = call.module.partition(".")[0], Missing(f"{call.program} -m {call.module}", "")
    if not call.sure or step.expect_exit_code:
        yield f"{gone.program!r} (not there, but called on a condition)"
    elif lookup.tracked(name) or scopes.names(name, (posixpath.join(step.cwd, call.cwd or "."), *_python_path(step))):
        yield f"{gone.program!r} (not there now; a package may write it)"
    elif scopes.may_install(package, gone, step.cwd):
        yield f"{gone.program!r} (not there now; {package.id} may change what is installed)"
    else:
        errors.setdefault(gone, []).append((f"step {step.name!r} of {package.id}", problem))


def _python_path(step: Step) -> tuple[str, ...]:
    return tuple(filter(None, dict(step.env).get("PYTHONPATH", "").split(os.pathsep)))


def missing(command: str, *, checkout: Path, env: Mapping[str, str]) -> list[Missing]:
    """The programs that the shell script `command` cannot do without and that are not there."""
    lookup = _Lookup(checkout, env)
    calls = (call for call in script.read(command).calls if call.sure and call.program)
    return [gone for call in calls if (gone := lookup.missing(call, "."))]


def _reading(step: Step) -> script.ScriptReading:
    if isinstance(step.command, str):
        return script.read(step.command)
    return script.ScriptReading(start_failure.calls(step))


def _hint(gone: Missing, commands: Sequence[SetupCommand]) -> str:
    if gone.environment:
        return _environments_hint([gone.environment], commands)
    if gone.file:
        return f"{executable(gone.path or gone.program)}, and commit that"
    if " -m " in gone.program:
        source = f"the configuration ({config.FILE})"
        return start_failure.correction(gone.program, tuple(command.run for command in commands), source)
    if gone.path:
        return "correct the path (it is relative to the step's cwd), or let a package before this one write it"
    return "install it, let set-up install it into .venv, or correct the command"


def executable(file: str) -> str:
    """The line that makes a file executable."""
    return f"chmod +x {shlex.quote(file)}"


def _environments_hint(wanted: Iterable[SetupCommand | None], commands: Sequence[SetupCommand]) -> str:
    """The one line that makes these environments, after what set-up does already."""
    every = dict.fromkeys((*commands, *(command for command in wanted if command)))
    listed = ", ".join(_toml(command) for command in every)
    return f"set-up does not make it; say how in the configuration: setup = [{listed}]"


def _toml(command: SetupCommand) -> str:
    run = json.dumps(command.run, ensure_ascii=False)
    return run if command.cwd == "." else f"{{run = {run}, cwd = {json.dumps(command.cwd, ensure_ascii=False)}}}"


class _Lookup:
    """Looks programs up as a step would, and remembers."""

    def __init__(self, checkout: Path, env: Mapping[str, str], view: OpenView | None = None) -> None:
        self.checkout, self.env, self.path = checkout, env, env.get("PATH", os.defpath)
        self.view = view
        self.known: dict[str, bool] = {}
        self.found: dict[tuple[object, ...], bool] = {}
        self.names: set[str] | None = None

    def missing(self, call: script.Call, cwd: str) -> Missing | None:
        """What is missing for this call; None when it is there, or that is not decidable."""
        program = call.program or ""
        if "/" not in program:
            return None if program in script.BUILTINS or self.bare(program) else Missing(program, "")
        if program.startswith("/"):
            return None if self.file(program) else Missing(program, "", Path(program).is_file())
        if call.cwd is None:
            return None
        path = posixpath.normpath(posixpath.join(cwd, call.cwd, program))
        if path.startswith(("../", "/")):
            return None
        file = self.checkout / path
        return None if self.file(str(file)) else Missing(program, path, file.is_file())

    def importable(self, call: script.Call, step: Step) -> bool:
        """Whether the Python of this call finds the top level of its module; true where that is not decidable."""
        name, folder = call.module.partition(".")[0], self.checkout / step.cwd / (call.cwd or ".")
        if name in sys.stdlib_module_names or call.cwd is None or call.program is None or not folder.is_dir():
            return True
        argv = (call.program, "-c", FINDS, name)
        asked = (argv, folder, step.env)
        if asked not in self.found:
            env = {**self.env, "PYTHONDONTWRITEBYTECODE": "1", **dict(step.env)}
            program = shutil.which(call.program, path=self.path) or call.program
            try:
                self.found[asked] = self.run((program, *argv[1:]), folder, env) != IS_NOWHERE
            except (OSError, subprocess.TimeoutExpired):
                self.found[asked] = True
        return self.found[asked]

    def run(self, argv: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> int:
        """The exit code of a short program, by the names that things have where it runs."""
        if self.view is None:
            return subprocess.run(argv, cwd=folder, env=env, check=False, capture_output=True, timeout=60).returncode
        here, there = str(self.checkout), str(self.view.at)
        inside = {name: value.replace(here, there) for name, value in env.items()}
        words = [word.replace(here, there) for word in argv]
        return self.view.call(words, env=inside, cwd=Path(str(folder).replace(here, there)))[0]

    def tracked(self, name: str) -> bool:
        """Whether a file or folder of the checkout has this name: where a module of it would be found is not known."""
        if self.names is None:
            self.names = set()
            for _, folders, files in os.walk(self.checkout):
                folders[:] = [one for one in folders if one != ".git" and not INSTALLED.fullmatch(f"{one}/")]
                self.names.update(folders, (file.removesuffix(".py") for file in files if file.endswith(".py")))
        return name in self.names

    def bare(self, program: str) -> bool:
        if program not in self.known:
            self.known[program] = shutil.which(program, path=self.path) is not None
        return self.known[program]

    def file(self, path: str) -> bool:
        if path not in self.known:
            self.known[path] = Path(path).is_file() and os.access(path, os.X_OK)
        return self.known[path]


class _Scopes:
    """What a package and all it depends on may write. Answers are kept by path: 1,000 steps name few programs."""

    def __init__(self, plan: Plan, order: Order, checkout: Path, *, set_up: bool) -> None:
        self.plan, self.order, self.checkout, self.set_up = plan, order, checkout, set_up
        self.writers: dict[str, int] = {}

    def may_write(self, package: Package, path: str) -> bool:
        index = self.order.index
        if path not in self.writers:
            writers = (1 << index[one.id] for one in self.plan.packages if not one.scope.refusal(path))
            self.writers[path] = reduce(or_, writers, 0)
        return bool(self.writers[path] & (self.order.ancestors[package.id] | 1 << index[package.id]))

    def names(self, name: str, folders: Iterable[str]) -> bool:
        """Whether a package may write a module of this name: a scope spells the name, or covers it in a folder.

        `folders` are those that Python looks in; `src` is where projects keep what they install.
        """
        patterns = [pattern for one in self.plan.packages for pattern in one.scope.write_allow]
        if any(name in (part, part.removesuffix(".py")) for pattern in patterns for part in pattern.split("/")):
            return True
        places = {posixpath.normpath(posixpath.join(folder, name)) for folder in ("src", ".", *folders)}
        paths = [f"{place}{ending}" for place in sorted(places) for ending in (".py", "/__main__.py", "/__init__.py")]
        return any(not one.scope.refusal(path) for one in self.plan.packages for path in paths if ".." not in path)

    def may_install(self, package: Package, gone: Missing, cwd: str) -> bool:
        """Whether set-up may install it once these packages changed what a project depends on.

        Only into an environment that set-up makes already; a bare name is looked up in the root's `.venv`.
        """
        inside = INSTALLED.search(gone.path)
        if not self.set_up or (gone.path and not inside):
            return False
        folder = gone.path[: inside.end()] if inside else ".venv"
        if not (self.checkout / folder).is_dir():
            return False
        before = gone.path[: inside.start()] if inside else ""
        folders = dict.fromkeys((".", cwd, before or "."))
        names = {posixpath.normpath(posixpath.join(folder, name)) for folder in folders for name in INSTALLERS}
        return any(self.may_write(package, name) for name in sorted(names))
