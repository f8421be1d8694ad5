"""The text editor of our own agent: view, create, str_replace and insert, within what `reach` allows.

Its commands are those of the text editor that Anthropic's models are trained on (`text_editor_20250728`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parallel_impl.agents.drivers.reach import Reach

SHOWN = 60_000  # characters of one view
LONGEST = 10_000_000  # bytes of a file that is edited
ENTRIES = 500  # of a folder


class CallError(Exception):
    """A call that cannot be carried out; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Edits files as bytes of UTF-8: line ends stay as they are."""

    reach: Reach

    def view(self, path: str, view_range: tuple[int, int] | None = None) -> str:
        """Lines with their numbers, from the first to the last of `view_range` (1-based, -1: the end); or a folder."""
        real = self.reach.readable(path)
        if real.is_dir():
            return self._folder(real)
        lines = _text(real, path).split("\n")
        first, last = view_range or (1, -1)
        last = len(lines) if last == -1 else min(last, len(lines))
        if not 1 <= first <= max(last, 1):
            raise CallError(f"{path} has {len(lines)} lines: view_range [{first}, {last}] is not in it")
        shown, room = [], SHOWN
        for number in range(first, last + 1):
            line = f"{number:6}\t{lines[number - 1]}"
            room -= len(line) + 1
            if room < 0:
                shown.append(f"[cut at line {number} of {len(lines)}: use view_range for the rest]")
                break
            shown.append(line)
        return "\n".join(shown)

    def create(self, path: str, file_text: str) -> Path:
        """Write a whole file; its folders are made."""
        real = self.reach.writable(path)
        if real.is_dir():
            raise CallError(f"{path} is a folder")
        _write(real, file_text)
        return real

    def str_replace(self, path: str, old_str: str, new_str: str = "") -> Path:
        """Replace the only place where `old_str` stands."""
        real = self.reach.writable(path)
        text = _text(real, path)
        count = text.count(old_str) if old_str else 0
        if count != 1:
            why = "does not occur" if not count else f"occurs {count} times: give more of what surrounds the place"
            raise CallError(f"old_str {why} in {path}; nothing was changed")
        _write(real, text.replace(old_str, new_str))
        return real

    def insert(self, path: str, insert_line: int, insert_text: str) -> Path:
        """Put text behind a line; 0 puts it at the beginning."""
        real = self.reach.writable(path)
        lines = _text(real, path).splitlines(keepends=True)
        if not 0 <= insert_line <= len(lines):
            raise CallError(f"{path} has {len(lines)} lines: nothing can be put behind line {insert_line}")
        before, after = lines[:insert_line], lines[insert_line:]
        if before and not before[-1].endswith("\n"):
            before[-1] += "\n"
        if after and not insert_text.endswith("\n"):
            insert_text += "\n"
        _write(real, "".join([*before, insert_text, *after]))
        return real

    def _folder(self, real: Path) -> str:
        names = sorted(
            f"{each.name}/" if each.is_dir() else each.name for each in real.iterdir() if each.name != ".git"
        )
        more = [f"[and {len(names) - ENTRIES} more]"] if len(names) > ENTRIES else []
        return "\n".join([*names[:ENTRIES], *more]) or "[an empty folder]"


def _text(real: Path, path: str) -> str:
    if not real.is_file():  # a FIFO would block whoever opens it
        raise CallError(f"{path} is no file" if real.exists() else f"{path} does not exist")
    if real.stat().st_size > LONGEST:
        raise CallError(f"{path} has {real.stat().st_size} bytes, more than the editor opens: use the shell")
    try:
        return real.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise CallError(f"{path} is not UTF-8 text: use the shell") from error


def _write(real: Path, text: str) -> None:
    real.parent.mkdir(parents=True, exist_ok=True)
    real.write_bytes(text.encode(errors="surrogatepass"))
