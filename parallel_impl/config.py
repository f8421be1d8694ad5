"""The repository's configuration: `[tool.parallel-impl]` of pyproject.toml, or `parallel-impl.toml`.

Bytes in, `Config` out; every mistake is reported at once.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parallel_impl.errors import Problem, UserError
from parallel_impl.text import did_you_mean

FILE = "parallel-impl.toml"
SECTION = "[tool.parallel-impl] of pyproject.toml"
MAX_JOBS = 512  # agents at once, by `--jobs` too
MAX_PORTS = 100  # for each checkout
GATES = ("pytest", "mypy", "ruff", "openspec")
PARSERS = ("pytest", "mypy", "ruff", "junit", "exit-code")
_COMMANDS = {"pytest": "pytest -q", "mypy": "mypy src", "ruff": "ruff check .", "openspec": "openspec validate --all"}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class SetupCommand:
    """One command that makes a checkout able to work, run by the shell in `cwd` (relative to the checkout)."""

    run: str
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class GateCommand:
    """One quality gate: a shell command and who reads its output (`exit-code`: nobody)."""

    command: str
    parser: str = "exit-code"


@dataclass(frozen=True, slots=True)
class Limits:
    """What each package and the whole run may use, by the names of LIMITS; what is not named has no limit."""

    package: Mapping[str, float] = field(default_factory=dict)
    run: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """What the repository says; `setup` None means "find it", a gate that is False is switched off by name."""

    source: str = ""
    agent: str = ""
    jobs: int = 4
    setup: tuple[SetupCommand, ...] | None = None
    caches: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    silence_minutes: float = 15
    max_blob_mb: float = 50
    gates: Mapping[str, GateCommand | bool] = field(default_factory=dict)
    openapi_seconds: float = 10
    contain: bool = True
    provider_wait_minutes: float = 60
    limits: Limits = field(default_factory=Limits)
    ports: int = 0


LIMITS = ("minutes", "turns", "tokens", "dollars", "output_mb", "disk_mb")
WHOLE = ("turns", "tokens")  # of these limits
KEYS = (
    "agent", "jobs", "setup", "caches", "pass_env", "silence_minutes", "max_blob_mb", "gates", "contracts", "contain",
    "provider_wait_minutes", "limits", "ports",
)  # fmt: skip


def read(own: bytes | None, pyproject: bytes | None) -> Config:
    """The configuration from the contents of the two files (None: not there). UserError lists every mistake."""
    section = _table(pyproject, "pyproject.toml").get("tool", {})
    from_pyproject = section.get("parallel-impl") if isinstance(section, dict) else None
    if own is not None and from_pyproject is not None:
        raise UserError(f"both {FILE} and {SECTION} configure this tool", hint=f"keep one of them, e.g. delete {FILE}")
    source, values = (FILE, _table(own, FILE)) if own is not None else (SECTION, from_pyproject)
    if values is None:
        return Config()
    if not isinstance(values, dict):
        raise UserError("must be a table", where=SECTION, hint="write e.g.\n    [tool.parallel-impl]\n    jobs = 4")
    reader = _Reader(source)
    config = reader.config(values)
    if reader.problems:
        raise UserError(reader.problems)
    return config


def _table(content: bytes | None, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads((content or b"").decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not valid TOML: {error}", where=name, hint="correct the file and commit it") from error


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def wrong(self, key: str, what: str, hint: str) -> None:
        self.problems.append(Problem(f"{key}: {what}", where=self.source, hint=hint))

    def config(self, values: dict[str, Any]) -> Config:
        for key in values:
            if key not in KEYS:
                self.wrong(key, "unknown key", _nearest(key, KEYS))
        contracts = values.get("contracts", {})
        if not isinstance(contracts, dict):
            self.wrong("contracts", "must be a table", "write contracts.openapi_seconds = 10")
            contracts = {}
        for key in contracts:
            if key != "openapi_seconds":
                self.wrong(f"contracts.{key}", "unknown key", _nearest(key, ("openapi_seconds",), "contracts."))
        return Config(
            source=self.source,
            agent=self.text(values, "agent"),
            jobs=self.whole(values, "jobs", 1, MAX_JOBS, default=4),
            setup=self.setup(values["setup"]) if "setup" in values else None,
            caches=self.texts(values, "caches"),
            pass_env=self.texts(values, "pass_env"),
            silence_minutes=self.number(values, "silence_minutes", 15),
            max_blob_mb=self.number(values, "max_blob_mb", 50),
            gates=dict(self.gates(values.get("gates", {}))),
            openapi_seconds=self.number(contracts, "openapi_seconds", 10, table="contracts."),
            contain=self.flag(values, "contain", default=True),
            provider_wait_minutes=self.number(values, "provider_wait_minutes", 60),
            limits=self.limits(values.get("limits", {})),
            ports=self.whole(values, "ports", 0, MAX_PORTS, default=0),
        )

    def flag(self, values: dict[str, Any], key: str, *, default: bool) -> bool:
        value = values.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false", f"write {key} = {str(not default).lower()}")
            return default
        return value

    def text(self, values: dict[str, Any], key: str) -> str:
        value = values.get(key, "")
        if not isinstance(value, str) or (key in values and not value.strip()):
            self.wrong(key, "must be a non-empty string", f'write {key} = "…"')
            return ""
        return value

    def texts(self, values: dict[str, Any], key: str) -> tuple[str, ...]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.wrong(key, "must be a list of non-empty strings", f'write {key} = ["…"]')
            return ()
        return tuple(value)

    def number(self, values: dict[str, Any], key: str, default: float, table: str = "") -> float:
        value = values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1_000_000:
            self.wrong(f"{table}{key}", "must be a number above 0", f"write {table}{key} = {default}")
            return default
        return value

    def whole(self, values: dict[str, Any], key: str, least: int, most: int, *, default: int) -> int:
        value = values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(key, f"must be a whole number from {least} to {most}", f"write {key} = 4")
            return default
        return value

    def limits(self, value: Any) -> Limits:
        hint = "write limits = {package = {dollars = 5, turns = 200}, run = {dollars = 50}}"
        if not isinstance(value, dict):
            self.wrong("limits", "must be a table", hint)
            return Limits()
        for key in value:
            if key not in ("package", "run"):
                self.wrong(f"limits.{key}", "unknown key", _nearest(key, ("package", "run"), "limits."))
        return Limits(*(dict(self.amounts(f"limits.{of}", value.get(of, {}), hint)) for of in ("package", "run")))

    def amounts(self, where: str, value: Any, hint: str) -> Iterator[tuple[str, float]]:
        if not isinstance(value, dict):
            self.wrong(where, "must be a table", hint)
            return
        for name, amount in value.items():
            kind = int if name in WHOLE else (int, float)
            if name not in LIMITS:
                self.wrong(f"{where}.{name}", "unknown key", _nearest(name, LIMITS, f"{where}."))
            elif isinstance(amount, bool) or not isinstance(amount, kind) or not 0 < amount < 1e12:
                what = "must be a whole number above 0" if name in WHOLE else "must be a number above 0"
                self.wrong(f"{where}.{name}", what, f"write {where}.{name} = 10, or leave it away: no limit")
            else:
                yield name, amount

    def setup(self, value: Any) -> tuple[SetupCommand, ...]:
        hint = 'write setup = ["uv sync --frozen", {run = "npm ci", cwd = "web"}], or [] for none'
        if not isinstance(value, list):
            self.wrong("setup", "must be a list", hint)
            return ()
        found = []
        for number, item in enumerate(value):
            if isinstance(item, str) and item.strip():
                found.append(SetupCommand(item))
            elif isinstance(item, dict) and _is_setup(item):
                found.append(SetupCommand(item["run"], item.get("cwd", ".")))
            else:
                self.wrong(
                    f"setup[{number}]", "must be a command, or a table with run and cwd inside the checkout", hint
                )
        return tuple(found)

    def gates(self, value: Any) -> Iterator[tuple[str, GateCommand | bool]]:
        if not isinstance(value, dict):
            self.wrong("gates", "must be a table", _gate_hint("pytest"))
            return
        for name, gate in value.items():
            default = name if name in PARSERS else "exit-code"
            if gate is False:
                yield name, False
            elif isinstance(gate, str) and gate.strip():
                yield name, GateCommand(gate, default)
            elif isinstance(gate, dict) and _is_gate(gate):
                yield name, GateCommand(str(gate["command"]), str(gate.get("parser", default)))
            else:
                what = f"must be false, a command, or command and parser ({', '.join(PARSERS)})"
                self.wrong(f"gates.{name}", what, _gate_hint(name))


def _is_setup(item: dict[str, Any]) -> bool:
    run, cwd = item.get("run"), item.get("cwd", ".")
    inside = isinstance(cwd, str) and not cwd.startswith("/") and ".." not in cwd.split("/")
    return item.keys() <= {"run", "cwd"} and isinstance(run, str) and bool(run.strip()) and inside


def _gate_hint(name: str) -> str:
    """What to write for the gate `name`: a name that is no bare key of TOML in quotes."""
    key = f"gates.{name if _BARE_KEY.fullmatch(name) else json.dumps(name)}"
    parser = name if name in PARSERS else PARSERS[-1]
    command = _COMMANDS.get(name, "make check")
    return f'write {key} = {{command = "{command}", parser = "{parser}"}}, or {key} = false'


def _is_gate(item: dict[str, Any]) -> bool:
    command, parser = item.get("command"), item.get("parser", PARSERS[-1])
    return (
        item.keys() <= {"command", "parser"}
        and isinstance(command, str)
        and bool(command.strip())
        and parser in PARSERS
    )


def _nearest(key: str, known: tuple[str, ...], table: str = "") -> str:
    names = [f"{table}{name}" for name in known]
    return did_you_mean(f"{table}{key}", names) or f"known keys: {', '.join(names)}"
