"""What a gate left behind, and how a reader takes text from it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.text import shorten

LARGEST = 100_000_000


@dataclass(frozen=True, slots=True)
class GateOutput:
    """What a gate left: its log, the report files (which need not exist), and where it ran.

    `is_tool`: its command is the tool itself and nothing more, so that what is listed can account for the exit code.
    `stops`: the option by which it ends at a failure, "" where it runs all.
    """

    log: bytes
    exit_code: int
    checkout: Path
    lines: Path
    junit: Path | None = None
    is_tool: bool = True
    stops: str = ""


def content(file: Path) -> bytes | None:
    """What is in a report file; None when there is none (a FIFO is none: it would be waited for)."""
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= LARGEST else None
    except OSError:
        return None


def relative(path: str, checkout: Path) -> str:
    """A path as it is from the root of the checkout; one that lies elsewhere as it is."""
    for root in (checkout, storage.real(checkout)):
        if path.startswith(f"{root}/"):
            return path[len(str(root)) + 1 :]
    return path


def first_line(text: str) -> str:
    """What is shown of a failure."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return shorten(printable(lines[0]), 300) if lines else ""


def unique(name: str, taken: Container[str]) -> str:
    """The name, or the name with a number: tests of one name are counted, since they do collide."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name} #{number}", number + 1
    return found
