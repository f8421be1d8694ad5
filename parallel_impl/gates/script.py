"""Which programs a shell script calls, read without running it; tree-sitter's grammar of bash says what is what.

A name, a folder or a part that only running tells is "not known", never guessed. Only what bash does with names is
spelt here: assignments to PATH, `cd`, functions, and which commands a script may pass without.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

BUILTINS = frozenset((
    ".", ":", "[", "alias", "bg", "break", "builtin", "caller", "cd", "command", "compgen", "complete", "continue",
    "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export", "false", "fc", "fg", "getopts",
    "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf", "pushd",
    "pwd", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "source", "suspend", "test", "times",
    "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
))  # fmt: skip
LOOPS_OF_WORDS = ("for_statement", "c_style_for_statement")  # only their bodies are commands
CONDITIONAL = (
    "if_statement", "elif_clause", "else_clause", "while_statement", "case_statement", "case_item", *LOOPS_OF_WORDS,
)  # fmt: skip
GROUPS = ("do_group", "compound_statement", "negated_command")
NO_COMMAND = ("test_command", "unset_command", "comment", "file_redirect")
SUBSTITUTIONS = ("command_substitution", "process_substitution")
JOINS = ("&&", "||", "pipeline")  # what may follow a here-document on its line
TIME_P = ("time", "-p")
RESERVED = frozenset((
    "if", "then", "else", "elif", "fi", "for", "while", "until", "select", "do", "done", "case", "in", "esac",
    "function", "coproc", "!", "{", "}", "[[", "]]",
))  # fmt: skip
EXITS = ("exit", "return")
WRAPPERS = ("exec", "nohup", "env", "time")  # the program that they start is looked up as well
REBIND = ("source", ".", "eval", "alias", "enable", "hash")  # may change what a name means
ASKING = ("command", "which", "type", "hash")  # the script itself asks whether a program is there
PATH = re.compile(r"PATH\+?=")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=", re.ASCII)
EXPANDS = re.compile(r"^~|(?<!\\)(?:\\\\)*[*?\[{]")
ESCAPED = re.compile(r"\\\n|\\(.)")
ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\])|\\\n')
BETWEEN = re.compile(rb"|(?:\\\n)*[ \t](?:[ \t]|\\\n)*")
LARGEST = 20_000  # characters of a script: what is no bash takes time in proportion to the square, 2 s for these
DEEPEST = 60  # compound commands and calls of functions inside one another
MOST = 10_000  # commands that are followed: functions that call functions twice double them


@dataclass(frozen=True, slots=True)
class Call:
    """One simple command: its first word (None: only known when it runs) and where it runs.

    `cwd` is relative to the start of the script (None: not known). `sure`: it is not on a condition.
    """

    program: str | None
    cwd: str | None = "."
    sure: bool = True


@dataclass(frozen=True, slots=True)
class ScriptReading:
    """What reading a script gave; `whole` is false when a part of it could not be read."""

    calls: tuple[Call, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Word:
    """A word as written; `text` is what the command gets, None when the shell expands it."""

    raw: str
    text: str | None


class _UnreadableError(Exception):
    """From here on the script is not read."""


def read(script: str) -> ScriptReading:
    """The simple commands of a script; those of functions where they are called, those of substitutions too.

    A script that the grammar does not understand is read up to the first command with something wrong in it.
    """
    walk, whole = _ScriptWalk(), False
    with suppress(_UnreadableError):
        if len(script) <= LARGEST:
            root = _parser().parse(script.encode(errors="replace")).root_node
            walk.sequence(root.children)
            whole = not root.has_error
    calls = (replace(call, sure=False) if call.program in walk.asked else call for call in walk.calls)
    return ScriptReading(tuple(calls), whole)


def chain(script: str) -> list[list[str | None]]:
    """The words of each command of `a && b && c`, assignments among them; none where the script is anything else.

    A word is None where the shell expands something in it.
    """
    if len(script) > LARGEST:
        return []
    root = _parser().parse(script.encode(errors="replace")).root_node
    statements = [child for child in root.children if child.type != "comment"]
    if statements and statements[-1].type == ";":
        statements.pop()
    if root.has_error or len(statements) != 1:
        return []
    nodes = _flat(_bare(statements[0]))
    if any(node.type != "&&" for node in nodes[1::2]):
        return []
    found = [_words(_bare(node)) for node in nodes[::2]]
    return [words for words in found if words] if all(found) else []


def put_first(script: str, variable: str, folder: str) -> str:
    """The script with `folder` before what it assigns to a variable that holds a list of folders."""
    content, start = script.encode(errors="surrogateescape"), f"{variable}=".encode()
    if start not in content or len(script) > LARGEST:
        return script
    todo, places = [_parser().parse(script.encode(errors="replace")).root_node], list[tuple[int, bool]]()
    while todo:
        node = todo.pop()
        if node.type in ("variable_assignment", "word", "concatenation") and (node.text or b"").startswith(start):
            places.append((node.start_byte + len(start), len(node.text or b"") > len(start)))
        else:
            todo += node.children
    for place, more in sorted(places, reverse=True):
        content = content[:place] + f"{shlex.quote(folder)}{':' if more else ''}".encode() + content[place:]
    return content.decode(errors="surrogateescape")


def _bare(node: Node) -> Node:
    """A command without its redirections, which change neither what runs nor its exit code; not a here-document."""
    if node.type != "redirected_statement" or any(child.type == "heredoc_redirect" for child in node.children):
        return node
    return node.child_by_field_name("body") or node


def _words(node: Node) -> list[str | None]:
    """The words of a simple command or of assignments; none for a compound one."""
    match node.type:
        case "variable_assignment":
            return [_raw(node)]
        case "variable_assignments":
            return [_raw(child) for child in node.named_children]
        case "declaration_command":
            return (
                ["export", *(_raw(child) for child in node.named_children)] if _raw(node).startswith("export") else []
            )
        case "command" if _apart(node):
            named = [
                child for child in node.named_children if child.type not in ("file_redirect", "herestring_redirect")
            ]
            return [_raw(child) if child.type == "variable_assignment" else _text(child) for child in named]
        case _:
            return []


@cache
def _parser() -> Parser:
    import tree_sitter_bash  # noqa: PLC0415  (with tree_sitter 8 ms; only runs that have steps need it)
    from tree_sitter import Language, Parser  # noqa: PLC0415

    return Parser(Language(tree_sitter_bash.language()))


@dataclass(slots=True)
class _ScriptWalk:
    """Follows a script through its commands, and remembers what changes the meaning of those that come after.

    A command is sure unless it lies in a compound command with a condition, in a chain with `||`, in a substitution
    or in the background, or nothing ends the script any more (`set +e`).
    """

    calls: list[Call] = field(default_factory=list)
    functions: dict[str, tuple[Node, bool]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    following: list[int] = field(default_factory=list)
    cwd: str | None = "."
    unsure: bool = False
    lax: bool = False
    rebound: bool = False
    depth: int = 0
    count: int = 0

    def sequence(self, nodes: Sequence[Node]) -> None:
        """The commands among `nodes`, in order; `&` after one puts it in the background."""
        for node, after in zip_longest(nodes, nodes[1:]):
            if node.is_named or node.type == "ERROR":
                with self.apart(unsure=True) if after and after.type == "&" else nullcontext():
                    self.statement(node)

    def statement(self, node: Node, more: Sequence[_Word] = ()) -> None:
        """One command; `more` are words of it that the grammar keeps elsewhere."""
        self.count += 1
        self.depth += 1
        if node.has_error or self.count > MOST or self.depth > DEEPEST:
            raise _UnreadableError
        kind = node.type
        if kind == "command":
            self.simple(node, more)
        elif kind == "list":
            self.links(_flat(node))
        elif kind == "pipeline":
            self.pipeline(node)
        elif kind == "redirected_statement":
            self.redirected(node)
        elif kind == "subshell":
            with self.apart():
                self.sequence(node.children)
        elif kind in GROUPS:
            self.group(node)
        elif kind in CONDITIONAL:
            self.conditional(node)
        elif kind == "function_definition":
            self.define(node)
        elif kind in ("variable_assignment", "variable_assignments", "declaration_command"):
            self.declare(node)
        elif kind in NO_COMMAND:
            self.substitutions(node)
        else:
            raise _UnreadableError
        self.depth -= 1

    # -- compound commands

    @contextmanager
    def apart(self, *, unsure: bool = False) -> Iterator[None]:
        """Commands in a process of their own: what they change does not last."""
        before = self.cwd, self.unsure, self.lax, self.rebound
        self.unsure = self.unsure or unsure
        yield
        self.cwd, self.unsure, self.lax, self.rebound = before

    def group(self, node: Node) -> None:
        if node.children[0].type == "((":  # arithmetic
            self.substitutions(node)
        else:
            self.sequence(node.children)

    def conditional(self, node: Node) -> None:
        words = node.children_by_field_name("value")
        if node.type in LOOPS_OF_WORDS:
            words = [child for child in node.children if child.type not in GROUPS]
        before, self.unsure = self.unsure, True
        for word in words:
            self.substitutions(word)
        known = {word.id for word in words}
        self.sequence([child for child in node.children if child.id not in known])
        self.unsure = before

    def links(self, nodes: Sequence[Node], more: Sequence[_Word] = ()) -> None:
        """A chain: commands and the `&&` and `||` between them."""
        first, before, cwd = len(self.calls), self.unsure, self.cwd
        for node in nodes:
            if node.type == "||":
                self.unsure = True
            elif node.is_named:
                self.statement(node, more if node is nodes[0] else ())
        if any(node.type == "||" for node in nodes):
            self.calls[first:] = [replace(call, sure=False) for call in self.calls[first:]]
            if self.cwd != cwd and not _ends(nodes[-1]):  # after `cd x || exit` it is x, after `cd x || true` who knows
                self.cwd = None
        self.unsure = before

    def pipeline(self, node: Node) -> None:
        for part in node.named_children:
            with self.apart():
                self.statement(part)

    def redirected(self, node: Node) -> None:
        """A command with redirections, into which the grammar puts what follows them on the line."""
        links, more = node.children_by_field_name("body"), []
        for redirect in node.children_by_field_name("redirect"):
            self.substitutions(redirect)
            more += redirect.children_by_field_name("destination")[1:] + redirect.children_by_field_name("argument")
            right = redirect.children_by_field_name("right")
            links += [child for child in redirect.children if child.type in JOINS or child in right]
        self.links(links, [_word(child) for child in more])

    def define(self, node: Node) -> None:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            self.functions[_raw(name)] = body, not self.unsure

    def declare(self, node: Node) -> None:
        """Assignments, alone or behind `export` and its like."""
        self.substitutions(node)
        for child in node.named_children if node.type != "variable_assignment" else [node]:
            if child.type == "variable_assignment":
                self.rebound = self.rebound or bool(PATH.match(_raw(child)))
            elif child.type != "variable_name" and _text(child) is None:
                self.rebound = True

    def substitutions(self, node: Node) -> None:
        """What is run to make a word: the script can mostly pass without it."""
        todo = [node]
        while todo:
            node = todo.pop()
            if node.type in SUBSTITUTIONS:
                with self.apart(unsure=True):
                    self.sequence(node.children)
            elif node.type not in JOINS and node.type != "command":
                todo += reversed(node.children)

    # -- simple commands

    def simple(self, node: Node, more: Sequence[_Word]) -> None:
        for child in node.children:
            self.substitutions(child)
        name = node.child_by_field_name("name")
        if name is None or not _apart(node):
            raise _UnreadableError
        arguments = [_word(child) for child in node.children_by_field_name("argument")]
        moved = any(child.type == "variable_assignment" and PATH.match(_raw(child)) for child in node.children)
        first = _word(name)
        if moved and "/" not in (first.text or ""):  # of this command alone
            first = _Word(first.raw, None)
        self.command([first, *arguments, *more])

    def command(self, words: Sequence[_Word], *, may_be_function: bool = True) -> None:
        first, rest = words[0].text, [word.text for word in words[1:]]
        if words[0].raw in RESERVED:
            raise _UnreadableError  # the grammar takes a word of the shell's for a program: `! { a; }`, `coproc a`
        if may_be_function and first in self.functions:
            self.follow(first)
            return
        self.add(first)
        if first in ASKING and (first != "command" or rest[:1] in (["-v"], ["-V"])):
            self.asked.update(word for word in rest if word)
        elif first == "cd":
            self.change_folder(rest)
        elif first in ("pushd", "popd"):
            self.cwd = None
        elif first in REBIND:
            self.rebound = True
        elif first == "set":
            self.options(rest)
        elif first in WRAPPERS or first == "command":
            self.wrapped(first, words[1:])

    def follow(self, function: str) -> None:
        """A function runs where it is called, each time; one that calls itself has been read by then."""
        body, certain = self.functions[function]
        if body.start_byte not in self.following:
            self.following.append(body.start_byte)
            before, self.unsure = self.unsure, self.unsure or not certain
            self.statement(body)
            self.unsure = before
            self.following.pop()

    def wrapped(self, wrapper: str, words: Sequence[_Word]) -> None:
        while words and ((wrapper == "env" and ASSIGNMENT.match(words[0].raw)) or (wrapper, words[0].raw) == TIME_P):
            words = words[1:]
        if words and not words[0].raw.startswith("-"):
            self.command(words, may_be_function=wrapper == "time")

    def options(self, words: Sequence[str | None]) -> None:
        for before, word in pairwise(("", *words)):
            if word is None or re.fullmatch(r"\+\w*e\w*", word) or (before, word) == ("+o", "errexit"):
                self.lax = True
            elif re.fullmatch(r"-\w*e\w*", word) and not self.unsure:
                self.lax = False

    def add(self, program: str | None) -> None:
        if program in BUILTINS or program == "time":
            return
        bare = program is not None and "/" not in program
        self.calls.append(Call(None if bare and self.rebound else program, self.cwd, not (self.unsure or self.lax)))

    def change_folder(self, words: Sequence[str | None]) -> None:
        words = [word for word in words if word != "--"]
        folder = words[0] if len(words) == 1 and not self.unsure and not self.lax else None
        if folder is None or folder.startswith("-") or self.cwd is None:
            self.cwd = folder if folder and folder.startswith("/") else None
        else:
            self.cwd = folder if folder.startswith("/") else f"{self.cwd}/{folder}"


def _flat(node: Node) -> list[Node]:
    """The parts of `a && b || c`, which the grammar nests to the left."""
    parts: list[Node] = []
    while node.type == "list" and not node.has_error:
        node, *others = node.children
        parts += reversed(others)
    return [node, *reversed(parts)]


def _apart(command: Node) -> bool:
    """Whether blanks stand between the words: the grammar takes the backslash in `'a'\\ 'b'`, one word, for nothing."""
    text, start, parts = command.text or b"", command.start_byte, command.children
    gaps = [text[a.end_byte - start : b.start_byte - start] for a, b in pairwise(parts)]
    return all(BETWEEN.fullmatch(gap) for gap in gaps)


def _ends(node: Node) -> bool:
    """Whether a command leaves the script, or the function, that it is in."""
    while node.type == "compound_statement" and node.named_children:
        node = node.named_children[-1]
    name = node.child_by_field_name("name") if node.type == "command" else None
    return name is not None and _raw(name) in EXITS


def _raw(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _word(node: Node) -> _Word:
    return _Word(_raw(node), _text(node))


def _text(node: Node) -> str | None:
    """A word with its quotes taken off; None when the shell expands something in it."""
    raw = _raw(node)
    match node.type:
        case "word" | "number":
            return None if EXPANDS.search(raw) else ESCAPED.sub(r"\1", raw)
        case "raw_string":
            return raw[1:-1]
        case "string":
            plain = all(child.type == "string_content" for child in node.named_children)
            return ESCAPED_IN_QUOTES.sub(r"\1", raw[1:-1]) if plain else None
        case "concatenation":
            parts = [_text(child) for child in node.children]
            return None if None in parts else "".join(part for part in parts if part)
        case "command_name":
            return _text(node.children[0]) if node.children else None
        case _:
            return None
