"""Whether a gate's command is one simple command that is the tool itself, so that its listed failures are all there is.

A red `make`, `tox`, script, `a && b` or `a; b` may have stopped before all that it was to run, whatever its report
lists; which tool a command starts is read from its words, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from parallel_impl.config import toml_key
from parallel_impl.gates import script

Words = Sequence[str | None]

TOOLS = {"pytest": ("pytest", "py.test"), "mypy": ("mypy",), "ruff": ("ruff",), "openspec": ("openspec",)}
ONE_GATE_EACH = {
    "pytest": "pytest -q --maxfail=0", "mypy": "mypy", "ruff": "ruff check", "go": "go test -json ./...",
    "cargo": "cargo test --no-fail-fast",
}  # fmt: skip
STOPPING = re.compile(  # what ends a session early; pytest's own plugin sees for itself
    r"(?:^|[\s=,'\"])(--?(?:bail|fail-?fast|exitfirst|maxfail|max-failures|stop-on-[a-z]+))(?:=([^\s'\"]*))?(?=$|[\s'\"])"
)
SHORT_STOPS = {"pytest": "-x", "playwright": "-x", "jest": "-b", "mocha": "-b", "vitest": "-b"}
NEVER_STOPS = ("0", "false")
RUNNERS = ("uv", "poetry", "pdm", "hatch")  # `<runner> run`
WITH_VALUE = {  # options that take their value as a word of its own
    "uv": (
        "--extra", "--group", "--only-group", "--no-group", "--with", "--with-editable", "--with-requirements",
        "--python", "-p", "--package", "--project", "--directory", "--env-file", "--index", "--default-index",
        "--index-url", "-i", "--config-file", "--cache-dir",
    ),
    "poetry": ("-C", "--directory", "-P", "--project"),
    "pdm": ("-p", "--project", "--venv"),
    "hatch": ("-e", "--env", "-p", "--project"),
    "coverage": ("--source", "--include", "--omit", "--rcfile", "--data-file", "--context", "--concurrency"),
    "env": ("-u", "--unset", "-C", "--chdir"),
    "timeout": ("-k", "--kill-after", "-s", "--signal"),
    "python": ("-W", "-X"),
}  # fmt: skip
PACKAGE_MANAGERS = ("npm", "pnpm", "yarn", "bun")
LOOKED_UP = ("node", "vitest", "jest", "go", "cargo")  # whoever found the gate has read the script that they run
PYTHON = re.compile(r"(python|pypy)[\d.]*$")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
ACTIVATE = re.compile(r"(^|/)activate$")
SEVERAL = frozenset((  # programs that run what is written elsewhere
    "make", "gmake", "tox", "nox", "just", "task", "invoke", "inv", "rake", "ant", "npm", "pnpm", "yarn", "bun", "sh",
    "bash", "dash", "zsh", "ksh", "fish", "eval", "xargs", "find", "parallel",
))  # fmt: skip
SCRIPT = re.compile(r"\.(sh|bash|py|js|mjs|cjs|ts|rb|pl|ps1)$")
INTERPRETERS = frozenset(("node", "ruby", "perl", "deno", "tsx", "ts-node"))


def is_tool(command: str, parser: str) -> bool:
    """Whether `command` starts the tool that `parser` reads, and nothing else; False where that is not known."""
    words = _tool_words(command)
    if not words or words[0] is None:
        return False
    program = PurePosixPath(words[0]).name
    if parser in TOOLS:
        return program in TOOLS[parser]
    if parser in LOOKED_UP:
        return program in PACKAGE_MANAGERS or program not in SEVERAL
    return not _runs_more(words[0], program, words[1:])


def parser_of(command: str) -> str:
    """Who reads the output of a command for which the configuration names no parser."""
    return next((parser for parser in ("pytest", "mypy", "ruff") if is_tool(command, parser)), "exit-code")


def stops(command: str, parser: str) -> str:
    """The option by which a red session of the tool leaves out tests; what it would have listed is not known."""
    if parser == "cargo":
        return "" if "--no-fail-fast" in command else "without --no-fail-fast"
    for option, value in STOPPING.findall(command):
        if value not in NEVER_STOPS:
            return str(option)
    words = _tool_words(command)
    short = SHORT_STOPS.get(PurePosixPath(words[0] or "").name) if words else None
    return short if short and short in words else ""


def npm_script(command: str) -> tuple[str, str] | None:
    """The folder and the name of the script of package.json that a command runs: `cd web && npm run test`."""
    words = _tool_words(command)
    if not words or PurePosixPath(words[0] or "").name not in PACKAGE_MANAGERS:
        return None
    named = [word for word in words[1:] if word and word != "run" and not word.startswith("-")]
    folders = [words[1] for words in script.chain(command)[:-1] if words[0] == "cd"]
    return "/".join(folder or "" for folder in folders) or ".", named[0] if named else ""


def line_to_write(name: str, parser: str) -> str:
    """What to write in the place of a command that is more than the tool."""
    own, name = ONE_GATE_EACH.get(parser), toml_key(name)
    if own is None:
        return f'gates.{name} = {{command = "<the tool itself>", parser = "<{", ".join(ONE_GATE_EACH)} …>"}}'
    return f'gates.{name} = {{command = "{own}", parser = "{parser}"}}'


def _runs_more(written: str, program: str, rest: Words) -> bool:
    """Whether a program whose report somebody configured runs a script, or what another file lists."""
    if program in SEVERAL or SCRIPT.search(written) or written.startswith("./"):
        return True
    if PYTHON.fullmatch(program) or program in INTERPRETERS:
        return "-m" not in rest and not any(word and word.startswith("--test") for word in rest)
    return False


def _tool_words(command: str) -> Words:
    """The words of the tool behind `cd X &&`, an activation, assignments and runners; none where there is more."""
    chain = script.chain(command)
    if not chain:
        return ()
    *before, last = chain
    return _unwrapped(last) if all(map(_prepares, before)) else ()


def _prepares(words: Words) -> bool:
    first = words[0]
    if first is None:
        return False
    if first == "cd":
        return len(words) == 2
    if first in (".", "source"):
        return len(words) == 2 and words[1] is not None and bool(ACTIVATE.search(words[1]))
    return first == "export" or all(word is not None and ASSIGNMENT.match(word) for word in words)


def _unwrapped(words: Words) -> Words:
    """Without what only prepares the tool's process."""
    for _ in range(20):
        words = _without_assignments(words)
        if not words or words[0] is None:
            return ()
        name, rest = PurePosixPath(words[0]).name, words[1:]
        if name in RUNNERS and rest[:1] == ["run"]:
            words = _after_runner(name, rest[1:])
        elif name == "coverage" and rest[:1] == ["run"]:
            words = _module(_behind_options("coverage", rest[1:]))
        elif PYTHON.fullmatch(name) and "-m" in rest:
            words = _module(_behind_options("python", rest))
        elif name == "env":
            words = _behind_options("env", rest)
        elif name == "timeout":
            words = _behind_options("timeout", rest)[1:]
        else:
            return words
    return ()


def _without_assignments(words: Words) -> Words:
    while words and words[0] is not None and ASSIGNMENT.match(words[0]):
        words = words[1:]
    return words


def _after_runner(name: str, words: Words) -> Words:
    words = _behind_options(name, words)
    if words[:1] == ["-m"]:
        return _module(words)
    if name == "hatch" and words and words[0] and ":" in words[0]:  # `hatch run test:pytest`
        return [words[0].rpartition(":")[2], *words[1:]]
    return words


def _behind_options(name: str, words: Words) -> Words:
    """The words from the first one that is neither an option nor an option's value; `-m` is left where it is."""
    while words and words[0] is not None and words[0].startswith("-") and words[0] not in ("-m", "--module"):
        words = words[2:] if words[0] in WITH_VALUE[name] else words[1:]
    return words


def _module(words: Words) -> Words:
    return words[1:] if words and words[0] in ("-m", "--module") else ()
