"""How each client wants a step of the model to be said: in calls of its own tools, or as text where it has none.

Which client it is shows in the tools that it offers. Two turns follow each other where one would be refused: a file
that is there must be read before it is written (Claude Code), a folder must be there before a file in it (copilot).
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.models.requests import Request
from tests.models.scenario import Part, Run, Say, Step, Use, Write

EDITOR = "str_replace_based_edit_tool"
SHELLS = ("bash", "Bash", "exec_command", "shell_command", "run_shell_command", "shell")
NO_TOOLS = "SEARCH/REPLACE"  # aider says so in its system prompt
END = "END_OF_FILE"


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    input: Any


Turn = tuple[Text | Call, ...]


def turns(steps: Iterable[Step], request: Request) -> list[Turn]:
    """The model's turns, one after the other."""
    if not request.tools:
        return [_in_words(steps)]
    found: list[Turn] = []
    for step in steps:
        said = [list(_turns(part, request.tools, request.folder)) for part in step]
        longest = max(map(len, said), default=0)  # side by side, each part with its own first turn first
        rows = ([one[n] for one in said if n < len(one)] for n in range(longest))
        found += [tuple(row) for row in rows]
    return found


def works(request: Request) -> bool:
    """Whether this is a request for work: clients also ask for a title, a summary, or which model to take."""
    return bool(request.tools) or NO_TOOLS in request.text


def _turns(part: Part, tools: Mapping[str, Any], folder: str) -> Iterator[Text | Call]:
    match part:
        case Say():
            yield Text(part.text)
        case Use():
            yield Call(part.tool, part.input)
        case Run():
            yield _shell(part.command, tools)
        case Write():
            yield from _write(part, tools, folder)


def _write(part: Write, tools: Mapping[str, Any], folder: str) -> Iterator[Call]:
    place = posixpath.join(folder, part.path)
    claude = next((name for name in tools if name == "Write" or name.endswith("__Write")), "")
    if EDITOR in tools:
        yield Call(EDITOR, {"command": "create", "path": part.path, "file_text": part.text})
    elif claude:
        if part.before is not None:
            yield Call(claude.removesuffix("Write") + "Read", {"file_path": place})
        yield Call(claude, {"file_path": place, "content": part.text})
    elif "write_file" in tools:
        yield Call("write_file", {"file_path": place, "content": part.text})
    elif "write" in tools:
        if part.before is not None:
            yield Call("read", {"filePath": place})
        yield Call("write", {"filePath": place, "content": part.text})
    elif "create" in tools and part.before is None:
        yield _shell(f"mkdir -p {shlex.quote(posixpath.dirname(place) or '.')}", tools)
        yield Call("create", {"path": place, "file_text": part.text})
    else:
        folder = posixpath.dirname(part.path) or "."
        end = "" if part.text.endswith("\n") else "\n"
        text = f"<<'{END}'\n{part.text}{end}{END}"
        yield _shell(f"mkdir -p {shlex.quote(folder)} && cat > {shlex.quote(part.path)} {text}", tools)


def _shell(command: str, tools: Mapping[str, Any]) -> Call:
    name = next((each for each in SHELLS if each in tools), "bash")
    match name:
        case "exec_command":
            return Call(name, {"cmd": command})
        case "shell":
            return Call(name, {"command": ["bash", "-lc", command]})
        case "run_shell_command":
            return Call(name, {"command": command, "description": "a step of the work", "is_background": False})
        case "bash" if "timeout_seconds" in str(tools.get(name)):
            return Call(name, {"command": command})
        case _:
            return Call(name, {"command": command, "description": "a step of the work"})


def _in_words(steps: Iterable[Step]) -> Turn:
    """All steps as one text: the blocks in which aider reads edits."""
    words = []
    for part in (part for step in steps for part in step):
        match part:
            case Say():
                words.append(part.text)
            case Write():
                block = f"<<<<<<< SEARCH\n{part.before or ''}=======\n{part.text}>>>>>>> REPLACE"
                words.append(f"{part.path}\n```\n{block}\n```")
    return (Text("\n\n".join(words)),)
