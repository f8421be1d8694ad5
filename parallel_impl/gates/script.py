"""Which programs a shell script calls, read without running it.

A small lexer that rather says "not known" than guesses. Used by `programs`, before any agent is paid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

BUILTINS = frozenset((
    ".", ":", "[", "alias", "bg", "break", "builtin", "caller", "cd", "command", "compgen", "complete", "continue",
    "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export", "false", "fc", "fg", "getopts",
    "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf", "pushd",
    "pwd", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "source", "suspend", "test", "times",
    "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
))  # fmt: skip
OPEN = ("if", "while", "until", "for", "select")
CLOSE = ("fi", "done")
INNER = ("then", "else", "elif", "do")
WRAPPERS = ("exec", "nohup", "env")  # the program that they start is looked up as well
REBIND = ("source", ".", "eval", "alias", "enable", "hash")  # may change what a name means
ASKING = ("command", "which", "type", "hash")  # the script itself asks whether a program is there
TOKEN = re.compile(r"&&|\|\||;;&|;;|;&|\|&|[;&|()\n]|&>>?|<<-?|<<<|[<>]&|>>|>\||<>|[<>]")
PLAIN = re.compile(r"[\w./:=@%,+-]+")
IN_QUOTES = re.compile(r'[^"\\$`]+')
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One simple command: its first word (None: only known when it runs) and where it runs.

    `cwd` is relative to the start of the script (None: not known). `sure`: the script cannot pass without it.
    """

    program: str | None
    cwd: str | None = "."
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a script gave; `whole` is false when a part of it (here-documents, `case`) was not read."""

    calls: tuple[Call, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, or an operator; `text` of a word is None when the shell expands it (`NAME=…` keeps its name)."""

    text: str | None
    operator: bool = False
    quoted: bool = False
    assigns: bool = False


class _UnreadableError(Exception):
    """The script has a part that this small lexer does not read."""


def read(script: str) -> Reading:
    """The simple commands of a script, by a small lexer that rather says "not known" than guesses."""
    reader = _Reader()
    whole = True
    words = _words(script)
    try:
        for word in words:
            reader.take(word)
        reader.end_command()
    except _UnreadableError:
        whole = False
        reader.end_command()
    asked = reader.asked | reader.functions
    calls = tuple(replace(call, sure=False) if call.program in asked else call for call in reader.calls)
    return Reading(tuple(call for call in calls if call.program not in reader.functions), whole)


def _words(script: str) -> Iterator[_Word]:
    at, end = 0, len(script)
    while at < end:
        if script[at] in " \t":
            at += 1
        elif script.startswith("\\\n", at):
            at += 2
        elif script[at] == "#":
            at = end if (line := script.find("\n", at)) < 0 else line
        elif token := TOKEN.match(script, at):
            at = token.end()
            yield _Word(token[0], operator=True)
        else:
            at, word = _word(script, at)
            yield word


def _word(script: str, at: int) -> tuple[int, _Word]:
    """One word from `at` on; raises _UnreadableError where a quote or a substitution does not close."""
    text: list[str] = []
    literal, quoted, start = True, False, at
    while at < len(script) and script[at] not in " \t" and not TOKEN.match(script, at):
        char = script[at]
        if plain := PLAIN.match(script, at):
            text.append(plain[0])
            at = plain.end()
        elif char == "\\":
            text.append(script[at + 1 : at + 2].replace("\n", ""))
            at, quoted = at + 2, True
        elif char == "'":
            close = _find(script, "'", at + 1)
            text.append(script[at + 1 : close])
            at, quoted = close + 1, True
        elif char == '"':
            close, inside, fixed = _double(script, at + 1)
            text.append(inside)
            literal, quoted, at = literal and fixed, True, close + 1
        elif char in "$`":
            literal, at = False, _expansion(script, at)
        else:
            literal = literal and char not in "*?[{" and not (char == "~" and at == start)
            text.append(char)
            at += 1
    whole, assigns = "".join(text), bool(ASSIGNMENT.match(script, start))
    known = literal or assigns or (whole in ("[", "{", "[[") and not quoted)
    return at, _Word(whole if known else None, quoted=quoted, assigns=assigns)


def _find(script: str, what: str, at: int) -> int:
    found = script.find(what, at)
    if found < 0:
        raise _UnreadableError
    return found


def _double(script: str, at: int) -> tuple[int, str, bool]:
    """The end of a double-quoted string, what is in it, and whether nothing in it is expanded."""
    text, plain = [], True
    while at < len(script) and script[at] != '"':
        if script[at] == "\\":
            text.append(script[at + 1 : at + 2])
            at += 2
        elif script[at] in "$`":
            plain, at = False, _expansion(script, at)
        elif run := IN_QUOTES.match(script, at):
            text.append(run[0])
            at = run.end()
    if at >= len(script):
        raise _UnreadableError
    return at, "".join(text), plain


def _expansion(script: str, at: int) -> int:
    """The end of `$…`, `${…}`, `$(…)`, `$'…'` or a backquoted command; quotes inside are respected."""
    if script[at] == "`":
        return _find(script, "`", at + 1) + 1
    opened = script[at + 1 : at + 2]
    if opened in ("(", "{"):
        return _closing(script, at + 2, {"(": ")", "{": "}"}[opened])
    if opened == "'":
        return _find(script, "'", at + 2) + 1
    return at + 1


def _closing(script: str, at: int, close: str) -> int:
    while at < len(script):
        char = script[at]
        if char == close:
            return at + 1
        if char == "\\":
            at += 2
        elif char == "'":
            at = _find(script, "'", at + 1) + 1
        elif char == '"':
            at = _double(script, at + 1)[0] + 1
        elif char in "$`":
            at = _expansion(script, at)
        elif char == "(":
            at = _closing(script, at + 1, ")")
        else:
            at += 1
    raise _UnreadableError


@dataclass(slots=True)
class _Reader:
    """Follows words through lists, groups and compound commands.

    A chain is what `&&`, `||` and pipes join. A command is sure unless it lies in a compound command, in a
    chain with `||`, or in the background.
    """

    calls: list[Call] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    cwd: str | None = "."
    depth: int = 0
    chain: int = 0
    unsure: bool = False
    rebound: bool = False
    redirected: bool = False
    skipping: bool = False
    groups: list[tuple[str, int, bool, str | None]] = field(default_factory=list)
    words: list[_Word] = field(default_factory=list)

    def take(self, word: _Word) -> None:
        if self.redirected:
            self.redirected = False
        elif word.operator:
            self.operator(word.text or "")
        elif not self.words and not word.quoted and self.keyword(word.text):
            return
        else:
            self.words.append(word)
            if not word.quoted and word.text == "]]" and self.words[0].text == "[[":
                self.words = [_Word(":")]

    def operator(self, text: str) -> None:
        if self.words and self.words[0].text == "[[" and text != "\n":
            return  # `<`, `&&` and `(` are part of a condition
        if text in ("<<", "<<-") or text.startswith(";;") or text == ";&":
            raise _UnreadableError
        if "<" in text or ">" in text:
            if self.words and (self.words[-1].text or "").isdigit() and len(self.words) > 1:
                self.words.pop()
            self.redirected = True
        elif text == "(":
            self.open("(")
        else:
            self.end_command()
            self.join(text)

    def join(self, text: str) -> None:
        if text == ")":
            self.close("(")
        elif text in ("||", "&"):
            self.calls[self.chain :] = [replace(call, sure=False) for call in self.calls[self.chain :]]
            self.unsure = text == "||"
        if text in (";", "\n", "&"):
            self.chain, self.unsure = len(self.calls), self.groups[-1][2] if self.groups else False

    def open(self, kind: str) -> None:
        if self.words:
            if len(self.words) == 1 and self.words[0].text and kind == "(":
                self.functions.add(self.words[0].text)
            raise _UnreadableError  # a function's body runs when it is called; arrays and extended globs
        if kind == "(" and self.groups and self.groups[-1] == ("(", len(self.calls), self.unsure, self.cwd):
            raise _UnreadableError  # `((` is arithmetic
        self.groups.append((kind, self.chain, self.unsure, self.cwd))
        self.chain = len(self.calls)

    def close(self, kind: str) -> None:
        self.end_command()
        if not self.groups or self.groups[-1][0] != kind:
            raise _UnreadableError
        _, self.chain, self.unsure, cwd = self.groups.pop()
        self.cwd = cwd if kind == "(" else self.cwd

    def keyword(self, text: str | None) -> bool:
        """Whether `text` is a word of the grammar, at the place of a command's first word."""
        if text in ("!", "time", *INNER):
            self.skipping = False
            return True
        if text in ("{", "}"):
            self.open("{") if text == "{" else self.close("{")
            return True
        if text in ("case", "function", "coproc"):
            raise _UnreadableError
        if text in OPEN:
            self.depth += 1
            self.skipping = text in ("for", "select")  # until `do`: a name and words, not a command
            return True
        if text in CLOSE:
            self.depth = max(0, self.depth - 1)
            return True
        return False

    def end_command(self) -> None:
        words, self.words, moved = self.words, [], False
        if self.skipping:
            return
        while words and words[0].assigns:
            if (words[0].text or "").startswith("PATH="):  # of this command alone, or of all that follow
                self.rebound, moved = self.rebound or len(words) == 1, True
            words = words[1:]
        if words:
            self.command([_Word(None), *words[1:]] if moved and "/" not in (words[0].text or "") else words)

    def command(self, words: list[_Word]) -> None:
        first = words[0].text
        rest = [word.text for word in words[1:]]
        self.add(first)
        if first in ASKING and (first != "command" or rest[:1] in (["-v"], ["-V"])):
            self.asked.update(word for word in rest if word)
        elif first == "cd":
            self.change_folder(rest)
        elif first in ("pushd", "popd"):
            self.cwd = None
        elif first in REBIND or (first == "export" and any(not w or w.startswith("PATH=") for w in rest)):
            self.rebound = True
        elif first == "set" and any(word is None or re.fullmatch(r"\+\w*e\w*", word) for word in rest):
            self.depth += 1  # from here on nothing ends the script
        elif first in WRAPPERS or (first == "command" and rest and rest[0] and not rest[0].startswith("-")):
            while len(words) > 1 and first == "env" and words[1].assigns:
                words = words[1:]
            if len(words) > 1 and not (words[1].text or "-").startswith("-"):
                self.command(words[1:])

    def add(self, program: str | None) -> None:
        if program in BUILTINS:
            return
        bare = program is not None and "/" not in program
        known = None if bare and self.rebound else program
        self.calls.append(Call(known, self.cwd, sure=not self.depth and not self.unsure))

    def change_folder(self, rest: list[str | None]) -> None:
        rest = [word for word in rest if word != "--"]
        certain = not self.depth and not self.unsure and len(rest) == 1
        folder = rest[0] if certain else None
        if folder is None or folder.startswith("-") or self.cwd is None:
            self.cwd = folder if folder and folder.startswith("/") else None
        else:
            self.cwd = folder if folder.startswith("/") else f"{self.cwd}/{folder}"
