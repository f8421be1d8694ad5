"""Whether a client can work on this machine, asked before anything is paid: program, version, key or log-in.

A log-in that is there, or a key, need not be valid: a wrong one shows when the client is first used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from parallel_impl.agents import dialect as dialects
from parallel_impl.agents.client import Account, Client
from parallel_impl.agents.dialect import Dialect
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.errors import Problem
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, run

SECONDS = 30.0
INSTALL = {
    "claude": "npm install -g @anthropic-ai/claude-code",
    "codex": "npm install -g @openai/codex",
    "opencode": "npm install -g opencode-ai",
    "gemini": "npm install -g @google/gemini-cli",
    "copilot": "npm install -g @github/copilot",
    "qwen": "npm install -g @qwen-code/qwen-code",
    "aider": "pipx install aider-chat",
}
LOG_INS = {"claude": "claude auth login", "codex": "codex login", "opencode": "opencode auth login"}
SDKS = {"anthropic": "anthropic", "acp": "agent-client-protocol"}  # of our own drivers
MODULES = {"anthropic": "anthropic", "acp": "acp"}


def make_ready(
    client: Client, inherited: Mapping[str, str], env: Mapping[str, str], stop: Stop | None = None
) -> tuple[Client, list[Problem]]:
    """The client with its version and its account, and all that keeps it from working.

    `inherited` may hold its key, `env` is what it is started with, without one.
    """
    problems = [*_settings(client), *_program(client, env)]
    if problems:
        return client, problems
    account, wrong = _account(client, inherited, env, stop)
    if wrong:
        return client, [wrong]
    return replace(client, account=account, version=_version(client, env, stop)), []


def _settings(client: Client) -> list[Problem]:
    where, kind = f"agents.{client.name}", client.dialect.name
    problems = [
        Problem(f"{setting}: {kind} cannot follow it", where, hint=f"leave {setting} away")
        for setting in dialects.unfollowed(client.dialect, client.settings)
    ]
    if kind == "acp" and not client.settings.program:
        problems.append(Problem("program is missing", where, hint=f'write {where}.program = "my-agent --acp"'))
    return problems


def _program(client: Client, env: Mapping[str, str]) -> list[Problem]:
    kind = client.dialect.name
    if kind in SDKS and not importlib.util.find_spec(MODULES[kind]):
        hint = f"pip install 'parallel-implement[{kind}]'"
        return [Problem(f"the agent {client.name!r} needs the package {SDKS[kind]}", "--agent", hint=hint)]
    words = _words(client)
    if not words or shutil.which(words[0], path=env.get("PATH")):
        return []
    install = f"install it ({INSTALL[kind]})" if kind in INSTALL else "install it"
    hint = f"{install}, or give its path: agents.{client.name}.program"
    return [Problem(f"{words[0]!r}, the program of the agent {client.name!r}, is not on PATH", "--agent", hint=hint)]


def _words(client: Client) -> list[str]:
    """The words of the client's own program; none for our driver of the SDK."""
    if client.dialect.name == "anthropic":
        return []
    return shlex.split(client.settings.program) or [client.dialect.name]


def _account(
    client: Client, inherited: Mapping[str, str], env: Mapping[str, str], stop: Stop | None
) -> tuple[Account, Problem | None]:
    """The log-in when the client reports one without the key, else its usual key; the configuration's before both."""
    name, dialect = client.settings.key, client.dialect
    usual = dialects.key_variable(dialect, client.settings)
    if name and inherited.get(name):
        return Account(name, inherited[name]), None
    if name:
        what = f"its key is missing: the variable {name} is not set"
        return Account(), Problem(what, f"agents.{client.name}", hint=f"export {name}=…")
    if dialect.log_in is not None and dialect.log_in.words and _logged_in(client, dialect, env, stop):
        return Account(seen=True), None
    if usual and inherited.get(usual):
        return Account(usual, inherited[usual]), None
    if dialect.log_in is None:
        return Account(), None
    ways = [*([f"export {usual}=…"] if usual else []), *([LOG_INS[dialect.name]] if dialect.name in LOG_INS else [])]
    what = f"{client.name} has no key" + (" and nobody is logged in" if dialect.log_in.words else "")
    return Account(), Problem(what, "--agent", hint="   or: ".join(ways))


def _logged_in(client: Client, dialect: Dialect, env: Mapping[str, str], stop: Stop | None) -> bool:
    asked = dialect.log_in
    if asked is None:
        return False
    ended, output = _ask([*_words(client), *asked.words], {**env, **client.settings.env}, stop)
    return ended.exit_code is not None and asked.found(ended.exit_code, output)


def _version(client: Client, env: Mapping[str, str], stop: Stop | None) -> str:
    """What the client says of its version; "" when it says nothing."""
    kind = client.dialect.name
    if kind == "anthropic":
        return importlib.metadata.version(SDKS[kind])
    if kind == "acp":
        return ""  # of a client that may be anybody's
    _, output = _ask([*_words(client), "--version"], env, stop)
    return dialects.version(output, client.dialect.version_after)


def _ask(words: Sequence[str], env: Mapping[str, str], stop: Stop | None) -> tuple[Ended, bytes]:
    """How a short command ended, and its standard output."""
    with tempfile.TemporaryDirectory(prefix="pi-ask-") as folder:
        lines = list[bytes]()
        launch = Launch(Path(folder), env, Limits(SECONDS, grace_seconds=1.0), stop=stop)
        ended = run(words, launch, Path(folder) / "log", heard=lines.append)
        return ended, b"\n".join(lines)


def key_names(tables: Mapping[str, object]) -> frozenset[str]:
    """The variables that hold keys: the usual ones of all kinds and providers, and what the configuration names."""
    named = {str(getattr(table, "key", "")) for table in tables.values()}
    usual = {*dialects.KEYS.values(), *(dialect.key for dialect in DIALECTS.values())}
    return frozenset({*named, *usual} - {""})
