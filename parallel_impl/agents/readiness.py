"""Whether a client can work on this machine, asked before anything is paid: program, version, key or log-in.

A log-in that is there, or a key, need not be valid: a wrong one shows when the client is first used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from parallel_impl.agents import dialect as dialects
from parallel_impl.agents import program, tables
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
    problems = [*tables.unfit(client.name, client.dialect, client.settings), *_program(client, env)]
    if problems:
        return client, problems
    account, wrong = _account(client, inherited, env, stop)
    if wrong:
        return client, [wrong]
    return replace(client, account=account, version=_version(client, env, stop)), []


def _program(client: Client, env: Mapping[str, str]) -> list[Problem]:
    kind = client.dialect.name
    if kind in SDKS and not importlib.util.find_spec(MODULES[kind]):
        hint = f"pip install 'parallel-implement[{kind}]'"
        return [Problem(f"the agent {client.name!r} needs the package {SDKS[kind]}", hint=hint)]
    if not (words := _words(client)):
        return []
    place = f"agents.{client.name}.program"
    install = f"install it ({INSTALL[kind]})" if kind in INSTALL else "install it"
    called, path = f"{words[0]!r}, the program of the agent {client.name!r},", env.get("PATH")
    where = place if client.settings.program else ""
    wrong = program.check(words[0], called, path=path, install=f"{install}, or give its path: {place}", where=where)
    return [wrong] if wrong else []


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
        return Account(), _no_key(client.name, name)
    if dialect.log_in is not None and dialect.log_in.words and _logged_in(client, dialect, env, stop):
        return Account(seen=True), None
    if usual and inherited.get(usual):
        return Account(usual, inherited[usual]), None
    if dialect.log_in is None:
        return Account(), None
    ways = [*([f"export {usual}=…"] if usual else []), *([LOG_INS[dialect.name]] if dialect.name in LOG_INS else [])]
    what = f"{client.name} has no key" + (" and nobody is logged in" if dialect.log_in.words else "")
    return Account(), Problem(what, hint="   or: ".join(ways))


def _no_key(agent: str, variable: str) -> Problem:
    """A variable that is not set. What is not written like one may be the key itself, and is not shown."""
    if variable != variable.upper():
        what, hint = "the variable that key names is not set", "key is the NAME of a variable; export that one"
    else:
        what, hint = f"the variable {variable} is not set", f"export {variable}=…"
    return Problem(f"its key is missing: {what}", f"agents.{agent}", hint=hint)


def correction(client: Client) -> str:
    """What to put right when the provider does not take the client's key or log-in."""
    if variable := client.account.variable:
        return f"correct the key of {client.name}: export {variable}=…"
    name = client.dialect.name
    again = LOG_INS.get(name, f"start {_words(client)[0]} once and log in there")
    return f"log in again: {again}"


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
