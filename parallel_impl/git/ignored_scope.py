"""Patterns of a plan that mean what git ignores: files there are never part of the work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_impl.errors import Problem, Severity
from parallel_impl.git.repo import decode, encode
from parallel_impl.git.trees import Trees
from parallel_impl.plan.globs.globs import match
from parallel_impl.plan.model import Package, Plan, yaml_path

_SPECIALS = re.compile(r"[*?\[]")


def check(trees: Trees, base: str, plan: Plan) -> list[Problem]:
    """A warning for each such pattern, with the rule; an error for a package that has no other pattern."""
    rules = _rules(trees, base, plan)
    if not rules:
        return []
    return [problem for index, package in enumerate(plan.packages) for problem in _package(plan, index, package, rules)]


def _package(plan: Plan, index: int, package: Package, rules: dict[str, str]) -> Iterator[Problem]:
    alone = all(pattern in rules for pattern in package.scope.write_allow)
    for number, pattern in enumerate(package.scope.write_allow):
        if pattern in rules:
            place = ("packages", index, "scope", "write_allow", number)
            text = f"{pattern} of {package.id} is ignored ({rules[pattern]}): files there are not taken as its work"
            hint = "name another path, or let a rule of .gitignore take it back (!…) and commit that"
            yield Problem(
                f"{text}, and it may write nothing else" if alone else text,
                where=plan.where(*place),
                path=yaml_path(place),
                hint=hint,
                severity=Severity.ERROR if alone else Severity.WARNING,
            )


def _rules(trees: Trees, base: str, plan: Plan) -> dict[str, str]:
    """The ignored patterns that match no file of the base, each with `file:line: rule`."""
    asked = {pattern: _places(pattern) for package in plan.packages for pattern in package.scope.write_allow}
    listing = trees.listing(base)
    places = {place for means in asked.values() for place in means}
    folders = {place for place in places if place.endswith(b"/")}
    found = trees.ignored(listing, places - folders) | trees.ignored(listing, folders)
    ignored = {
        pattern: found[means[-1]]
        for pattern, means in asked.items()
        if means and all(place in found for place in means)
    }
    tracked = [decode(path) for path in listing.entries] if ignored else []
    return {pattern: rule for pattern, rule in ignored.items() if not any(match(pattern, path) for path in tracked)}


def _places(pattern: str) -> list[bytes]:
    """The path of a pattern, as a file and as a folder; or the folder before its first special character."""
    if not (special := _SPECIALS.search(pattern)):
        folder = encode(pattern.rstrip("/") + "/")
        return [folder] if pattern.endswith("/") else [folder[:-1], folder]
    before, slash, _ = pattern[: special.start()].rpartition("/")
    return [encode(before + slash)] if before else []
