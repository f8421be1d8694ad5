"""The repository's configuration: `[tool.parallel-impl]` of pyproject.toml, or `parallel-impl.toml`.

Bytes in, `Config` out; every mistake is reported at once.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parallel_impl import environment, toml
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.text import did_you_mean, nearest

FILE = "parallel-impl.toml"
SECTION = "[tool.parallel-impl] of pyproject.toml"
PERSON = re.compile(r"([^<>\s\0](?:[^<>\n\0]*[^<>\s\0])?) <([^<>\s\0]+@[^<>\s\0]+)>")
MAX_JOBS = 512  # agents at once, by `--jobs` too
MOST = 1_000_000  # of any number that is no count
MAX_PORTS = 100  # for each checkout
GATES = ("pytest", "mypy", "ruff", "openspec")
MANAGERS = ("npm", "pnpm", "yarn", "bun")
SCRIPTS = ("test", "lint", "typecheck")
_OF_TOOLS = ("go-test", "go-vet", "cargo-test", "cargo-clippy", "make-test")
_NO_TESTS = ("mypy", "ruff", "openspec", "go-vet", "cargo-clippy")
PARSERS = ("pytest", "mypy", "ruff", "junit", "node", "vitest", "jest", "go", "cargo", "openspec", "exit-code")
FORGES = ("github", "gitlab", "none")  # none: the branch is pushed, the rest is printed
_NAMED = ("pytest", "mypy", "ruff", "junit", "openspec")  # a gate of this name is read by the parser of its name
_COMMANDS = {"pytest": "pytest -q", "mypy": "mypy src", "ruff": "ruff check .", "openspec": "openspec validate --all"}
_FOUND = (*GATES, *_OF_TOOLS, *(f"{manager}-{script}" for manager in MANAGERS for script in SCRIPTS))
GATE_MINUTES = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def may_be_found(gate: str) -> bool:
    """Whether a gate of this name may be found in a repository; those of members end with a folder."""
    return gate.partition(":")[0] in _FOUND


def runs_tests(gate: str) -> bool:
    """Whether a gate runs tests, as far as its name tells: one that only the configuration knows does."""
    kind = gate.partition(":")[0]
    return kind not in _NO_TESTS and not (kind in _FOUND and kind.endswith(("-lint", "-typecheck")))


def toml_key(name: str) -> str:
    """A name as a key of TOML: in quotes where it is no bare one."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class SetupCommand:
    """One command that makes a checkout able to work, run by the shell in `cwd` (relative to the checkout)."""

    run: str
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class GateCommand:
    """One quality gate: a shell command, who reads its output, and its time limit.

    `parser` is "" where it follows from the command, and `exit-code` where nobody reads the output. Without a command
    it is the one that is found from the repository. `writes` are globs of the tracked files that it may change; it runs
    apart from the others then.
    """

    command: str
    parser: str = ""
    minutes: float = GATE_MINUTES
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """What each package and the whole run may use, by the names of LIMITS; what is not named has no limit."""

    package: Mapping[str, float] = field(default_factory=dict)
    run: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What the configuration says about one agent, `agents.<name>`; "" is the client's own choice.

    `program` may have words; `key` is the NAME of the variable that holds the key; `base_url` is written as the
    client's own variable takes it (claude, gemini and anthropic without `/v1`, the others with it); `provider` is for
    `acp`, whose client may be anybody's; `args` go to the program last; `env` is for this agent only; at most `max`
    work at once, 0: no limit.
    """

    kind: str
    program: str = ""
    model: str = ""
    effort: str = ""
    base_url: str = ""
    key: str = ""
    provider: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    max: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `assign`: packages that match all its globs ("" matches any) get its agent, model and effort."""

    package: str = ""
    role: str = ""
    archetype: str = ""
    task_type: str = ""
    agent: str = ""
    model: str = ""
    effort: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """What the repository says; `setup` None means "find it", a gate that is False is switched off by name.

    `setup_inputs` are more files that set-up depends on; with `setup_fresh` it runs anew for the candidate.
    `setup_keep` says whether what it made serves other runs (None: when lock files settle it); what is kept uses at
    most `layers_gb`. `checkouts` is "each" where set-up runs in each checkout.

    `jobs` are agents at once, `heavy_jobs` steps, gates and set-ups of all runs on the machine (0: half of the cores).
    """

    source: str = ""
    agent: str = ""
    jobs: int = 4
    heavy_jobs: int = 0
    setup: tuple[SetupCommand, ...] | None = None
    caches: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    silence_minutes: float = 15
    max_blob_mb: float = 50
    gates: Mapping[str, GateCommand | bool] = field(default_factory=dict)
    openapi_seconds: float = 10
    contain: bool = True
    agents: Mapping[str, AgentSettings] = field(default_factory=dict)
    assign: tuple[Rule, ...] = ()
    standards: tuple[str, ...] = ()
    commit_identity: str = ""
    signoff: bool = False
    provider_wait_minutes: float = 60
    base_minutes: float = 10
    setup_minutes: float = 30
    setup_inputs: tuple[str, ...] = ()
    setup_fresh: bool = False
    setup_keep: bool | None = None
    checkouts: str = ""
    layers_gb: float = 10
    limits: UsageLimits = field(default_factory=UsageLimits)
    ports: int = 0
    announce: str = ""
    notify: str = ""
    keep_completed: bool = False
    pr: bool = False
    forge: str = ""
    remote: str = ""
    pr_base: str = ""
    reviewers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


LIMITS = ("minutes", "turns", "tokens", "dollars", "output_mb", "disk_mb")
WHOLE = ("turns", "tokens")  # of these limits
KEYS = (
    "agent", "jobs", "heavy_jobs", "setup", "caches", "pass_env", "silence_minutes", "max_blob_mb", "gates",
    "contracts", "contain", "agents", "assign", "standards",
    "commit_identity", "signoff",
    "provider_wait_minutes", "base_minutes", "setup_minutes", "setup_inputs", "setup_fresh", "setup_keep", "checkouts",
    "layers_gb", "limits", "ports", "announce", "notify", "keep_completed",
    "pr", "forge", "remote", "pr_base", "reviewers", "labels",
)  # fmt: skip
TEXTS = ("kind", "program", "model", "effort", "base_url", "key", "provider")  # of an agent
GLOBS = ("package", "role", "archetype", "task_type")  # of a rule
CHECKOUTS = ("each", "copy")
CHOICES = ("agent", "model", "effort")


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


def unread(part: str, read: Callable[[str], bytes | None]) -> Iterator[Problem]:
    """Warnings about configuration in a part of the repository: only that at the root is read."""
    for name in (FILE, "pyproject.toml") if part else ():
        content, what = read(f"{part}/{name}"), FILE if name == FILE else SECTION
        if content is not None and (name == FILE or own_table(content) is not None):
            yield Problem(
                "the configuration of a part is not read",
                where=f"{part}/{name}",
                hint=f"move it to the root of the repository: {what}",
                severity=Severity.WARNING,
            )


def own_table(pyproject: bytes | None) -> object:
    """What a pyproject.toml says to this tool, to be compared; None where it says nothing, or cannot be read.

    One that cannot be read is its own project's to repair.
    """
    try:
        section = _table(pyproject, "pyproject.toml").get("tool", {})
    except UserError:
        return None
    return section.get("parallel-impl") if isinstance(section, dict) else None


def _table(content: bytes | None, name: str) -> dict[str, Any]:
    try:
        return toml.load(content or b"")
    except ValueError as error:
        raise UserError(f"not valid TOML: {error}", where=name, hint="correct the file and commit it") from error


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def wrong(self, key: str, what: str, hint: str) -> None:
        self.problems.append(Problem(f"{key}: {what}", where=self.source, hint=hint))

    def config(self, values: dict[str, Any]) -> Config:
        for key in _with_nul(values):
            self.wrong(key, "holds a NUL character, which no program can be given", "take it out")
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
            heavy_jobs=self.whole(values, "heavy_jobs", 1, MAX_JOBS, default=1) if "heavy_jobs" in values else 0,
            setup=self.setup(values["setup"]) if "setup" in values else None,
            caches=self.texts(values, "caches"),
            pass_env=self.variables(values, "pass_env"),
            silence_minutes=self.number(values, "silence_minutes", 15),
            max_blob_mb=self.number(values, "max_blob_mb", 50),
            gates=dict(self.gates(values.get("gates", {}))),
            openapi_seconds=self.number(contracts, "openapi_seconds", 10, table="contracts."),
            contain=self.flag(values, "contain", default=True),
            agents=dict(self.agents(values.get("agents", {}))),
            assign=tuple(self.rules(values.get("assign", []))),
            standards=self.texts(values, "standards"),
            commit_identity=self.person(values, "commit_identity"),
            signoff=self.flag(values, "signoff", default=False),
            provider_wait_minutes=self.number(values, "provider_wait_minutes", 60),
            base_minutes=self.number(values, "base_minutes", 10, zero=True),
            setup_minutes=self.number(values, "setup_minutes", 30),
            setup_inputs=self.texts(values, "setup_inputs"),
            setup_fresh=self.flag(values, "setup_fresh", default=False),
            setup_keep=self.flag(values, "setup_keep", default=False) if "setup_keep" in values else None,
            checkouts=self.choice(values, "checkouts", CHECKOUTS),
            layers_gb=self.number(values, "layers_gb", 10, zero=True),
            limits=self.limits(values.get("limits", {})),
            ports=self.whole(values, "ports", 0, MAX_PORTS, default=0),
            announce=self.words(values, "announce"),
            notify=self.words(values, "notify"),
            keep_completed=self.flag(values, "keep_completed", default=False),
            pr=self.flag(values, "pr", default=False),
            forge=self.choice(values, "forge", FORGES),
            remote=self.text(values, "remote"),
            pr_base=self.text(values, "pr_base"),
            reviewers=self.texts(values, "reviewers"),
            labels=self.texts(values, "labels"),
        )

    def agents(self, value: Any) -> Iterator[tuple[str, AgentSettings]]:
        hint = 'write agents.claude = {kind = "claude", model = "…", key = "ANTHROPIC_API_KEY"}'
        if not isinstance(value, dict):
            self.wrong("agents", "must be a table of tables", hint)
            return
        for name, table in value.items():
            if isinstance(table, dict):
                yield name, self.agent(f"agents.{name}.", table)
            else:
                self.wrong(f"agents.{name}", "must be a table", hint)

    def agent(self, at: str, table: dict[str, Any]) -> AgentSettings:
        for key in table:
            if key not in (*TEXTS, "args", "env", "max"):
                self.wrong(f"{at}{key}", "unknown key", _nearest(key, (*TEXTS, "args", "env", "max"), at))
        if "kind" not in table:
            self.wrong(f"{at}kind", "is missing", f'write {at}kind = "claude"')
        texts = {key: self.text(table, key, at) for key in TEXTS}
        if texts["key"] and not environment.NAME.fullmatch(texts["key"]):  # it may be a key: it is not shown
            hint = f'export KEY_VARIABLE=…, and write {at}key = "KEY_VARIABLE"'
            self.wrong(f"{at}key", "key is the NAME of a variable, not the key itself", hint)
        env, most = table.get("env", {}), table.get("max", 1)
        if not isinstance(env, dict) or not all(isinstance(one, str) for one in env.values()):
            self.wrong(f"{at}env", "must be a table of strings", f'write {at}env = {{NAME = "value"}}')
            env = {}
        if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MAX_JOBS:
            hint = f"write {at}max = 2, or leave it away: no limit"
            self.wrong(f"{at}max", f"must be a whole number from 1 to {MAX_JOBS}", hint)
            most = 0
        return AgentSettings(**texts, args=self.texts(table, "args", at), env=env, max=most if "max" in table else 0)

    def rules(self, value: Any) -> Iterator[Rule]:
        hint = 'write assign = [{task_type = "test*", agent = "cheap"}]'
        if not isinstance(value, list):
            self.wrong("assign", "must be a list of tables", hint)
            return
        for number, table in enumerate(value):
            at = f"assign[{number}]"
            if not isinstance(table, dict) or not all(isinstance(one, str) and one for one in table.values()):
                self.wrong(at, "must be a table of non-empty strings", hint)
            elif unknown := [key for key in table if key not in (*GLOBS, *CHOICES)]:
                self.wrong(f"{at}.{unknown[0]}", "unknown key", _nearest(unknown[0], (*GLOBS, *CHOICES), f"{at}."))
            elif not table.keys() & set(CHOICES):
                self.wrong(at, f"chooses nothing; give {', '.join(CHOICES)}", hint)
            else:
                yield Rule(**table)

    def flag(self, values: dict[str, Any], key: str, *, default: bool) -> bool:
        value = values.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false", f"write {key} = {str(not default).lower()}")
            return default
        return value

    def text(self, values: dict[str, Any], key: str, table: str = "") -> str:
        value = values.get(key, "")
        if not isinstance(value, str) or (key in values and not value.strip()):
            self.wrong(f"{table}{key}", "must be a non-empty string", f'write {table}{key} = "…"')
            return ""
        return value

    def words(self, values: dict[str, Any], key: str) -> str:
        """A program and its arguments, in the quotes of a shell."""
        text = self.text(values, key)
        try:
            shlex.split(text)
        except ValueError as error:
            self.wrong(key, f"cannot be split into words: {error}", f'write {key} = "my-tool --option"')
            return ""
        return text

    def choice(self, values: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
        """One of the known words; "" when it is not given."""
        word = self.text(values, key)
        if word and word not in known:
            near = nearest(word, known) or known[0]
            self.wrong(key, f"{word!r} is none of {', '.join(known)}", f'write {key} = "{near}", or leave it out')
            return ""
        return word

    def texts(self, values: dict[str, Any], key: str, table: str = "") -> tuple[str, ...]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.wrong(f"{table}{key}", "must be a list of non-empty strings", f'write {table}{key} = ["…"]')
            return ()
        return tuple(value)

    def variables(self, values: dict[str, Any], key: str) -> tuple[str, ...]:
        """Names of environment variables, spelt out; none that would lead git elsewhere or run other code."""
        names = self.texts(values, key)
        for name in names:
            if not environment.NAME.fullmatch(name):
                self.wrong(key, f"{name!r} is no name of a variable", "name each variable; there are no patterns here")
            elif environment.is_redirecting(name):
                what = f"{name} leads git to another repository or configuration, and never passes"
                self.wrong(key, what, "take it out; what all of git should know belongs into: git config --global")
            elif environment.is_executed(name):
                what = f"{name} makes programs run other code than they were asked for, and never passes"
                self.wrong(key, what, "take it out; write it into the command that needs it: NAME=value command")
        return names

    def person(self, values: dict[str, Any], key: str) -> str:
        text = self.text(values, key)
        if text and not PERSON.fullmatch(text):
            self.wrong(key, "must be a name and an address", f'write {key} = "A Person <person@example.org>"')
            return ""
        return text

    def number(self, values: dict[str, Any], key: str, default: float, table: str = "", *, zero: bool = False) -> float:
        value = values.get(key, default)
        allowed = isinstance(value, (int, float)) and (0 < value < MOST or (zero and value == 0))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not allowed:
            what = "must be 0 or a number above it" if zero else "must be a number above 0"
            what += f", below {MOST:,}" if isinstance(value, (int, float)) and value >= MOST else ""
            self.wrong(f"{table}{key}", what, f"write {table}{key} = {default}")
            return default
        return value

    def whole(self, values: dict[str, Any], key: str, least: int, most: int, *, default: int) -> int:
        value = values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(key, f"must be a whole number from {least} to {most}", f"write {key} = 4")
            return default
        return value

    def limits(self, value: Any) -> UsageLimits:
        hint = "write limits = {package = {dollars = 5, turns = 200}, run = {dollars = 50}}"
        if not isinstance(value, dict):
            self.wrong("limits", "must be a table", hint)
            return UsageLimits()
        for key in value:
            if key in LIMITS:
                self.wrong(f"limits.{key}", "of what?", f"write limits.package.{key} or limits.run.{key}")
            elif key not in ("package", "run"):
                self.wrong(f"limits.{key}", "unknown key", _nearest(key, ("package", "run"), "limits."))
        return UsageLimits(*(dict(self.amounts(f"limits.{of}", value.get(of, {}), hint)) for of in ("package", "run")))

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
            default = name if name in _NAMED else ""
            if gate is False:
                yield name, False
            elif isinstance(gate, str) and gate.strip():
                yield name, GateCommand(gate, default)
            elif isinstance(gate, dict) and _is_gate(gate):
                minutes = self.number(gate, "minutes", GATE_MINUTES, f"gates.{toml_key(name)}.")
                parser, writes = str(gate.get("parser", default)), tuple(gate.get("writes", []))
                yield name, GateCommand(str(gate.get("command", "")), parser, minutes, writes)
            else:
                what = f"must be false, a command, or command, parser ({', '.join(PARSERS)}) and minutes"
                self.wrong(f"gates.{name}", what, _gate_hint(name))


def _with_nul(value: Any, at: str = "") -> Iterator[str]:
    """Where a text, or the name of a key, holds the character that ends an argument of a program."""
    if isinstance(value, dict):
        for name, member in value.items():
            below = f"{at}.{name}" if at else name
            yield from [below] if "\0" in name else _with_nul(member, below)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _with_nul(member, f"{at}[{number}]")
    elif isinstance(value, str) and "\0" in value:
        yield at


def _is_setup(item: dict[str, Any]) -> bool:
    run, cwd = item.get("run"), item.get("cwd", ".")
    inside = isinstance(cwd, str) and not cwd.startswith("/") and ".." not in cwd.split("/")
    return item.keys() <= {"run", "cwd"} and isinstance(run, str) and bool(run.strip()) and inside


def _gate_hint(name: str) -> str:
    """What to write for the gate `name`: a name that is no bare key of TOML in quotes."""
    key = f"gates.{toml_key(name)}"
    parser = name if name in _NAMED else PARSERS[-1]
    command = _COMMANDS.get(name, "make check")
    return f'write {key} = {{command = "{command}", parser = "{parser}"}}, or {key} = false'


def _is_gate(item: dict[str, Any]) -> bool:
    """Whether it is a command with what belongs to it, or what is said about a gate that is found."""
    command, parser, writes = item.get("command", ""), item.get("parser", PARSERS[-1]), item.get("writes", [])
    known = item.keys() <= {"command", "parser", "minutes", "writes"}
    globs = isinstance(writes, list) and all(isinstance(one, str) and one for one in writes)
    if "command" not in item:
        return known and globs and bool(item) and "parser" not in item
    return known and globs and isinstance(command, str) and bool(command.strip()) and parser in PARSERS


def _nearest(key: str, known: tuple[str, ...], table: str = "") -> str:
    names = [f"{table}{name}" for name in known]
    return did_you_mean(f"{table}{key}", names) or f"known keys: {', '.join(names)}"
