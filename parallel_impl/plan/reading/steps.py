"""Verification steps of a package, from plain data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from parallel_impl.plan.model import Step, StepKind, YamlPath
from parallel_impl.plan.reading import fields
from parallel_impl.plan.reading.fields import Reading

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables that decide which program runs, which repository git works on, or whose run a process belongs to.
_FORBIDDEN = frozenset({"BASH_ENV", "ENV", "PATH", "HOME"})
_FORBIDDEN_PREFIXES = ("GIT_", "LD_", "DYLD_", "BASH_FUNC", "PARALLEL_IMPL_")


def read(reading: Reading, data: Any, path: YamlPath) -> tuple[Step, ...]:
    """The steps under `steps` of `data`, which is at `path`; a step without a time limit has 0 minutes."""
    found = []
    lines: dict[str, int] = {}
    for number, raw in enumerate(fields.entries(data, "steps")):
        if not isinstance(raw, dict):
            continue
        here = (*path, "steps", number)
        step = _step(reading, raw, here)
        if step.name and step.name in lines:
            first = lines[step.name]
            reading.error((*here, "name"), f"two steps are called {step.name!r}", f"rename this one or steps[{first}]")
        lines.setdefault(step.name, number)
        found.append(step)
    return tuple(found)


def timed(steps: tuple[Step, ...], minutes: int) -> tuple[Step, ...]:
    """The steps with a time limit each: their own, or `minutes`, that of their package."""
    return tuple(replace(step, timeout_minutes=step.timeout_minutes or minutes) for step in steps)


def _step(reading: Reading, raw: dict[str, Any], path: YamlPath) -> Step:
    evidence = fields.mapping(raw, "evidence")
    kind = raw.get("kind")
    command = raw.get("command")
    return Step(
        name=fields.text(raw, "name"),
        kind=StepKind(kind) if isinstance(kind, str) and kind in tuple(StepKind) else StepKind.COMMAND,
        command=fields.texts(raw, "command") if isinstance(command, list) else fields.text(raw, "command"),
        cwd=_folder(reading, fields.text(raw, "cwd", "."), (*path, "cwd")),
        env=_environment(reading, fields.mapping(raw, "env"), (*path, "env")),
        expect_exit_code=fields.number(raw, "expect_exit_code", 0),
        timeout_minutes=fields.number(raw, "timeout_minutes", 0),
        writes=raw.get("writes") is True,
        old_failures=raw.get("old_failures") == "allowed",
        artifacts=reading.patterns(evidence, "artifacts", (*path, "evidence")),
        result_keys=fields.texts(evidence, "result_keys"),
        instructions=fields.text(raw, "manual_instructions") or _workflow(fields.mapping(raw, "ci")),
    )


def _folder(reading: Reading, text: str, path: YamlPath) -> str:
    """A folder inside the checkout; `./web` and `web/` are read as `web`."""
    short = text.removeprefix("./").removesuffix("/") or "."
    if short != "." or text.startswith("/"):
        reading.check_pattern(path, short if short != "." else text)
    return short


def _environment(reading: Reading, raw: dict[str, Any], path: YamlPath) -> tuple[tuple[str, str], ...]:
    found = []
    for name, value in raw.items():
        if wrong := _variable(name, value):
            reading.error((*path, name), *wrong, key=True)
        found.append((name, json.dumps(value) if isinstance(value, bool) else str(value)))
    return tuple(found)


def _variable(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with setting this variable for a step, and what to do; None when nothing is."""
    if not _NAME.fullmatch(name):
        return f"{name[:60]!r} is not the name of a variable", "letters, digits and _, e.g. LOG_LEVEL"
    if name in _FORBIDDEN or name.startswith(_FORBIDDEN_PREFIXES):
        return f"a step may not set {name[:60]}", "set it inside the command itself if the step needs it"
    if name == "PYTHONPATH" and not all(_is_inside(part) for part in str(value).split(":")):
        return "PYTHONPATH may only have parts inside the checkout", "write them relative, e.g. PYTHONPATH: src:tests"
    return None


def _is_inside(part: str) -> bool:
    return not part.startswith(("/", "~")) and ".." not in part.split("/")


def _workflow(ci: dict[str, Any]) -> str:
    if not ci:
        return ""
    checks = fields.texts(ci, "required_checks")
    workflow = fields.text(ci, "workflow")
    place = f"{fields.text(ci, 'provider', 'github')}{f' workflow {workflow}' if workflow else ''}"
    return f"{place}: checks {', '.join(checks)}" if checks else place
