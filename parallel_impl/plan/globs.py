"""The one glob language of scopes and locks: what may be written in it, and which paths a pattern means.

Used by `plan.load` (`problem`), by everything that asks whether a path is in a scope (`match`, `permits`) and by
`plan.overlap`, which decides whether two patterns meet. `/` separates components; `*` and `?` stop at it; `**` is a
whole component and spans folders (`p/**` is everything below `p`); a class is `[ab]`, `[!a]`, `[^a]`, `[a-z]` or
`[[:upper:]]`, read as git's wildmatch.c reads it, but by characters where git goes by bytes. A pattern without
specials means that path and everything below it, and so does the literal reading of one whose only specials are
brackets (`app/[id]/page.tsx`), beside its reading as a glob; `p/` means `p/**`. Case counts. A component `.git`, in
any case, is in no pattern.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata

MAX_LENGTH = 4096  # characters; Linux opens no longer path

_BRACES = re.compile(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}")
_COMMAS = re.compile(r"\{([^{}]*,[^{}]*)\}")
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def problem(pattern: str) -> tuple[str, str] | None:
    """What is wrong with `pattern` and the form to write instead; None when it is in the language."""
    if not pattern:
        return "an empty pattern means nothing", "write ** for the whole repository, or leave the line out"
    if len(pattern) > MAX_LENGTH:
        return f"the pattern has {len(pattern)} characters", f"no path is longer than {MAX_LENGTH}; name a folder"
    return _unreadable(pattern) or _rooted(pattern) or _crooked(pattern) or _special(pattern)


def fold(path: str) -> str:
    """The spelling under which two paths are twins: on some file systems they would be one file."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def _unreadable(pattern: str) -> tuple[str, str] | None:
    """Characters that a reader of the plan does not see, or that no path needs."""
    shown = "".join("?" if _is_unseen(c) else c for c in pattern)
    if shown != pattern:
        unseen = next(c for c in pattern if _is_unseen(c))
        return f"the pattern holds the character U+{ord(unseen):04X}, which nobody sees", f"write {_quote(shown)}"
    if "\\" in pattern:
        return "a backslash neither separates folders nor escapes", f"write {_quote(_upright(pattern))}"
    if pattern != pattern.strip():
        hint = f"write {_quote(pattern.strip())}" if pattern.strip() else "write ** for the whole repository"
        return "the pattern begins or ends with a blank", f"{hint} ([ ] stands for a blank in a name)"
    return None


def _rooted(pattern: str) -> tuple[str, str] | None:
    """Beginnings that mean something to a shell, to git or to a program, and nothing here."""
    rest = _relative(pattern)
    write = f"write {_quote(rest or '**')}"
    if pattern[0] == "!":
        return "patterns are not negated by a leading !", f"list {_quote(rest or '**')} under scope.deny"
    if pattern[0] == "/" or _DRIVE.match(pattern):
        return "the path is absolute; paths are relative to the root of the repository", write
    if pattern[0] == "~":
        return "a leading ~ does not stand for a home folder", f"{write}, relative to the root of the repository"
    if pattern[0] == "$":
        return "variables are not expanded", f"{write}, relative to the root of the repository"
    if pattern[0] == "-":
        return "programs take a path with a leading - for an option", f"rename it: {write}"
    if pattern.startswith(":("):
        return "git's pathspec magic is not read", f"write {_quote(pattern.partition(')')[2] or '**')}"
    return None


def _crooked(pattern: str) -> tuple[str, str] | None:
    """Components that no path in a tree of git's has."""
    components = pattern.split("/")
    straight = _upright(pattern)
    leaves = straight == ".." or straight.startswith("../")
    write = "name a path inside the repository" if leaves else f"write {_quote(straight)}"
    if ".." in components:
        return "a pattern does not climb with ..", write
    if "." in components:
        return "a component . stands for nothing", write
    if "" in components[:-1]:
        return "an empty component (//) stands for nothing", write
    if any(component.lower() == ".git" for component in components):
        return (
            "nothing in a .git folder is part of a tree",
            "delete the line; .gitignore, .github and the like are fine",
        )
    return None


def _special(pattern: str) -> tuple[str, str] | None:
    """Special characters that other glob languages read in another way, or that cannot be read."""
    if braces := _BRACES.search(pattern):
        names = "one pattern for each of the names" if "," not in braces[1] else f"{_expanded(pattern)}, each a line"
        return "braces are not expanded", f"write {names}"
    components = pattern.split("/")
    inside = next((c for c in components if "**" in c and c != "**"), None)
    if inside is not None:
        narrow, deep = _starred(components)
        return f"** is a whole component, not a part of one ({_quote(inside)})", f"write {narrow}, or {deep}"
    return None


def _starred(components: list[str]) -> tuple[str, str]:
    """What `a**` may have meant: `a*`, or everything below it too."""
    narrow = [c if c == "**" else re.sub(r"\*{2,}", "*", c) for c in components]
    deep: list[str] = []
    for old, new in zip(components, narrow, strict=True):
        before = ["**"] if old != new and old.startswith("**") else []
        after = ["**"] if old != new and old.endswith("**") and not before else []
        deep += [*before, new, *after] if new != "*" or not before else before
    return _quote("/".join(narrow)), _quote("/".join(deep))


def _expanded(pattern: str) -> str:
    """The patterns that a pattern with braces stands for, the first few of them."""
    found: list[str] = []
    left = [pattern]
    while left and len(found) < 5:
        text = left.pop()
        if braces := _COMMAS.search(text):
            names = reversed(braces[1].split(","))
            left += [text[: braces.start()] + name + text[braces.end() :] for name in names]
        else:
            found.append(text)
    listed = ", ".join(map(_quote, found[:4]))
    return f"{listed} and so on" if len(found) > 4 else listed


def _relative(pattern: str) -> str:
    """`pattern` without what roots it."""
    if pattern.startswith(("~", "$")):
        pattern = pattern.partition("/")[2] if "/" in pattern else pattern[1:]
    return _DRIVE.sub("", pattern).lstrip("/!-~$ ")


def _upright(pattern: str) -> str:
    """`pattern` with plain separators and without what stands for nothing; its last slash stays."""
    text = posixpath.normpath(_DRIVE.sub("", pattern.replace("\\", "/")).lstrip("/"))
    return "**" if text == "." else f"{text}/" if pattern.endswith(("/", "\\")) else text


def _quote(text: str) -> str:
    return f'"{text}"' if len(text) <= 120 else f'"{text[:120]}…"'


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI
