"""The members of a workspace, by the patterns that its root declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def members(patterns: Iterable[str], folders: Sequence[str], excluded: Iterable[str] = ()) -> list[str]:
    """The folders that a pattern means and no `!pattern` or `excluded` one does; `*` stops at `/`, `**` does not."""
    wanted, unwanted = list[re.Pattern[str]](), [_expression(one) for one in excluded]
    for pattern in patterns:
        (unwanted if pattern.startswith("!") else wanted).append(_expression(pattern.removeprefix("!")))
    return [
        folder
        for folder in folders
        if "node_modules" not in folder.split("/")
        and any(one.fullmatch(folder) for one in wanted)
        and not any(one.fullmatch(folder) for one in unwanted)
    ]


def _expression(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern.removeprefix("./").rstrip("/"))
    text = text.replace(r"/\*\*", r"(/.*)?").replace(r"\*\*/", r"(.*/)?").replace(r"\*\*", r".*")
    return re.compile(re.sub(r"(?<!\.)\\\*", r"[^/]*", text).replace(r"\?", "[^/]"))
