"""Parts of a repository that have an `openspec/` of their own: which of them a change-id means.

A part is its folder, from the root of the repository; "" is the root. Scopes are relative to the root everywhere;
branch, refs and state of a change are named by its id alone, so only one part may have an id.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan import ids
from parallel_impl.plan.model import Plan


def above(folder: str) -> tuple[str, ...]:
    """The folder and those above it up to the root, in the order in which `openspec/` is looked for."""
    found = [folder] if folder else []
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return (*found, "")


def having(change_id: str, paths: Iterable[str]) -> set[str]:
    """The parts that have files of this change."""
    pattern = re.compile(rf"(?:(.+?)/)?{re.escape(ids.folder(change_id))}/")
    return {found[1] or "" for path in paths if (found := pattern.match(path))}


def with_changes(paths: Iterable[str]) -> set[str]:
    """The parts that have any change."""
    pattern = re.compile(rf"(?:(.+?)/)?{re.escape(ids.CHANGES)}/")
    return {found[1] or "" for path in paths if (found := pattern.match(path))}


def choose(change_id: str, folder: str, paths: Collection[str], *, run_in: str | None = None) -> str:
    """The part that `change_id` means when it is typed in `folder`; `run_in` is the part of its run, where it has one.

    A run goes on from anywhere but from another part that has the id too. Where no part has it, it is the one where
    it is missed. UserError where two have it, or one that does not lie on the way up.
    """
    found, way = having(change_id, paths), above(folder)
    nearest = next((part for part in way if part in found), None)
    if run_in is not None:
        if nearest is not None and nearest != run_in:
            raise UserError([taken(change_id, nearest, run_in, "there is a run of")])
        return run_in
    if len(found) > 1:
        first, second = sorted(found, key=lambda part: (part != nearest, part))[:2]
        raise UserError([taken(change_id, first, second)])
    if nearest is not None:
        return nearest
    if found:
        (part,) = found
        hint = f"go there: cd {part}" if part not in way else ""
        raise UserError(f"no folder from here up to the root has the change {change_id!r}, but {part} has", hint=hint)
    here = with_changes(paths)
    return next((part for part in way if part in here), "")


def taken(change_id: str, part: str, other: str, what: str = "there is") -> Problem:
    """The problem of an id that two parts have."""
    folders = ids.folder(change_id, part), ids.folder(change_id, other)
    return Problem(
        f"{what} {folders[1]} too: branch, refs and state are named by the id alone",
        where=folders[0],
        hint=f"give one of the two another id: git mv {folders[0]} {folders[0]}-2, and feature.id in its plan",
    )


def misplaced_scopes(plan: Plan, part: str, paths: Collection[str]) -> Iterator[Problem]:
    """Warnings for patterns that begin with a folder that the part has and the root has not."""
    if not part:
        return
    at_root = {path.partition("/")[0] for path in paths}
    below = (path.removeprefix(f"{part}/") for path in paths if path.startswith(f"{part}/"))
    folders = {path.partition("/")[0] for path in below if "/" in path}
    for number, package in enumerate(plan.packages):
        for position, pattern in enumerate(package.scope.write_allow):
            first = pattern.partition("/")[0]
            if first in folders - at_root:
                yield Problem(
                    f"{package.id}: scopes begin at the root of the repository, where no {first}/ is: {pattern}",
                    where=plan.where("packages", number, "scope", "write_allow", position),
                    hint=f"did you mean {part}/{pattern}?",
                    severity=Severity.WARNING,
                )
