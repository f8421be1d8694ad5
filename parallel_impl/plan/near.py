"""What lies near the files of a plan and is easily forgotten: their tests, and the files that new ones go into. Pure.

What plans missed most, of 65 measured: tests in another folder than their source, and Dockerfiles, manifests and
registries near new code.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from parallel_impl.plan.globs.globs import folders_above
from parallel_impl.plan.kinds import kind_of
from parallel_impl.plan.model import Plan
from parallel_impl.plan.names_of_tests import existing, is_test, is_tested, names
from parallel_impl.plan.paths import Paths

NARROW = 200  # files: a glob over more says nothing about single ones
_WITH_NEW_FILES = ("container", "project configuration")
_REGISTRY = "registry"


def own_files(plan: Plan, files: Paths) -> tuple[str, ...]:
    """The existing files that packages may write by a narrow glob."""
    found: dict[str, None] = {}
    for package in plan.packages:
        for pattern in package.scope.write_allow:
            if len(means := files.matching(pattern)) <= NARROW:
                found |= dict.fromkeys(path for path in means if not package.scope.denied_by(path))
    return tuple(found)


def tests(plan: Plan, files: Paths) -> dict[str, list[str]]:
    """The existing tests of each source file that a package may write."""
    sources = [path for path in own_files(plan, files) if is_tested(path)]
    wanted = {name for path in sources for name in names(path)}
    by_name: dict[str, list[str]] = {}
    for path in files.paths if wanted else ():
        if (name := path.rpartition("/")[2]) in wanted:
            by_name.setdefault(name, []).append(path)
    return {path: found for path in sources if (found := existing(path, by_name))}


def at_risk(plan: Plan, files: Paths) -> dict[str, str]:
    """Files that new ones go into, by kind: the registry beside each, the nearest manifest and Dockerfile above it."""
    created = [path for package in plan.packages for path in package.creates if not is_test(path)]
    beside = {posixpath.dirname(path) for path in created}
    touched = beside | {folder for path in created for folder in folders_above(path)} | ({""} if created else set())
    found: dict[str, dict[str, list[str]]] = {}
    for path in files.paths if created else ():
        folder = path.rpartition("/")[0]
        if folder in touched and (kind := kind_of(path)):
            found.setdefault(folder, {}).setdefault(kind, []).append(path)
    return dict(row for path in created for row in _near(path, found))


def _near(path: str, found: dict[str, dict[str, list[str]]]) -> Iterator[tuple[str, str]]:
    folder = posixpath.dirname(path)
    yield from ((one, _REGISTRY) for one in found.get(folder, {}).get(_REGISTRY, ()))
    for kind in _WITH_NEW_FILES:
        for above in [*reversed([*folders_above(path)]), ""]:
            if nearest := found.get(above, {}).get(kind):
                yield from ((one, kind) for one in nearest)
                break
