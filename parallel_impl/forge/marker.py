"""What marks text of ours in a pull request: a comment of HTML, which a forge keeps and does not show. Pure.

Only what stands between the two marks is ever replaced; what people write around it stays.
"""

from __future__ import annotations

import re

END = "<!-- /parallel-impl -->"


def begin(change_id: str, run_id: str, part: int = 1) -> str:
    """The first line of our text; `part` counts the comments that a long body goes on in, from 2."""
    return f"<!-- parallel-impl {change_id} {run_id}{f' {part}' if part > 1 else ''} -->"


def _block(change_id: str, part: int) -> re.Pattern[str]:
    number = f" {part}" if part > 1 else ""
    return re.compile(rf"<!-- parallel-impl {re.escape(change_id)} ([^\s>]+){number} -->.*?{re.escape(END)}", re.DOTALL)


def run_of(body: str, change_id: str, part: int = 1) -> str:
    """The id of the run that wrote our text in a body; "" where there is none for this change."""
    found = _block(change_id, part).search(body.replace("\r\n", "\n"))
    return found[1] if found else ""


def wrapped(text: str, change_id: str, run_id: str, part: int = 1) -> str:
    """Text of ours with its marks."""
    return f"{begin(change_id, run_id, part)}\n{text}\n{END}"


def replaced(body: str, text: str, change_id: str, run_id: str) -> str:
    """A body with our text in the place of the one that it has; ValueError where it has none.

    Forges give lines back with `\\r\\n` where a person edited them in a page.
    """
    pattern, ours = _block(change_id, 1), wrapped(text, change_id, run_id)
    new, count = pattern.subn(lambda _: ours, body.replace("\r\n", "\n"), count=1)
    if not count:
        raise ValueError(f"no text of {change_id} in this body")
    return new
