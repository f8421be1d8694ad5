"""The one glob language of scopes and locks: what may be written in it, and which paths a pattern means.

`/` separates components; `*` and `?` stop at it; `**` is a whole component and spans folders (`p/**` is everything
below `p`); a class is `[ab]`, `[!a]`, `[^a]`, `[a-z]` or `[[:upper:]]`, read as git's wildmatch.c reads it, but by
characters where git goes by bytes. A pattern without specials means that path and everything below it, and so does the
literal reading of one whose only specials are brackets (`app/[id]/page.tsx`), beside its reading as a glob; `p/` means
`p/**`. Case counts. A component that means `.git` to any file system is in no pattern. Under `deny` a pattern takes out
whatever it means and all that lies below that (`covers`).
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from parallel_impl.errors import Problem, UserError
from parallel_impl.plan.globs import component
from parallel_impl.plan.globs.component import ANY, CLASSES, NAMED_CLASS, Component
from parallel_impl.plan.globs.git_folder import is_git_folder, is_in_git_folder, without_stream
from parallel_impl.text import shorten

Reading = tuple[Component | None, ...]  # None is `**`: any number of any components

MAX_LENGTH = 4096  # characters; Linux opens no longer path

_BRACES = re.compile(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}")
_OTHER_SPECIALS = re.compile(r"[*?]")
_NO_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|\0")
_SPECIALS = re.compile(r"[*?\[]")
_COMMAS = re.compile(r"\{([^{}]*,[^{}]*)\}")
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def problem(pattern: str) -> Problem | None:
    """What is wrong with `pattern` and the form to write instead; None when it is in the language."""
    wrong = _wrong(pattern)
    return Problem(wrong[0], hint=wrong[1]) if wrong else None


def _wrong(pattern: str) -> tuple[str, str] | None:
    if not pattern:
        return "an empty pattern means nothing", "write ** for the whole repository, or leave the line out"
    if len(pattern) > MAX_LENGTH:
        return f"the pattern has {len(pattern)} characters", f"no path is longer than {MAX_LENGTH}; name a folder"
    return _unreadable(pattern) or _rooted(pattern) or _unnormalized(pattern) or _special(pattern)


def match(pattern: str, path: str) -> bool:
    """Whether `pattern` means the file `path`; UserError for a pattern that `problem` refuses.

    `path` is from the root of the repository, bytes that are no UTF-8 as surrogates (`surrogateescape`). The time
    is in proportion to the lengths of both: no pattern makes it backtrack.
    """
    return _compiled(pattern).fullmatch(f"{path}/") is not None and is_path(path)


def covers(pattern: str, path: str) -> bool:
    """Whether `pattern` means `path` or a folder that `path` lies in: what `deny` takes out of a scope.

    A path that may not be written cannot be made a folder either, so nothing below it can be written.
    """
    return _compiled(pattern).match(f"{path}/") is not None and is_path(path)


@lru_cache(maxsize=16384)
def readings(pattern: str) -> tuple[Reading, ...]:
    """The ways to read `pattern`: as a glob, as a path, or as both; UserError when `problem` refuses it."""
    if wrong := problem(pattern):
        raise UserError(f"{quoted(pattern)}: {wrong.what}", hint=wrong.hint)
    return tuple(_readings(pattern))


def is_path(path: str) -> bool:
    """Whether `path` can be that of a file in a git tree."""
    return not _NO_PATH.search(path) and not is_in_git_folder(path)


def is_literal(pattern: str) -> bool:
    """Whether `pattern` has no special character: it names one path, and what is below it."""
    return not _SPECIALS.search(pattern)


def literal_start(pattern: str) -> str:
    """The folder or file that every path which `pattern` means is or lies in, as far as it is written out; or ""."""
    parts = pattern.removesuffix("/").split("/")
    written = next((place for place, part in enumerate(parts) if _SPECIALS.search(part)), len(parts))
    return "/".join(parts[:written])


def quoted(pattern: str) -> str:
    """A pattern or path as messages show it: in quotes, and only its beginning if it is long."""
    return f'"{shorten(pattern, 120)}"'


def folders_above(path: str) -> Iterator[str]:
    """The folders that `path` lies in, the topmost first."""
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)


def fold(path: str) -> str:
    """The spelling under which two paths are twins: on some file systems they would be one file."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def _unreadable(pattern: str) -> tuple[str, str] | None:
    """Invisible characters, and those that no path needs."""
    shown = "".join("?" if _is_unseen(c) else c for c in pattern)
    if shown != pattern:
        unseen = next(c for c in pattern if _is_unseen(c))
        return f"the pattern contains the invisible character U+{ord(unseen):04X}", f"write {quoted(shown)}"
    if "\\" in pattern:
        return "a backslash neither separates folders nor escapes", f"write {quoted(_normalized(pattern))}"
    if pattern != pattern.strip():
        hint = f"write {quoted(pattern.strip())}" if pattern.strip() else "write ** for the whole repository"
        return "the pattern begins or ends with a blank", f"{hint} ([ ] means a blank in a name)"
    return None


def _rooted(pattern: str) -> tuple[str, str] | None:
    """Beginnings that mean something to a shell, to git or to a program, but not here."""
    rest = _relative(pattern)
    write = f"write {quoted(rest or '**')}"
    if pattern[0] == "!":
        return "patterns are not negated by a leading !", f"list {quoted(rest or '**')} under scope.deny"
    if pattern[0] == "/" or _DRIVE.match(pattern):
        return "the path is absolute; paths are relative to the root of the repository", write
    if pattern[0] == "~":
        return "a leading ~ does not mean a home folder", f"{write}, relative to the root of the repository"
    if pattern[0] == "$":
        return "variables are not expanded", f"{write}, relative to the root of the repository"
    if pattern[0] == "-":
        return "programs take a path with a leading - for an option", f"rename it: {write}"
    if pattern.startswith(":("):
        return "git's pathspec magic is not read", f"write {quoted(pattern.partition(')')[2] or '**')}"
    return None


def _unnormalized(pattern: str) -> tuple[str, str] | None:
    """Components that no path in a git tree has."""
    names = pattern.split("/")
    straight = _normalized(pattern)
    leaves = straight == ".." or straight.startswith("../")
    write = "name a path inside the repository" if leaves else f"write {quoted(straight)}"
    if ".." in names:
        return "a pattern does not climb with ..", write
    if "." in names:
        return "a component . means nothing", write
    if "" in names[:-1]:
        return "an empty component (//) means nothing", write
    if folder := next(filter(is_git_folder, names), ""):
        meant = "" if folder.lower() == ".git" else f", which {quoted(folder)} means to some file systems,"
        return f"nothing in a .git folder{meant} is part of a tree", "delete the line; .gitignore and .github are fine"
    plain = [without_stream(name) for name in names]
    if plain != names:
        return "a stream of a file (NTFS) is no file of its own", f"write {quoted('/'.join(plain))}"
    return None


def _special(pattern: str) -> tuple[str, str] | None:
    """Special characters that other glob languages read in another way, or that cannot be read."""
    if braces := _BRACES.search(pattern):
        written = _expanded(pattern) if "," in braces[1] else "one pattern for each name"
        return "braces are not expanded", f"write {written}, each on a line of its own"
    names = pattern.split("/")
    inside = next((c for c in names if "**" in c and c != "**"), None)
    if inside is not None:
        return f"** is a whole component, not a part of one ({quoted(inside)})", f"write {_starred(names)}"
    return _bracketed(pattern, names)


def _bracketed(pattern: str, names: list[str]) -> tuple[str, str] | None:
    """Brackets that are not closed, or that name no class."""
    for name in names:
        if unknown := next((word for word in NAMED_CLASS.findall(name) if word not in CLASSES), None):
            return f"there is no class [:{unknown}:]", f"write one of {', '.join(CLASSES)}"
        if component.read(name) is None and _OTHER_SPECIALS.search(pattern):
            fixed = [other if component.read(other) else other.replace("[", "[[]") for other in names]
            return f"a [ in {quoted(name)} is not closed", f"write {quoted('/'.join(fixed))} if it is a plain ["
    return None


def _starred(names: list[str]) -> str:
    """What `a**` may mean: `a*`, or everything below it too."""
    narrow = [c if c == "**" else re.sub(r"\*{2,}", "*", c) for c in names]
    deep: list[str] = []
    for old, new in zip(names, narrow, strict=True):
        before = ["**"] if old != new and old.startswith("**") else []
        after = ["**"] if old != new and old.endswith("**") and not before else []
        deep += [*before, new, *after] if new != "*" or not before else before
    return ", or ".join(dict.fromkeys([quoted("/".join(narrow)), quoted("/".join(deep))]))


def _expanded(pattern: str) -> str:
    """The patterns that a pattern with braces stands for, the first few of them."""
    found: list[str] = []
    left = [pattern]
    while left and len(found) < 5:
        text = left.pop()
        if braces := _COMMAS.search(text):
            names = reversed(braces[1].split(","))
            left += [text[: braces.start()] + name + text[braces.end() :] for name in names]
        elif text not in found:
            found.append(text)
    listed = ", ".join(map(quoted, found[:4]))
    return f"{listed} and so on" if len(found) > 4 else listed


def _relative(pattern: str) -> str:
    """`pattern` without what roots it."""
    if pattern.startswith(("~", "$")):
        pattern = pattern.partition("/")[2] if "/" in pattern else pattern[1:]
    return _DRIVE.sub("", pattern).lstrip("/!-~$ ")


def _normalized(pattern: str) -> str:
    """`pattern` with plain separators and without empty components; its last slash stays."""
    text = posixpath.normpath(_DRIVE.sub("", pattern.replace("\\", "/")).lstrip("/"))
    return "**" if text == "." else f"{text}/" if pattern.endswith(("/", "\\")) else text


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI


def _readings(pattern: str) -> Iterator[Reading]:
    below = pattern.endswith("/")
    names = pattern.rstrip("/").split("/")
    if not _OTHER_SPECIALS.search(pattern):
        yield (*map(component.plain, names), *((ANY, None) if below else (None,)))
    if _SPECIALS.search(pattern) and all(map(component.read, names)):
        parts = [None if name == "**" else component.read(name) for name in names]
        if below or names[-1] == "**":  # at the end it means everything below, and not nothing
            parts[-1:] = (ANY, None) if parts[-1] is None else (parts[-1], ANY, None)
        yield tuple(part for n, part in enumerate(parts) if part or n == 0 or parts[n - 1])


@lru_cache(maxsize=16384)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of the paths of `pattern`, with a slash behind."""
    return re.compile("|".join(map(_expression, readings(pattern))))


def _expression(reading: Reading) -> str:
    """The regular expression of one reading, over a path whose components each end with a slash.

    What stands between two `**`, or between two `*` in a component, has a fixed length: its first place is the best
    one, so the group that finds it is atomic and never tried again.
    """
    blocks: list[list[str]] = [[]]
    for part in reading:
        if part is None:
            blocks.append([])
        else:
            blocks[-1].append(component.expression(part))
    first, *between = ["".join(block) for block in blocks]
    last = f"(?:[^/]++/)*{between.pop()}" if between else ""
    return "".join([first, *(f"(?>(?:[^/]++/)*?{block})" for block in between), last])
