"""Text as messages and logs show it: shortened, with secrets masked, the last lines of a log, the nearest word."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from parallel_impl.errors import printable

COMPARED = 64  # characters of a word that is looked for: comparing takes time in proportion to the square
TAIL_BYTES = 4096
TAIL_LINES = 20
MASKED = b"***"


def shorten(text: str, limit: int) -> str:
    """`text`, or its first `limit` characters with an ellipsis behind where it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def first_names(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: the first of the names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shorten_middle(text: str, limit: int) -> str:
    """`text` without its middle, where it is longer: for messages that begin with a value and end with a rule."""
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-(limit // 2) :]}"


def shorten_line(text: str, limit: int) -> str:
    """As `shorten`, with line ends shown as `\\n`."""
    return shorten(text, limit).replace("\n", "\\n")


def size(number: int) -> str:
    """Bytes as people read them: `410 MB`, `1.2 GB`."""
    if number >= 10**9:
        return f"{number / 1e9:.1f} GB"
    return f"{number / 1e6:.0f} MB" if number >= 10**6 else f"{number / 1e3:.0f} kB"


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known word that is most like `word`; empty when none is. `cutoff`: 1 is the same word, 0 anything."""
    import difflib  # noqa: PLC0415  (5 ms, and only mistakes need it)

    return next(iter(difflib.get_close_matches(word[:COMPARED], list(known), 1, cutoff)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean wp-contracts?`; empty when no known word is like `word`."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else ""


def masked(data: bytes, secrets: Iterable[bytes]) -> bytes:
    """`data` with `***` for whatever is part of one of the values; of those that overlap nothing is left either."""
    places = sorted(place for value in set(secrets) if value for place in _places(data, value))
    if not places:
        return data
    shown, end = list[bytes](), 0
    for start, stop in places:
        if start >= end:
            shown += [data[end:start], MASKED]
        end = max(end, stop)
    return b"".join([*shown, data[end:]])


def _places(data: bytes, value: bytes) -> Iterator[tuple[int, int]]:
    """Where the value begins and ends in the data, each time, also where two of them overlap."""
    at = data.find(value)
    while at != -1:
        yield at, at + len(value)
        at = data.find(value, at + 1)


def until(at: float) -> str:
    """` until 2026-11-22 14:05:00` of the local time, from seconds since 1970; empty when that is not known (0).

    Empty too for what no clock shows: the number is a provider's or a client's.
    """
    try:
        return f" until {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}" if at else ""
    except (OverflowError, ValueError, OSError):
        return ""


def end_of(log: Path, size: int = TAIL_BYTES) -> str:
    """The last `size` bytes of a log as text; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def useful(text: str, lines: int = 5, width: int = 300) -> str:
    """The last lines of what a program printed that tell people something: no raw JSON, no empty ones, each cut."""
    kept = (line.strip() for line in text.replace("\t", "    ").splitlines())
    told = [line for line in kept if line and not _is_json(line)]
    return printable("\n".join(shorten(line, width) for line in told[-lines:]))


def _is_json(line: str) -> bool:
    """Whether a line is an object or an array; `[API Error: 401]` is neither."""
    if line[0] not in "{[":
        return False
    try:
        json.loads(line)
    except ValueError:
        return False
    except RecursionError:  # nested deeper than Python reads: nobody else reads it either
        return True
    return True


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, printable, as evidence in messages and prompts; at most 4 KB of it."""
    return printable("\n".join(end_of(log).splitlines()[-lines:]).replace("\t", "    "))


def code(text: str) -> str:
    """Text as inline code of Markdown; a path or command may itself hold backticks, and ends of lines (shown as `\\n`).

    With those it would go on as text of its own: a file's name could say what a gate said.
    """
    if not text:
        return ""
    text = text.replace("\r", "\\r").replace("\n", "\\n")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


_TERMINAL = re.compile(  # CSI, OSC, the other strings, and the short escapes of ECMA-48; the first two in 8 bits too
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)


def one_line(text: str) -> str:
    """`text` on one line as a screen may show it, whoever wrote it: blanks are one blank.

    Control sequences, control, format and bidirectional characters and surrogates are left out.
    """
    if "\x1b" in text or "\x9b" in text or "\x9d" in text:
        text = _TERMINAL.sub("", text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    return " ".join(text.split())
