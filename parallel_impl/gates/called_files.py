"""The programs and files of a repository that a command runs: its scripts, what those run, and what it names. Pure.

Read by words, not by the shell's grammar, so that lines of a Makefile and scripts of package.json can be read too.
What is only known when it runs is not found.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from parallel_impl.gates.project_files import Read

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
INTERPRETER = re.compile(
    r"(python|pypy)[\d.]*|bash|sh|dash|zsh|ksh|node|nodejs|deno|bun|tsx|ts-node|ruby|perl|php|Rscript|lua|source|\."
)
SHELL = re.compile(r"(ba|da|z|k)?sh|source|\.")
PYTHON = re.compile(r"(python|pypy)[\d.]*")
RUNNERS = (
    ("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"), ("pipenv", "run"), ("rye", "run"),
    ("coverage", "run"), ("npm", "exec"), ("pnpm", "exec"), ("yarn", "exec"), ("bundle", "exec"),
)  # fmt: skip
PREFIXES = (
    "if", "then", "else", "elif", "while", "until", "do", "!", "{", "(", "exec", "time", "env", "nice", "nohup",
    "command", "sudo", "npx", "stdbuf", "xvfb-run", "setsid",
)  # fmt: skip
CONFIGURED = re.compile(r"(-c|-f|-p|--config|--config-file|--rcfile|--project|--makefile|--file|--require|--import)")
MODULE = re.compile(r"[A-Za-z_][\w.]*")
DURATION = re.compile(r"[\d.]+[smhd]?")
ENDS = re.compile(r"[;&|()]+|\n")
MODULE_FILES = ("{0}.py", "{0}/__main__.py")
DEEPEST = 5
LARGEST = 200_000  # characters of one script


def programs(command: str) -> list[str]:
    """The programs that a command calls, by their plain names: `pytest` for `uv run python -m pytest`."""
    found = []
    for _, words in _calls(command, "."):
        name = posixpath.basename(words[0])
        if PYTHON.fullmatch(name):
            module = _after(words, "-m")
            name = module.split(".")[0] if module else name
        found.append(name)
    return found


def called_files(command: str, read: Read, *, cwd: str = ".", depth: int = 0) -> set[str]:
    """The paths, from the root, of what the command runs or is configured by; they need not exist.

    Scripts of the shell are read in turn.
    """
    found: set[str] = set()
    for folder, words in _calls(command, cwd):
        for name in _named_by(words):
            path = posixpath.normpath(posixpath.join(folder, name))
            if path.startswith(("/", "..")) or path in found:
                continue
            found.add(path)
            content = read(path)
            if content is not None and depth < DEEPEST and _is_shell(words, name, content):
                text = content[:LARGEST].decode(errors="replace")
                found |= called_files(text, read, cwd=folder, depth=depth + 1)
    return found


def _named_by(words: Sequence[str]) -> Iterator[str]:
    """The files that one simple command runs, or takes its configuration from."""
    program, rest = words[0], list(words[1:])
    if "/" in program:
        yield program
    for option, value in zip_longest(rest, rest[1:], fillvalue=""):
        name, _, given = option.partition("=")
        if CONFIGURED.fullmatch(name) and (given or value):
            yield given or value
            if name == "-p" and MODULE.fullmatch(value):
                yield f"{value.replace('.', '/')}.py"
    if not INTERPRETER.fullmatch(posixpath.basename(program)):
        return
    if PYTHON.fullmatch(posixpath.basename(program)) and (module := _after(words, "-m")):
        yield from (form.format(module.replace(".", "/")) for form in MODULE_FILES)
        return
    for word in rest:
        if word in ("-c", "-e"):
            return
        if not word.startswith(("-", "+")):
            yield word
            return


def _is_shell(words: Sequence[str], name: str, content: bytes) -> bool:
    first = content.split(b"\n", 1)[0]
    by_name = SHELL.fullmatch(posixpath.basename(words[0])) and name in words[1:]
    return bool(by_name) or (first.startswith(b"#!") and b"sh" in first.rpartition(b"/")[2]) or name.endswith(".sh")


def _after(words: Sequence[str], option: str) -> str:
    """The word after an option that comes before any file."""
    for number, word in enumerate(words[1:], 1):
        if word == option:
            return words[number + 1] if number + 1 < len(words) else ""
        if not word.startswith("-"):
            return ""
    return ""


def _calls(text: str, cwd: str) -> Iterator[tuple[str, list[str]]]:
    """The simple commands of a text, with the folder that a plain `cd` before them leads to."""
    for words in map(_without_prefix, _split(text)):
        if not words:
            continue
        if words[0] == "cd" and len(words) == 2:
            cwd = posixpath.normpath(posixpath.join(cwd, words[1]))
        else:
            yield cwd, words


def _split(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").split("\n"):
        lexer = shlex.shlex(line.lstrip("\t @-+"), posix=True, punctuation_chars=";&|()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        try:
            for token in lexer:
                if ENDS.fullmatch(token):
                    yield words
                    words = []
                else:
                    words.append(token)
        except ValueError:
            words = line.split()
        yield words


def _without_prefix(words: Sequence[str]) -> list[str]:
    """The words of the command that is really run: without assignments, `uv run`, `env`, `timeout 60`."""
    rest = list(words)
    while rest:
        if ASSIGNMENT.match(rest[0]) or rest[0] in PREFIXES:
            rest = rest[1:]
        elif tuple(rest[:2]) in RUNNERS:
            rest = rest[2:]
            while rest and rest[0].startswith("-") and rest[0] != "-m":
                rest = rest[1:]
            if rest and rest[0] == "-m":
                rest = ["python", *rest]
        elif rest[0] == "timeout":
            rest = rest[1:]
            while rest and (rest[0].startswith("-") or DURATION.fullmatch(rest[0])):
                rest = rest[1:]
        else:
            break
    return rest
