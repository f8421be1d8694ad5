"""The tools of our own agent: what the model is told of them, and how a call is carried out.

The editor is the one that Anthropic's models are trained on; images and PDFs are read by the SDK's own tool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from anthropic.lib.tools import ToolError
from anthropic.lib.tools.agent_toolset import AgentToolContext, beta_read_tool

from parallel_impl.agents.drivers import search, shell
from parallel_impl.agents.drivers.editor import CallError, Editor
from parallel_impl.agents.drivers.reach import Reach, ScopeError
from parallel_impl.agents.drivers.shell import Shell
from parallel_impl.text import shorten_line

EDITOR = "str_replace_based_edit_tool"
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf")
TARGET = 300  # characters of a call's target


class ViewFile(msgspec.Struct, frozen=True, tag_field="command", tag="view"):
    path: str
    view_range: tuple[int, int] | None = None


class Create(msgspec.Struct, frozen=True, tag_field="command", tag="create"):
    path: str
    file_text: str


class Replace(msgspec.Struct, frozen=True, tag_field="command", tag="str_replace"):
    path: str
    old_str: str
    new_str: str = ""


class Insert(msgspec.Struct, frozen=True, tag_field="command", tag="insert"):
    path: str
    insert_line: int
    insert_text: str


class Bash(msgspec.Struct, frozen=True):
    command: str
    timeout_seconds: float = shell.SECONDS


class Glob(msgspec.Struct, frozen=True):
    pattern: str


class Grep(msgspec.Struct, frozen=True):
    pattern: str
    path: str = "."
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: text, or blocks of the API for a picture. `refused`: the scope's reason; `changed`: a file."""

    content: str | list[Any]
    ok: bool = True
    refused: str = ""
    changed: str = ""

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "[a picture]"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """All tools on one worktree. `seconds_left` caps the time of a command."""

    reach: Reach
    shell: Shell
    seconds_left: Callable[[], float]

    def call(self, name: str, arguments: object) -> Answer:
        """Carry a call out; whatever is wrong with it is an answer, for the model to do better."""
        try:
            return self._call(name, arguments)
        except ScopeError as error:
            return Answer(str(error), ok=False, refused=str(error))
        except (CallError, ToolError, msgspec.ValidationError) as error:
            return Answer(f"{name}: {error}", ok=False)
        except OSError as error:
            return Answer(f"{name}: {error.filename or ''}: {error.strerror}", ok=False)

    def _call(self, name: str, arguments: object) -> Answer:
        match name:
            case "bash":
                command = msgspec.convert(arguments, Bash)
                text, ok = self.shell.run(command.command, min(command.timeout_seconds, self.seconds_left()))
                return Answer(text, ok=ok)
            case "glob":
                return Answer(search.glob(self.reach, msgspec.convert(arguments, Glob).pattern))
            case "grep":
                wanted = msgspec.convert(arguments, Grep)
                return Answer(search.grep(self.reach, wanted.pattern, wanted.path, ignore_case=wanted.ignore_case))
            case _ if name == EDITOR:
                return self._edit(msgspec.convert(arguments, ViewFile | Create | Replace | Insert))
        raise CallError(f"there is no such tool; there are bash, {EDITOR}, glob and grep")

    def _edit(self, wanted: ViewFile | Create | Replace | Insert) -> Answer:
        editor = Editor(self.reach)
        match wanted:
            case ViewFile():
                real = self.reach.readable(wanted.path)
                if real.suffix.lower() in PICTURES and real.is_file():
                    return Answer(self._picture(real))
                return Answer(editor.view(wanted.path, wanted.view_range))
            case Create():
                changed = editor.create(wanted.path, wanted.file_text)
            case Replace():
                changed = editor.str_replace(wanted.path, wanted.old_str, wanted.new_str)
            case Insert():
                changed = editor.insert(wanted.path, wanted.insert_line, wanted.insert_text)
        return Answer(f"{self.reach.shown(changed)} is written", changed=self.reach.shown(changed))

    def _picture(self, real: Path) -> str | list[Any]:
        read = beta_read_tool(AgentToolContext(workdir=self.reach.root))
        found = asyncio.run(read.call({"file_path": str(real)}))  # a coroutine; not awaited it would be the answer
        return found if isinstance(found, str) else list(found)


def target(arguments: object) -> str:
    """What a call is about: its path, command or pattern, in one line."""
    named = arguments if isinstance(arguments, Mapping) else {}
    found = next((named[key] for key in ("path", "pattern") if key in named), named.get("command", ""))
    return shorten_line(str(found), TARGET)


DEFINITIONS: list[Any] = [
    {"type": "text_editor_20250728", "name": EDITOR},
    {
        "name": "bash",
        "description": (
            "Run a command in bash. Each call is a new shell that begins in the folder in which the last one ended; "
            "variables are not kept. There is no terminal and no standard input. What the command leaves running in "
            "the background is ended with it. Long output is cut in the middle."
        ),
        "input_schema": {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The command, several lines if need be."},
                "timeout_seconds": {
                    "type": "number",
                    "description": f"When to end it: {shell.SECONDS:.0f} by default, at most {shell.LONGEST:.0f}.",
                },
            },
            "required": ["command"],
        },
    },
    {
        "name": "glob",
        "description": (
            "List the files of the repository whose path, from its root, matches a pattern; ignored files are left "
            "out. `*` and `?` stop at `/`, `**` is a whole component and stands for any folders (`**/*.py`); a plain "
            "folder means everything below it. No braces."
        ),
        "input_schema": {
            "type": "object",
            "properties": {"pattern": {"type": "string"}},
            "required": ["pattern"],
        },
    },
    {
        "name": "grep",
        "description": (
            "Find lines in the files of the repository, ignored files left out, by a Perl-compatible regular "
            "expression; the answer has path:line:text."
        ),
        "input_schema": {
            "type": "object",
            "properties": {
                "pattern": {"type": "string"},
                "path": {"type": "string", "description": "A file or folder to search in; the root by default."},
                "ignore_case": {"type": "boolean"},
            },
            "required": ["pattern"],
        },
    },
]
