"""What looks like a path in a text that people wrote: in backticks, bare, in a drawing of a tree.

Nothing is looked up here; `resolve` tells a path from what only looks like one. URLs, routes (`/v1/items`), options,
package names (`@scope/name`), version numbers and words such as `and/or` are left out where their form alone says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CODE = re.compile(r"(`+)(.+?)\1")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_URL = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*://|www\.|mailto:)\S*")
_WORD = re.compile(r"[^\s,;|\"'`()=]+(?:\([^\s()]*\)[^\s,;|\"'`()=]*)?")
_LINES = re.compile(r"(?::[0-9]+(?:[-:,\u2013][0-9]+)*|#L[0-9]+(?:-L?[0-9]+)?|::\w[\w:\[\]-]*)$")
_PLACEHOLDER = re.compile(r"<[^<>/\s]*>|\$?\{[^{},/\s]*\}|\$\w+")
_BRACES = re.compile(r"\{([^{}/]*,[^{}/]*)\}")
_DRAWN = re.compile(r"^([\s\u2502|]*)(?:[\u251c\u2514\u2570+`|]\s?[\u2500-]{1,3})\s*(\S.*)$")
_CHARACTERS = re.compile(r"[\w.@+\-\[\]()*/?~]+")
_NUMBERS = re.compile(r"v?[0-9]+(?:[./-][0-9]+)*(?:[a-z]{1,3}[0-9]*)?")
_DATE_OR_FRACTION = re.compile(r"[\d/.%-]+")
_AROUND = ",:;!?\"'"
MAX_LENGTH, MAX_DEPTH = 240, 16


@dataclass(frozen=True, slots=True)
class NamedPath:
    """Something that may name a path: normalized (`/`, no line number, placeholders as `*`); `line` from 1.

    `quoted`: it stood in backticks, a link or a drawing, where people put what they mean literally.
    """

    text: str
    line: int
    quoted: bool


def find(text: str) -> list[NamedPath]:
    """All names of a text in their order, each once a line."""
    found: dict[tuple[str, int], NamedPath] = {}
    for name in [*_in_drawings(text), *_in_lines(text)]:
        known = found.get((name.text, name.line))
        if known is None or (name.quoted and not known.quoted):
            found[name.text, name.line] = name
    return sorted(found.values(), key=lambda name: name.line)


def cleaned(word: str) -> list[str]:
    """A word as the paths that it may mean, more than one for braces; none where its form says that it is no path."""
    if _URL.match(word) or word.startswith(("@", "-", "~", "$", "#", "!")):
        return []
    word = word.strip(_AROUND).rstrip(".")
    word = _LINES.sub("", re.sub(r"\\(?=[\w.])", "/", word)).strip(_AROUND).rstrip(".")
    word = _PLACEHOLDER.sub("*", word)
    return [path for one in _expanded(word) if (path := _plain(one))]


def _in_lines(text: str) -> Iterator[NamedPath]:
    for number, line in enumerate(text.split("\n"), 1):
        if _DRAWN.match(line):
            continue
        for match in _CODE.finditer(line):
            yield from (NamedPath(one, number, quoted=True) for word in _words(match[2]) for one in cleaned(word))
        rest = _CODE.sub(" ", line)
        for match in _LINK.finditer(rest):
            yield from (NamedPath(one, number, quoted=True) for one in cleaned(match[1].partition("#")[0]))
        rest = _URL.sub(" ", _LINK.sub("] ", rest))
        yield from (NamedPath(one, number, quoted=False) for word in _words(rest) for one in cleaned(word))


def _words(text: str) -> list[str]:
    """Words, with braces kept whole: `src/{a,b}.ts` is one."""
    kept = _BRACES.sub(lambda match: "{" + re.sub(r"\s*,\s*", "\0", match[1].strip()) + "}", text)
    return [word.replace("\0", ",") for word in _WORD.findall(kept)]


def _expanded(word: str) -> list[str]:
    match = _BRACES.search(word)
    if not match:
        return [word]
    several = [f"{word[: match.start()]}{part.strip()}{word[match.end() :]}" for part in match[1].split(",")]
    return [one for part in several[:20] for one in _expanded(part)] if len(word) < MAX_LENGTH else []


def _plain(word: str) -> str:
    """One word as a path; "" for what is none: too long, an option, a number, a route, only dots or stars."""
    while word.startswith("./"):
        word = word[2:]
    word = re.sub(r"(?<=\w)\*\*$|^\*\*(?=[\w.])", "", word)  # bold
    word = word.removesuffix("()")
    if word.startswith("[") and word.endswith("]") and word.count("[") == 1:  # the text of a link
        word = word[1:-1]
    parts = word.removesuffix("/").split("/")
    if not word or "()" in word or len(word) > MAX_LENGTH or len(parts) > MAX_DEPTH or not _CHARACTERS.fullmatch(word):
        return ""
    if word.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return ""
    if _NUMBERS.fullmatch(word) or _DATE_OR_FRACTION.fullmatch(word) or not any(map(str.isalpha, word)):
        return ""
    return word if "/" in word or "." in word or _is_bare_file(word) else ""


def _is_bare_file(word: str) -> bool:
    """A file name without a dot that is always meant as one."""
    return word in ("Dockerfile", "Makefile", "Justfile", "Procfile", "Containerfile", "Vagrantfile", "Jenkinsfile")


def _in_drawings(text: str) -> Iterator[NamedPath]:
    """The paths of trees drawn with lines, joined from the folder above the drawing (or without one)."""
    stack: list[tuple[int, str]] = []
    before = ""
    for number, line in enumerate(text.split("\n"), 1):
        match = _DRAWN.match(line)
        if not match:
            stack, before = [], line.strip() or before
            continue
        if not stack:
            stack = [(-1, _root(before))]
        column, entry = len(match[1].expandtabs(4)), re.split(r"\s", match[2], maxsplit=1)[0]
        while stack[-1][0] >= column:
            stack.pop()
        path = f"{stack[-1][1]}{entry}"
        stack.append((column, f"{path.removesuffix('/')}/"))
        if "." in entry or entry.endswith("/"):
            yield from (NamedPath(one, number, quoted=True) for one in cleaned(path))


def _root(line: str) -> str:
    """The folder on the line above a drawing, with its slash; "" for a line that is none."""
    word = line.strip("`* ").split(" ")[0]
    return word.removeprefix("./") if word.endswith("/") and len(word) > 2 else ""
