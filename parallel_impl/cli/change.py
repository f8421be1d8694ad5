"""The argument `<change-id>`: a path to the change's folder is taken as its id, and a shell can complete it.

Shells complete paths by themselves, so `openspec/changes/add-login/` is what people type.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from parallel_impl.plan import ids


class ChangeId(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has no arguments there
    """An id of a change, or a path to its folder or plan; what is neither is left for the command to refuse."""

    name = "change-id"

    def convert(self, value: str, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        return ids.named(value, Path.cwd().as_posix())

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The changes of the nearest `openspec/` that begin with what was typed."""
        for place in (Path.cwd(), *Path.cwd().parents):
            if (folder := place / ids.CHANGES).is_dir():
                found = sorted(each.name for each in folder.iterdir() if each.is_dir() and not ids.problem(each.name))
                return [CompletionItem(name) for name in found if name.startswith(incomplete)]
        return []


class ChangeOrPath(ChangeId):
    """The same where any plan will do: a path is left as it is, since it need not lie in a change's folder."""

    name = "change-id or path"

    def convert(self, value: str, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        return value


CHANGE, CHANGE_OR_PATH = ChangeId(), ChangeOrPath()
