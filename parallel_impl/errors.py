"""Problems as people read them: one problem, many problems, one exception class.

Everybody raises or returns these; only `cli` prints them. A `UserError` ends the command with exit
code 2; anything else that reaches the top is a bug (exit code 3, traceback in a log file).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem matters: an error stops the run before it starts, the others are only reported."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, and what to do next.

    `where` is `file`, `file:line` or `file:line:column` (1-based); `path` is the YAML path, such as
    `packages[2].scope.write_allow[0]`. Control characters never reach a terminal: `str()` escapes them.
    """

    what: str
    where: str = ""
    path: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        at = f" ({self.path})" if self.path else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return printable(f"{head}{self.severity}: {self.what}{at}{hint}")


class UserError(Exception):
    """The input or the repository is not usable; `problems` lists all of it at once."""

    def __init__(self, what: str | Iterable[Problem], *, where: str = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (
            (Problem(what, where=where, hint=hint),) if isinstance(what, str) else tuple(what)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def first_line(text: str) -> str:
    """The first line of a longer message, with the next one where it only announces that; `…` for further ones."""
    first, *more = text.split("\n")
    if not more or not first.endswith(":"):
        return first
    return f"{first} {more[0].strip()}" + (" …" if len(more) > 1 else "")


def printable(text: str) -> str:
    """`text` with every control, surrogate and bidirectional-override character shown as an escape."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int, noun: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
