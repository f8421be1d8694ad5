"""How the work of a package is proven, with what the repository has: nothing that cannot exist is written.

Only tests that are there, or that a task says will be, are named. A package of nothing testable has no steps.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from parallel_impl.gates import node_manager
from parallel_impl.gates.found import python
from parallel_impl.gates.project_files import Read
from parallel_impl.plan import names_of_tests
from parallel_impl.planning.grouping.scopes import TreeIndex

MOST_TESTS = 30  # paths in one command; with more their folders are named
_PYTHON_TEST = re.compile(r"(test_.*|.*_test)\.py")
NO_TESTS = re.compile(r"no test specified")


@dataclass(frozen=True, slots=True)
class ProposedStep:
    """One command step, and the folder that it runs in."""

    name: str
    command: str
    cwd: str = "."


def steps(
    write_allow: Sequence[str], creates: Sequence[str], tree: TreeIndex, read: Read, own: Collection[str] = ()
) -> list[ProposedStep]:
    """The steps for a package with this scope; `read` gives a file of the base tree.

    Tests of its work are those that it names (`own` and literal paths of its scope) or makes, and those of the sources
    among them; only where there is none, those that a folder of its scope holds.
    """
    paths = sorted({path for glob in write_allow for path in tree.matching(glob)} | set(creates))

    @cache
    def known(path: str) -> bytes | None:  # most names asked for are not there, and each read is a process
        return read(path) if path in tree else None

    named = {path for path in (*own, *write_allow) if path in tree} | set(creates)
    return [*_pytest(paths, named, known), *_node(paths, known), *_cargo(paths, known), *_go(paths, known)]


def _proving(paths: Sequence[str], named: Collection[str]) -> Sequence[str]:
    """Of a project's tests in the scope those of what the package names; all of them where that has none."""
    mirrors = {name for path in named if names_of_tests.is_tested(path) for name in names_of_tests.names(path)}
    return [path for path in paths if path in named or posixpath.basename(path) in mirrors] or paths


def _pytest(paths: Iterable[str], named: Collection[str], read: Read) -> list[ProposedStep]:
    tests: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        name = posixpath.basename(path)
        if _PYTHON_TEST.fullmatch(name) and (project := _project(path, read)) is not None:
            tests[project].append(path)
    found = []
    for project, paths_of in sorted(tests.items()):
        several = [posixpath.relpath(path, project) for path in _proving(paths_of, named)]
        named = several if len(several) <= MOST_TESTS else sorted({posixpath.dirname(test) or "." for test in several})
        runner = "uv run --frozen pytest" if project != "." and read(f"{project}/uv.lock") is not None else "pytest"
        found.append(ProposedStep(_named("tests", project), f"{runner} -q {shlex.join(named)}", project))
    return found


def _project(path: str, read: Read) -> str | None:
    """The nearest folder above a test that configures pytest; None where no folder does."""
    for folder in _above(path):
        if python.pytest(_reader(read, folder)):
            return folder
    return None


def _reader(read: Read, folder: str) -> Read:
    return lambda name: read(name if folder == "." else f"{folder}/{name}")


def _above(path: str) -> Iterable[str]:
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield "."


def _named(what: str, folder: str) -> str:
    return what if folder == "." else f"{what} of {folder}"


def _node(paths: Iterable[str], read: Read) -> list[ProposedStep]:
    """`npm test`, or of the manager whose lock file is there, of each project with a script for it."""
    found: dict[str, ProposedStep] = {}
    for path in paths:
        if not path.endswith((".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")):
            continue
        project = next((folder for folder in _above(path) if _reader(read, folder)("package.json") is not None), None)
        if project is None or project in found or not _has_script(_reader(read, project)("package.json")):
            continue
        inside = _reader(read, project)
        if install := node_manager.install(inside):
            program = node_manager.manager(inside)
            run = "bun run test" if program == "bun" else f"{program} test"  # `bun test` is bun's own runner
            command = run if project == "." else f"{install} && {run}"  # the root is made ready by set-up
            found[project] = ProposedStep(_named(f"{program} test", project), command, project)
    return [found[project] for project in sorted(found)]


def _has_script(content: bytes | None) -> bool:
    try:
        script = json.loads(content or b"{}")["scripts"]["test"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(script, str) and bool(script.strip()) and not NO_TESTS.search(script)


def _cargo(paths: Iterable[str], read: Read) -> list[ProposedStep]:
    roots = {_nearest(path, "Cargo.toml", read) for path in paths if path.endswith(".rs")} - {None}
    return [
        ProposedStep(_named("cargo test", root), "cargo test --quiet", root) for root in sorted(filter(None, roots))
    ]


def _go(paths: Iterable[str], read: Read) -> list[ProposedStep]:
    folders: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        if path.endswith(".go") and (root := _nearest(path, "go.mod", read)):
            folders[root].add(posixpath.relpath(posixpath.dirname(path) or ".", root))
    return [
        ProposedStep(
            _named("go test", root), f"go test {' '.join(shlex.quote(f'./{one}') for one in sorted(several))}", root
        )
        for root, several in sorted(folders.items())
    ]


def _nearest(path: str, name: str, read: Read) -> str | None:
    return next((folder for folder in _above(path) if _reader(read, folder)(name) is not None), None)
