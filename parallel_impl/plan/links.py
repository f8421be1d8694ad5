"""Scopes that lead out of what a package can write: into a submodule, or behind a symlink.

Git sees a change behind a symlink at the path that the link leads to, and one in a submodule not at all.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan.globs import globs
from parallel_impl.plan.globs.component import read
from parallel_impl.plan.model import Plan

SUBMODULE = ""  # in the place of what is written in a symlink: a repository of its own
MAX_LINKS = 40  # one behind the other, as Linux has it


@dataclass(frozen=True, slots=True)
class Tree:
    """What a tree holds: the paths of its files, and its links. A symlink maps to what is written in it."""

    paths: Collection[str]
    links: Mapping[str, str]


def problems(plan: Plan, tree: Tree) -> Iterator[Problem]:
    """Errors for patterns that mean only what lies behind a link, warnings for those that mean more."""
    for number, package in enumerate(plan.packages if tree.links else ()):
        scope = package.scope.write_allow
        for position, pattern in enumerate(scope):
            told = (_told(pattern, scope, link, tree) for link in tree.links if _rest(pattern, link) is not None)
            if found := next(filter(None, told), None):
                what, hint, severity = found
                where = plan.where("packages", number, "scope", "write_allow", position)
                yield Problem(f"{package.id}: {what}", where=where, hint=hint, severity=severity)


def resolved(link: str, links: Mapping[str, str]) -> tuple[str | None, str]:
    """Where a symlink leads: the path inside the repository (None where it is no such path), and that in words."""
    path = link
    for _ in range(MAX_LINKS):
        above = next((folder for folder in (*globs.folders_above(path), path) if folder in links), None)
        if above is None:
            return path, path
        if links[above] == SUBMODULE:
            return None, f"{path}, in the submodule {above}" if path != above else f"the submodule {above}"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(above), links[above]) + path[len(above) :])
        if path.startswith(("/", "../")) or path == "..":
            return None, f"{path}, outside the repository"
        if path == ".":
            return None, "the root of the repository"
    return None, "itself"


def _told(pattern: str, scope: Sequence[str], link: str, tree: Tree) -> tuple[str, str, Severity] | None:
    """What is wrong with a pattern that goes through this link, with the hint and how much it matters; or nothing."""
    rest = _rest(pattern, link) or []
    severity = _severity(pattern, link, tree)
    if tree.links[link] == SUBMODULE:
        what = f"{globs.quoted(pattern)} lies in the submodule {link}: a run cannot take work from there"
        return what, f"change it in the repository of {link}, and delete the pattern here", severity
    target, words = resolved(link, tree.links)
    at = "lies behind" if rest else "is"
    what = f"{globs.quoted(pattern)} {at} the symlink {link}, which leads to {words}"
    if target is None:
        hint = "name a path inside the repository, or replace the link in a commit before the run"
        return what, hint, severity if rest else Severity.WARNING
    is_file = target in tree.paths
    if not rest and not is_file and not any(path.startswith(f"{target}/") for path in tree.paths):
        return None  # it leads to nothing: only the link itself can be meant
    instead = "/".join((target, *rest)) if rest or is_file else f"{target}/**"
    if instead in scope or any(globs.match(other, _example(instead)) for other in scope):
        return None
    hint = f"write {globs.quoted(instead)}" + ("" if rest else ", or both if the link is to be replaced")
    return what, hint, Severity.WARNING if is_file and not rest else severity


def _rest(pattern: str, link: str) -> list[str] | None:
    """The components of `pattern` behind `link`; [] where it names the link itself, None where it does neither."""
    names = (f"{pattern}**" if pattern.endswith("/") else pattern).split("/")
    above = link.split("/")
    if len(names) < len(above) or (len(names) == len(above) and pattern != link):
        return None
    return names[len(above) :] if all(map(_accepts, names, above)) else None


def _accepts(component: str, name: str) -> bool:
    if component in (name, "**"):
        return component == name
    glob = read(component)
    return glob is not None and glob.accepts(name)


def _severity(pattern: str, link: str, tree: Tree) -> Severity:
    """A glob that files of the tree match means those too, whatever links it goes through."""
    if pattern == link or pattern.startswith(f"{link}/"):
        return Severity.ERROR
    return Severity.WARNING if any(globs.match(pattern, path) for path in tree.paths) else Severity.ERROR


def _example(pattern: str) -> str:
    """A path that a pattern means."""
    return "/".join("x" if set(name) & set("*?[") else name for name in pattern.split("/"))
