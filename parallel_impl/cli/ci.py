"""Lines in the log of a CI runner, which takes commands from there: no word of an agent's or a program's may be one.

GitHub's runner executes `::command::` after blanks and `##[command]` anywhere in a line, but nothing between
`::stop-commands::<word>` and `::<word>::` (its documentation, "Workflow commands"). Azure's `##vso[…]` and TeamCity's
`##teamcity[…]` cannot be switched off, so there the two signs are parted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

# a runner ends a line at a carriage return too, and at whatever else its language takes for an end
COMMAND = re.compile(r"(?:^|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])\s*::|##")


def is_ci(environment: Mapping[str, str]) -> bool:
    """Whether a runner started this process, by the variables that runners set."""
    told = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
    return any(environment.get(name, "") not in ("", "0", "false") for name in told)


def guarded(text: str, environment: Mapping[str, str]) -> str:
    """`text` so that the runner which started this process takes no command from it."""
    if not is_ci(environment) or not COMMAND.search(text):
        return text
    if environment.get("GITHUB_ACTIONS") == "true":
        word = secrets.token_hex(16)
        return f"::stop-commands::{word}\n{text.removesuffix(chr(10))}\n::{word}::"
    return text.replace("##", "# #")


def guarded_json(line: bytes) -> bytes:
    """A line of JSON in which no runner finds a command: `##` can only be in a string, and is written otherwise."""
    return line.replace(b"##", b"#\\u0023")
