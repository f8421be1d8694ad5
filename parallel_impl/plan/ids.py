"""Ids of changes and packages, and what is named by them: a change's folder, its plan, branches.

The rule is narrower than git's, so that an id is safe as a ref, a folder and a word of a command everywhere.
"""

from __future__ import annotations

import re
from dataclasses import replace

from parallel_impl.errors import Problem, UserError
from parallel_impl.text import shorten

CHANGES = "openspec/changes"
PLAN_FILE = "work-packages.yaml"
IMPLEMENTATION_PLAN = "implementation_plan.md"
STATE = "parallel-impl"  # the folder, in the git common dir, of all that is kept of changes
LONGEST_CHANGE, LONGEST_PACKAGE = 128, 64  # with both, a branch is a file name of 200 characters; systems take 255
FEATURE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # no double hyphen: it parts change and package in branch names
PACKAGE = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*")
_PLAN_FILE = re.compile(r"(^|/)openspec/changes/(?:archive/)?(?:\d{4}-\d{2}-\d{2}-)?([^/]+)/work-packages\.yaml\Z")
# archive is a folder of OpenSpec's; HEAD and its kin mislead git on file systems that fold case; the others are
# devices on Windows, whatever follows the dot.
RESERVED = frozenset({"archive", "head", "orig_head", "fetch_head", "merge_head", "con", "prn", "aux", "nul"}) | {
    f"{device}{number}" for device in ("com", "lpt") for number in range(10)
}


def problem(text: str, *, package: bool = False) -> Problem | None:
    """What is wrong with `text` as the id of a change (or of a package), and what to write; None when nothing is."""
    kind = "package id" if package else "change-id"
    if not package and _is_in_namespace(text):
        return in_namespace(text, text.replace("/", "-"))
    if text in RESERVED:
        what = f"{text!r} is a reserved name and cannot be a {kind}"
        return Problem(what, hint=f"write {'wp' if package else 'add'}-{text}")
    longest = LONGEST_PACKAGE if package else LONGEST_CHANGE
    if len(text) <= longest and (PACKAGE if package else FEATURE).fullmatch(text):
        return None
    rule = f"lower case letters, digits and single hyphens{' or _' if package else ''}, at most {longest} characters"
    name = text.rpartition(f"{CHANGES}/")[2][:200].lower()
    nearest = re.sub(r"[^a-z0-9]+", "-", name).strip("-0123456789")[:longest].rstrip("-")
    hint = f"write {nearest}" if nearest and nearest not in RESERVED else "write e.g. add-login"
    return Problem(f"{shorten(text, 80)!r} is not a {kind}", hint=f"{hint} ({rule})")


def in_namespace(name: str, free: str) -> Problem:
    """The problem of a change that lies in a folder of its own below the changes, with the line that moves it."""
    what = f"{name!r} is a change in a namespace: a change is a folder directly below {CHANGES}/"
    move = f"git mv {CHANGES}/{name} {CHANGES}/{free}"
    return Problem(what, hint=f"move it, and write feature.id: {free} in its plan:\n    {move}")


def _is_in_namespace(text: str) -> bool:
    parts = text.split("/")
    return (
        len(parts) > 1 and all(problem(part, package=True) is None for part in parts) and not text.startswith(CHANGES)
    )


def check(change_id: str) -> None:
    """Raise UserError where `change_id`, as typed on the command line, cannot be the id of a change."""
    if wrong := problem(change_id):
        raise UserError([replace(wrong, where="<change-id>")])


def changes(part: str = "") -> str:
    """The folder of all changes, from the root of the repository; `part` is the folder that `openspec/` lies in."""
    return f"{part}/{CHANGES}" if part else CHANGES


def folder(change_id: str, part: str = "") -> str:
    """The folder of a change, from the root of the repository."""
    return f"{changes(part)}/{change_id}"


def plan_file(change_id: str, part: str = "") -> str:
    """The plan of a change, from the root of the repository."""
    return f"{folder(change_id, part)}/{PLAN_FILE}"


def state(change_id: str) -> str:
    """The folder of all that is kept of a change, from the git common dir."""
    return f"{STATE}/{change_id}"


def change_of(plan_file: str) -> str:
    """The id of the change whose plan this file is, archived ones too (`archive/<date>-<id>`); else empty."""
    found = _PLAN_FILE.search(plan_file)
    return found[2] if found and problem(found[2]) is None else ""


def is_archived(name: str, change_id: str) -> bool:
    """Whether a folder below `changes/archive/` is this change, archived: `<date>-<id>`."""
    return bool(re.fullmatch(rf"\d{{4}}-\d{{2}}-\d{{2}}-{re.escape(change_id)}", name))


def branch(change_id: str, package_id: str = "") -> str:
    """The branch of a change, or of one of its packages; `openspec/c` and `openspec/c/p` could not both exist."""
    return f"openspec/{change_id}--{package_id}" if package_id else f"openspec/{change_id}"
