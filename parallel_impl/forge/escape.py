"""What agents and plans wrote, as it may stand in a pull request: plain words that do nothing there.

A forge acts on text: `@name` writes to somebody, `closes #1` closes an issue at the merge, an image tells its server
who looks, HTML hides things, and a line that begins with `/` is a command of GitLab's. An empty character between
(`&#8203;`) keeps such a word readable and inert; a backslash or an entity would not: the forge looks at what is
rendered. That is how renovate does it (lib/util/markdown.ts).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from parallel_impl import environment
from parallel_impl.errors import printable

BREAK = "&#8203;"
INVISIBLE = "\u200b"  # the same inside of code, where an entity would be shown as it is written
_REFERENCE = re.compile(r"@(?=[\w-])|[#!](?=\d)|(?<=[Gg][Hh]-)(?=\d)|(?<=://)|(?<=\bwww)\.")
_SYMBOLS = re.compile(r"[\\`*_\[\]|~$]")
# how the best-known kinds of keys look: a body is public, and a key may come from a file that no variable names
KEYS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|AIza[\w-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)",
    re.DOTALL,
)


def masked(text: str, secrets: Iterable[bytes]) -> str:
    """The text with `***` for each of the secrets, and for what looks like a key."""
    return KEYS.sub("***", environment.masked(text, secrets))


def inert(text: str) -> str:
    """One line of Markdown that shows the text and does nothing else."""
    line = " ".join(printable(text.replace("\t", " ")).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SYMBOLS.sub(lambda found: f"\\{found[0]}", line)
    line = _REFERENCE.sub(lambda found: f"{found[0]}{BREAK}" if found[0] != "." else f"{BREAK}.", line)
    return f"{BREAK}{line}" if line.startswith(("/", "#", "-", "+", "=", ":")) else line


def code(text: str) -> str:
    """The text as inline code, on one line; a path or command may itself hold backticks."""
    line = " ".join(printable(text).split())
    if not line:
        return ""
    line = _REFERENCE.sub(lambda found: f"{found[0]}{INVISIBLE}" if found[0] in "#!" else found[0], line)
    line = line.replace("<!--", f"<{INVISIBLE}!--")  # our marks are looked for in the text, not in what is rendered
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def title(text: str) -> str:
    """A title on one line: it is no Markdown, but a squash merge makes a commit's subject of it."""
    line = " ".join(printable(text).split())
    return _REFERENCE.sub(lambda found: f"{found[0]}{INVISIBLE}", line)[:250]
