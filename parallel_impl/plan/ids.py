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
MAX_LENGTH = 64
FEATURE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # no double hyphen: it parts change and package in branch names
PACKAGE = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*")
# archive is a folder of OpenSpec's; HEAD and its kin mislead git on file systems that fold case; the others are
# devices on Windows, whatever follows the dot.
RESERVED = frozenset({"archive", "head", "orig_head", "fetch_head", "merge_head", "con", "prn", "aux", "nul"}) | {
    f"{device}{number}" for device in ("com", "lpt") for number in range(10)
}


def problem(text: str, *, package: bool = False) -> Problem | None:
    """What is wrong with `text` as the id of a change (or of a package), and what to write; None when nothing is."""
    kind = "package id" if package else "change-id"
    if text in RESERVED:
        what = f"{text!r} is a reserved name and cannot be a {kind}"
        return Problem(what, hint=f"write {'wp' if package else 'add'}-{text}")
    if len(text) <= MAX_LENGTH and (PACKAGE if package else FEATURE).fullmatch(text):
        return None
    rule = f"lower case letters, digits and single hyphens{' or _' if package else ''}, at most {MAX_LENGTH} characters"
    nearest = re.sub(r"[^a-z0-9]+", "-", text[:200].lower()).strip("-0123456789")[:MAX_LENGTH].rstrip("-")
    hint = f"write {nearest}" if nearest and nearest not in RESERVED else "write e.g. add-login"
    return Problem(f"{shorten(text, 80)!r} is not a {kind}", hint=f"{hint} ({rule})")


def check(change_id: str) -> None:
    """Raise UserError where `change_id`, as typed on the command line, cannot be the id of a change."""
    if wrong := problem(change_id):
        raise UserError([replace(wrong, where="<change-id>")])


def folder(change_id: str) -> str:
    """The folder of a change, from the root of the repository."""
    return f"{CHANGES}/{change_id}"


def plan_file(change_id: str) -> str:
    """The plan of a change, from the root of the repository."""
    return f"{folder(change_id)}/{PLAN_FILE}"


def branch(change_id: str, package_id: str = "") -> str:
    """The branch of a change, or of one of its packages; `openspec/c` and `openspec/c/p` could not both exist."""
    return f"openspec/{change_id}--{package_id}" if package_id else f"openspec/{change_id}"
